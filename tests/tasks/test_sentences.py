"""Verses and sentences of minimal pairs load from data that may be shared."""

from collections import Counter

import pytest

from peftcore import tasks
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.sentences import BLiMPAcceptability, PoemSentiment


def verse(label):
    return {"id": 1, "verse_text": " the wood giant", "label": label}


def test_mixed_verses_are_left_out_and_ids_keep_their_place(invented):
    invented("poem_sentiment", train=[verse(3), verse(0), verse(2)])
    rows = PoemSentiment().load("train")
    assert [(row.id, row.label) for row in rows] == [
        ("train-1", "negative"),
        ("train-2", "no_impact"),
    ]
    assert rows[0].source == "poem verse: the wood giant"
    assert rows[0].parts == ("the wood giant",)


def test_unknown_labels_are_refused(invented):
    invented("poem_sentiment", train=[verse(4)])
    with pytest.raises(BadInput, match="poem_sentiment train-0: label must be one of 0, 1, 2"):
        PoemSentiment().load("train")


def test_acceptability_is_asked_of_one_sentence(invented):
    invented("blimp_acceptability", test=[{"sentence": "He go.", "label": 0, "UID": "x"}])
    (row,) = BLiMPAcceptability().load("test")
    assert (row.source, row.target) == ("blimp sentence: He go.", "unacceptable")


@pytest.mark.parametrize("name", ["poem_sentiment", "blimp_acceptability"])
def test_real_rows(real, name):
    real(name)
    task = tasks.find_task(name)
    episode = task.few_shot(48, 0, 48)
    assert set(Counter(row.label for row in episode.train).values()) == {48 // len(task.labels)}
    rows = task.load("test")
    perfect = task.score([task.parse(row.target) for row in rows], rows)
    assert perfect[task.main_metric] == pytest.approx(1)
    same = task.score([Answer("", task.labels[-1])] * len(rows), rows)
    assert same[task.main_metric] < 0.3
