"""ComVE asks for the nonsense in lower case, and triples its training pairs."""

from collections import Counter

import pytest

from peftcore.errors import BadInput
from peftcore.tasks.comve import ComVE

ROW = {
    "id": 3,
    "sent0": "He drinks  Milk",
    "sent1": "He drinks stones",
    "label": 1,
    "explanation_1": "Stones are solid.",
    "explanation_2": "nobody can",
    "explanation_3": "It hurts",
}


def test_training_has_an_example_for_each_reason(invented):
    invented("comve", train=[ROW, ROW | {"explanation_3": ""}])
    rows = ComVE().load("train")
    assert rows[0].source == (
        r"explain what is more nonsensical? \n choice1: he drinks milk choice2: he drinks stones"
    )
    assert rows[0].target == "choice2 because stones are solid."
    assert rows[0].parts == ("He drinks Milk", "He drinks stones")
    assert [row.references for row in rows[:3]] == [
        ("Stones are solid.",),
        ("nobody can",),
        ("It hurts",),
    ]
    assert [row.id for row in rows] == [f"train-{n}" for n in ("0-0", "0-1", "0-2", "1-0", "1-1")]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_elsewhere_all_reasons_are_references(invented, split):
    invented("comve", **{split: [ROW]})
    (row,) = ComVE().load(split)
    assert row.references == ("Stones are solid.", "nobody can", "It hurts")
    assert (row.id, row.target) == (f"{split}-0", "choice2 because stones are solid.")


def test_labels_out_of_range_are_refused(invented):
    invented("comve", test=[ROW | {"label": 2}])
    with pytest.raises(BadInput, match="comve test-0: label must be 0 or 1; got 2"):
        ComVE().load("test")


def test_real_episodes_have_the_sizes_of_the_benchmark(real):
    real("comve")
    task = ComVE()
    assert len(task.load("train")) == 3 * 600
    episode = task.episode(0)
    assert Counter(row.label for row in episode.train) == {"choice1": 24, "choice2": 24}
    assert Counter(row.label for row in episode.dev) == {"choice1": 175, "choice2": 175}
    assert all(len(row.references) == 1 for row in episode.train)
    assert all(len(row.references) == 3 for row in episode.dev)
