"""Patterns of attention, worked out by hand."""

import numpy as np
import pytest

from peftcore.analysis import attention as a
from peftcore.errors import BadInput


def tokens(text, kind="content", part=0):
    return tuple(a.AttentionToken(word, kind, part) for word in text.split())


def pattern(weights, queries, keys, place="encoder"):
    """One layer, one head."""
    return a.AttentionPattern(place, ("s",), queries, keys, np.array([[weights]], np.float32))


WORDS = tokens("the cat the")
PLAIN = pattern([[0.5, 0.25, 0.25], [0, 1, 0], [0.2, 0.3, 0.5]], WORDS, WORDS)
PREFIXED = pattern(
    [[0.5, 0.25, 0.125, 0.125], [0.9, 0, 0.1, 0], [0, 0.2, 0.3, 0.5]],
    WORDS,
    (*tokens("P1", "prefix"), *WORDS),
)


def test_mass_is_what_a_kind_of_key_takes():
    assert a.attention_share(PREFIXED, {"prefix"})[0, 0] == pytest.approx([0.5, 0.9, 0])
    assert a.attention_share(PREFIXED, {"special"})[0, 0] == pytest.approx([0, 0, 0])


def test_renormalised_content_of_a_prefixed_head_is_the_plain_head():
    content = a.filter_pattern(PREFIXED, learnt="renormalised")
    assert content.keys == WORDS
    assert content.weights == pytest.approx(PLAIN.weights)


def test_hidden_positions_leave_the_weights_alone():
    content = a.filter_pattern(PREFIXED, learnt="hidden")
    assert content.weights[0, 0, 0] == pytest.approx([0.25, 0.125, 0.125])


def test_a_row_that_looked_only_at_what_is_left_out_becomes_zero_not_infinite():
    only = pattern([[1, 0]], WORDS[:1], (*tokens("P1", "prefix"), WORDS[0]))
    assert a.filter_pattern(only, learnt="renormalised").weights.tolist() == [[[[0]]]]


def test_special_tokens_can_be_hidden_as_queries_and_keys():
    row = (*tokens("[CLS]", "special"), *WORDS[:1])
    found = a.filter_pattern(pattern([[0.5, 0.5], [0.8, 0.2]], row, row), special="renormalised")
    assert [t.text for t in found.queries] == ["the"]
    assert found.weights[0, 0] == pytest.approx(np.array([[1.0]]))


def test_a_part_of_a_pair_keeps_its_own_tokens_and_what_is_learnt():
    keys = (*tokens("P1", "prefix"), *tokens("a", part=1), *tokens("b", part=2))
    found = a.filter_pattern(
        pattern([[0.2, 0.3, 0.5]] * 2, keys[1:], keys), query_part=1, key_part=2
    )
    assert [t.text for t in found.queries] == ["a"]
    assert [t.text for t in found.keys] == ["P1", "b"]
    assert found.weights[0, 0, 0] == pytest.approx([0.2, 0.5])


def test_showing_nothing_is_refused():
    row = tokens("[CLS] [SEP]", "special")
    with pytest.raises(BadInput, match="nothing is left"):
        a.filter_pattern(pattern([[1, 0], [0, 1]], row, row), special="hidden")


def test_a_prefix_is_a_column_that_the_plain_model_did_not_look_at():
    change = a.pattern_difference(PLAIN, PREFIXED)
    assert [t.text for t in change.keys] == ["P1", "the", "cat", "the"]
    assert change.weights[0, 0, 0] == pytest.approx([0.5, -0.25, -0.125, -0.125])
    assert change.weights[0, 0].sum(-1) == pytest.approx([0, 0, 0], abs=1e-6)


def test_soft_tokens_stand_where_they_stood_and_their_own_rows_have_no_before():
    keys = (*tokens("[CLS]", "special"), *tokens("S1 S2", "soft"), *tokens("cat"))
    after = pattern([[0.25] * 4] * 4, keys, keys)
    plain = pattern([[0.5, 0.5], [0.5, 0.5]], (keys[0], keys[3]), (keys[0], keys[3]))
    change = a.pattern_difference(plain, after)
    assert [t.text for t in change.keys] == ["[CLS]", "S1", "S2", "cat"]
    assert np.isnan(change.weights[0, 0, 1:3]).all()
    assert change.weights[0, 0, 0] == pytest.approx([-0.25, 0.25, 0.25, -0.25])


