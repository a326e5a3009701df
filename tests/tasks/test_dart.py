"""DART: triples, and texts in the authors' own layout."""

import pytest

from peftcore.errors import BadInput
from peftcore.tasks.dart import DART

TRIPLES = [["Oak  Inn", "food", "pies"], ["Oak Inn", "area", "centre"]]


def dart(*texts, triples=TRIPLES):
    return {"tripleset": triples, "annotations": {"source": ["x"] * len(texts), "text": texts}}


def test_the_authors_own_layout_of_texts_is_read(invented):
    row = {"tripleset": TRIPLES, "annotations": [{"source": "x", "text": "Pies."}, {"text": ""}]}
    invented("dart", test=[row])
    assert DART().load("test")[0].references == ("Pies.",)


@pytest.mark.parametrize("triples", [[], [["a", "b"]], ["a | b | c"]])
def test_what_is_no_triple_is_refused(invented, triples):
    invented("dart", test=[dart("x", triples=triples)])
    with pytest.raises(BadInput, match="dart test-0: tripleset must be a list of lists of three"):
        DART().load("test")


def test_real_rows_of_dart(real):
    real("dart")
    task = DART()
    train, test = task.load("train"), task.load("test")
    assert len(train) > 510
    assert len({row.source for row in test}) == len(test)
    assert max(len(row.references) for row in test) > 1
    assert len(task.few_shot(48, 0, 48).dev) == 48
