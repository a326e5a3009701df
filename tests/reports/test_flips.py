import pandas as pd

from peftcore.reports.flips import count_flips


def answers(*rows):
    return pd.DataFrame(rows, columns=["seed", "example", "correct"]).astype({"correct": "boolean"})


def test_every_answer_is_counted_once_and_items_by_seed():
    before = answers((0, "a", True), (0, "b", False), (1, "a", True), (1, "b", True))
    after = answers((0, "a", False), (0, "b", True), (1, "a", False), (1, "b", True))
    found = count_flips(before, after)
    assert (found.both_right, found.both_wrong, found.lost, found.won) == (1, 0, 2, 1)
    assert (found.answers, found.seeds) == (4, 2)
    assert found.items.to_dict("records") == [
        {"example": "a", "lost": 2, "won": 0, "seeds": 2},
        {"example": "b", "lost": 0, "won": 1, "seeds": 2},
    ]


def test_only_what_both_answered_counts():
    before = answers((0, "a", True), (1, "a", True), (0, "c", None))
    after = answers((0, "a", False), (2, "a", False), (0, "c", True))
    found = count_flips(before, after)
    assert (found.answers, found.lost) == (1, 1)


def test_answers_that_are_neither_right_nor_wrong_have_no_flips():
    assert count_flips(answers((0, "a", None)), answers((0, "a", None))) is None
    assert count_flips(answers((0, "a", True)), answers((1, "a", True))) is None
