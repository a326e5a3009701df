"""Shares with a position in front are a softmax with one more term, and renormalised the old."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peftcore.analysis import attention_row as row

SHARES = st.lists(st.floats(1e-6, 1), min_size=2, max_size=12).map(row.normalise)


@given(SHARES, st.floats(-12, 12))
def test_a_position_in_front_scales_all_others_by_one_factor(shares, score):
    found = row.put_in_front(shares, score)
    scores = np.concatenate([[score], np.log(shares)])
    expected = np.exp(scores) / np.exp(scores).sum()
    assert found.share == pytest.approx(expected[0], abs=1e-14)
    assert found.content == pytest.approx(expected[1:], abs=1e-14)
    assert found.content == pytest.approx((1 - found.share) * shares, abs=1e-12)
    assert np.abs(found.renormalised - shares).max() < 1e-12
    assert found.share + found.content.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_a_score_gives_the_share_it_was_made_for(share):
    found = row.put_in_front([0.5, 0.3, 0.2], row.score_of_share(share))
    assert found.share == pytest.approx(share, abs=1e-12)


@given(SHARES, st.integers(0, 2**32 - 1))
def test_changed_scores_go_from_one_row_to_the_other_and_are_linear_in_queries(shares, seed):
    rng = np.random.default_rng(seed)
    keys, query, change = rng.normal(size=(6, 4)), rng.normal(size=4), rng.normal(size=4)

    def attention(vector):
        powers = np.exp(keys @ vector)
        return powers / powers.sum()

    before, after = attention(query), attention(query + change)
    for amount in (0.0, 0.3, 1.0, 1.5):
        expected = attention(query + amount * change)
        assert row.change_scores(before, after, amount) == pytest.approx(expected, abs=1e-9)
    assert row.change_scores(shares, shares, 0.7) == pytest.approx(shares, abs=1e-12)


def test_a_prefix_swaps_no_pair_and_changed_scores_may():
    before = row.normalise([0.5, 0.3, 0.2])
    kept = row.put_in_front(before, 2.0).content
    assert row.swapped_pairs(before, kept) == (0, 3)
    assert row.swapped_pairs(before, before[::-1]) == (3, 3)


def test_a_share_rounded_to_zero_has_a_score():
    assert np.isfinite(row.change_scores([1.0, 0.0], [0.0, 1.0], 0.5)).all()
