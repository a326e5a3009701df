"""Scores by people in words: no winner from a handful, none from a tie."""

import pandas as pd

from peftcore.analysis import preference, score_sentences

NAMES = {"a": "LoRA", "b": "Sparse atoms"}


def sentence(scores):
    """The sentence on methods whose items have these scores, by three raters each."""
    rows = pd.DataFrame(
        [
            (method, f"{method}{n}", str(n), rater, score)
            for method, values in scores.items()
            for n, score in enumerate(values)
            for rater in "xyz"
        ],
        columns=["source", "item", "example", "rater", "score"],
    )
    table = preference.score_methods(rows, "source")
    differences = preference.score_differences(rows, table["source"][1], "source")
    return score_sentences.best_in_words(table, differences, NAMES)


def test_one_item_each_and_a_tie_crown_nobody():
    words = sentence({"a": [1.0], "b": [1.0]})
    assert words == (
        "LoRA and Sparse atoms have the same score, 1.00: cannot tell which is better; "
        "1 item, 3 raters."
    )


def test_one_item_each_crowns_nobody():
    words = sentence({"a": [1.0], "b": [0.0]})
    assert "cannot tell it from Sparse atoms: +100 points; one example has no interval" in words


def test_many_items_that_differ_for_sure_are_ahead():
    words = sentence({"a": [1.0, 0.9, 1.0, 0.8] * 5, "b": [0.3, 0.1, 0.4, 0.2] * 5})
    assert "is ahead of the second, Sparse atoms, by +" in words


def test_scores_that_hardly_differ_are_equal_or_open():
    words = sentence({"a": [0.5, 0.51] * 20, "b": [0.5, 0.5] * 20})
    assert "equal within 2 points" in words
    assert "cannot tell it from" in sentence({"a": [1.0, 0.0] * 4, "b": [0.0, 1.0, 0.0] * 2})


def test_whom_an_interval_speaks_of_follows_the_number_of_raters():
    words = [score_sentences.population_in_words(30, n) for n in (1, 3, 12)]
    assert "nothing about other people" in words[0]
    assert "these 3 raters" in words[1]
    assert "12 raters" in words[2]
