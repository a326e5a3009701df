"""Automatic scores of single explanations."""

import pandas as pd
import pytest

from peftcore.errors import BadInput
from peftcore.metrics import per_item


def texts(*rows):
    columns = ["item", "example", "label", "shown_label", "explanation", "method"]
    return pd.DataFrame(rows, columns=columns)


GOLD = {"e1": ["the garden is outside"], "e2": []}


def test_equal_words_score_highest_and_the_best_of_several_golds_counts():
    rows = texts(
        ("i1", "e1", "yes", "Yes", "The garden is outside", "lora"),
        ("i2", "e1", "yes", "no", "a tailor sings", "lora"),
    )
    made = per_item.item_scores(rows, {"e1": ["other words", *GOLD["e1"]]}).set_index("item")
    assert made.loc["i1", "chrf"] == pytest.approx(100)
    assert made.loc["i1", "rougeL"] == pytest.approx(1)
    assert made.loc["i2", "rougeL"] == 0
    assert made["label_right"].tolist() == [1, 0]
    assert made["words"].tolist() == [4, 3]


def test_an_item_of_two_methods_counts_once_and_gold_not_at_all():
    row = ("i1", "e1", "yes", "yes", "outside")
    made = per_item.item_scores(
        texts((*row, "lora"), (*row, "spt"), ("i3", "e1", "yes", "yes", "x", "gold")), GOLD
    )
    assert made["item"].tolist() == ["i1"]


def test_without_any_gold_explanation_it_says_so():
    with pytest.raises(BadInput, match="gold explanation"):
        per_item.item_scores(texts(("i1", "e2", "yes", "yes", "x", "lora")), GOLD)
