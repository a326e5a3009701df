"""QNLI reads question and sentence, as one text and as a pair."""

from collections import Counter

import pytest

from peftcore.errors import BadInput
from peftcore.tasks.base import Answer
from peftcore.tasks.qnli import QNLI

ROW = {"question": "Who ran?", "sentence": " Ann ran.", "label": 0, "idx": 7}


def test_a_row_reads_as_text_and_as_a_pair(invented):
    invented("glue_qnli", train=[ROW, ROW | {"label": 1}])
    first, second = QNLI().load("train")
    assert first.source == "qnli question: Who ran? sentence: Ann ran."
    assert first.parts == ("Who ran?", "Ann ran.")
    assert (first.target, second.target) == QNLI.labels == ("entailment", "not_entailment")


def test_scores_of_one_right_one_wrong_and_one_unreadable(invented):
    invented("glue_qnli", test=[ROW, ROW | {"label": 1}, ROW | {"label": 1}, ROW])
    task = QNLI()
    answers = [task.parse(text) for text in ("Entailment", "entailment", "dunno", "entailment")]
    scores = task.score(answers, task.load("test"))
    assert (scores["accuracy"], scores["broken"]) == (0.5, 0.25)
    assert scores["f1"] == pytest.approx((2 * (2 / 3) / (2 / 3 + 1) + 0) / 2)


def test_the_unlabelled_test_split_of_the_hub_is_refused(invented):
    invented("glue_qnli", test=[ROW | {"label": -1}])
    with pytest.raises(BadInput, match="score the validation split instead"):
        QNLI().load("test")


def test_real_rows(real):
    real("glue_qnli")
    task = QNLI()
    episode = task.few_shot(100, 0, 100)
    assert Counter(one.label for one in episode.train) == dict.fromkeys(task.labels, 50)
    test = task.load("test")
    assert task.score([Answer("", "entailment")] * len(test), test)["accuracy"] == 0.5
    assert {one.id for one in episode.dev}.isdisjoint(one.id for one in episode.train)
