"""What tasks from data to text have in common: one line of triples, texts grouped to score."""

import pytest

from peftcore.data.task import Answer
from peftcore.tasks.dart import DART
from peftcore.tasks.webnlg import WebNLG

TRIPLES = [["Oak  Inn", "food", "pies"], ["Oak Inn", "area", "centre"]]
LINE = "Oak Inn | food | pies && Oak Inn | area | centre"


def dart(*texts, triples=TRIPLES):
    return {"tripleset": triples, "annotations": {"source": ["x"] * len(texts), "text": texts}}


def webnlg(*texts, facts=("Oak_Inn | food | pies", "Oak_Inn | area | centre"), lang=""):
    lex = {"comment": ["good"] * len(texts), "text": texts, "lang": [lang] * len(texts)}
    return {"modified_triple_sets": {"mtriple_set": [facts]}, "lex": lex}


@pytest.mark.parametrize(("task", "row"), [(DART, dart), (WebNLG, webnlg)])
def test_triples_read_alike_and_texts_are_grouped_to_score(invented, task, row):
    rows = [row("Oak sells pies.", " Pies at Oak. "), row("Oak, pies.", "")]
    invented(task.name, train=rows, test=rows)
    train, test = task().load("train"), task().load("test")
    assert {one.source for one in train + test} == {f"describe: {LINE}"}
    assert [one.target for one in train] == ["Oak sells pies.", "Pies at Oak.", "Oak, pies."]
    (one,) = test
    assert one.references == ("Oak sells pies.", "Pies at Oak.", "Oak, pies.")
    full = {"bleu": 100, "chrf": 100, "ter": 0, "rougeL": 1}
    scores = task().score([Answer("Oak sells pies.")], test)
    assert scores == pytest.approx(full)
