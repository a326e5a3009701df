"""What classification tasks share: one template, labels by number, pairs of texts."""

import pytest

from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.kinds.labelled import LabelledTextTask


class Pairs(LabelledTextTask):
    name, title, labels = "pairs", "Pairs", ("same", "other")
    main_metric, source_note, prefix = "accuracy", "invented", "pair"
    columns, words = ("one", "two"), ("first", "second")


def rows(*labels):
    return [{"one": " a ", "two": "b", "label": label} for label in labels]


def test_fields_are_named_by_their_words_and_kept_as_parts(invented):
    invented("pairs", train=rows(0, 1))
    first, second = Pairs().load("train")
    assert first.source == "pair first: a second: b"
    assert first.parts == ("a", "b")
    assert [first.target, second.label] == ["same", "other"]
    assert [first.id, second.id] == ["train-0", "train-1"]


def test_a_number_that_stands_for_no_label_is_refused(invented):
    invented("pairs", test=rows(-1))
    with pytest.raises(BadInput, match="label must be one of 0, 1; got -1"):
        Pairs().load("test")


def test_gold_answers_score_in_full_and_unreadable_ones_are_broken(invented):
    invented("pairs", test=rows(0, 1))
    task = Pairs()
    gold = task.load("test")
    assert task.score([Answer(row.target, row.label) for row in gold], gold)["matthews"] == 1
    assert task.score([Answer("?", None)] * 2, gold)["broken"] == 1