def test_two_models_that_read_other_tokens_cannot_be_compared():
    other = pattern([[1.0]], tokens("dog"), tokens("dog"))
    with pytest.raises(BadInput, match="different tokens"):
        a.pattern_difference(pattern([[1.0]], tokens("cat"), tokens("cat")), other)


def test_moved_is_the_share_of_attention_that_looks_elsewhere():
    assert a.total_variation(PLAIN, PLAIN)[0, 0] == 0
    assert a.total_variation(PLAIN, PREFIXED)[0, 0] == pytest.approx((0.5 + 0.9 + 0) / 3)


def test_a_head_in_numbers():
    found = a.measure_heads(PLAIN)
    assert found["learnt"][0, 0] == 0
    last = -(0.2 * np.log2(0.2) + 0.3 * np.log2(0.3) + 0.5 * np.log2(0.5))
    assert found["entropy"][0, 0] == pytest.approx((1.5 + 0 + last) / 3)
    assert found["distance"][0, 0] == pytest.approx((0.25 + 0.5 + 0 + 0.4 + 0.3) / 3)


def test_distance_is_counted_over_text_alone():
    assert a.measure_heads(PREFIXED)["distance"] == pytest.approx(
        a.measure_heads(PLAIN)["distance"]
    )
    assert a.measure_heads(PREFIXED)["learnt"][0, 0] == pytest.approx(1.4 / 3)


def test_cross_attention_has_no_distance():
    assert "distance" not in a.measure_heads(pattern([[1.0]], WORDS[:1], WORDS[:1], "cross"))


def described(values):
    return a.HeadStatistics("encoder", 3, {"learnt": np.array(values, float).reshape(-1, 1, 1)})


def test_changes_are_paired_by_seed_with_limits():
    (row,) = a.head_rows(described([0.1, 0.2, 0.3]), described([0.2, 0.3, 0.4]), "learnt")
    assert row.change.mean == pytest.approx(0.1)
    assert row.change.high - row.change.low == pytest.approx(0, abs=1e-9)
    assert row.after.n == 3
    assert row.after.low < 0.3 < row.after.high


def test_an_untouched_base_is_paired_with_every_seed():
    (row,) = a.head_rows(described([0]), described([0.2, 0.4]), "learnt")
    assert row.before.low is None
    assert row.change.mean == pytest.approx(0.3)
    assert row.change.n == 2


def test_unlike_numbers_of_seeds_cannot_be_paired():
    with pytest.raises(BadInput, match="2 seeds"):
        a.head_rows(described([0, 1]), described([0, 1, 2]), "learnt")


def test_without_a_before_there_is_no_change():
    (row,) = a.head_rows(None, described([0.5]), "learnt")
    assert row.after.mean == 0.5
    assert row.change.mean is None


def test_gathering_takes_the_mean_over_examples_for_each_seed():
    one = [[{"x": np.array([[1.0]])}, {"x": np.array([[3.0]])}]]
    two = [[{"x": np.array([[2.0]])}, {"x": np.array([[5.0]])}]]
    found = a.average_examples("encoder", one + two)
    assert found.examples == 2
    assert found.measures["x"][:, 0, 0].tolist() == [1.5, 4.0]


def test_a_walk_goes_from_products_to_weights():
    steps = a.ScoreInputs(
        np.array([[[[1.0, 2.0]]]]),
        np.array([[[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]]]),
        np.array([[[[0.0, np.log(2) - 0.5, -np.inf]]]]),
        (0.5,),
    )
    one = a.AttentionPattern("encoder", ("s",), WORDS[:1], WORDS, np.zeros((1, 1, 1, 3)), steps)
    found = a.trace_query(one, 0, 0, 0)
    assert found.products.tolist() == [[1, 0], [0, 2], [5, 10]]
    assert found.scaled.tolist() == [0.5, 1.0, 7.5]
    assert found.weights == pytest.approx([1 / 3, 2 / 3, 0])
    table = a.trace_table(found)
    assert list(table["Key"]) == ["the", "cat", "the"]
    assert table["Weight"].sum() == pytest.approx(1)


def test_a_table_tells_equal_words_apart_by_number():
    table = a.weights_table(PLAIN, 0, 0)
    assert len(table) == 9
    assert table["Weight"].sum() == pytest.approx(3)
    assert set(table["Key number"]) == {0, 1, 2}


def test_the_strongest_values_in_words():
    assert list(a.strongest(PLAIN, 0, 0, 1)) == ["cat (2) to cat (2): 1.000"]
