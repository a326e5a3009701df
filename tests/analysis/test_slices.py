"""Differences on parts of the test examples."""

import numpy as np
import pandas as pd
import pytest

from peftcore.analysis import inference, slices
from peftcore.analysis.inference import SeedItemTable


@pytest.fixture
def examples():
    texts = [" ".join(["the", "cat" if n % 2 else "dog"] + ["word"] * (n % 9)) for n in range(60)]
    labels = ["yes" if n % 3 else "no" for n in range(60)]
    return pd.DataFrame({"example": [f"i{n}" for n in range(60)], "source": texts, "label": labels})


def tables(examples, gain):
    rng = np.random.default_rng(0)
    items, wins = tuple(examples["example"]), examples["label"].eq("yes").to_numpy()
    first = (rng.random((5, 60)) < 0.5).astype(float)
    second = np.where(wins & (rng.random((5, 60)) < gain), 1.0, first)
    return [SeedItemTable(tuple(range(5)), items, each[..., None]) for each in (first, second)]


def test_labels_thirds_of_the_length_and_words_are_found(examples):
    found = slices.find_slices(examples)
    by_kind = {kind: [s for s in found if s.kind == kind] for kind in ("Label", "Length", "Word")}
    assert [s.name for s in by_kind["Label"]] == ["no", "yes"]
    assert [len(s.items) for s in by_kind["Label"]] == [20, 40]
    lengths = [len(s.items) for s in by_kind["Length"]]
    assert sum(lengths) == 60
    assert len(lengths) == 3
    names = [s.name for s in by_kind["Word"]]
    assert set(names[:2]) == {"cat", "dog"}
    assert "the" not in names  # it is in all of them


def test_words_of_the_reader_come_instead(examples):
    found = [s for s in slices.find_slices(examples, ["Cat", "zebra"]) if s.kind == "Word"]
    assert [(s.name, len(s.items)) for s in found] == [("Cat", 30), ("zebra", 0)]


def test_the_slice_that_gained_is_ahead_and_the_other_is_equal(examples):
    first, second = tables(examples, 0.9)
    parts = [s for s in slices.find_slices(examples) if s.kind == "Label"]
    found = slices.judge_slices(first, second, parts, "accuracy", 0.02).set_index("slice")
    assert found.loc["yes", "verdict"] == "ahead"
    assert found.loc["no", "verdict"] == "equal"
    assert found.loc["no", "difference"] == 0
    items = list(parts[1].items)
    alone = inference.estimate_difference(
        first.select(first.seeds, items), second.select(first.seeds, items)
    )
    assert found.loc["yes", ["low", "high"]].tolist() == pytest.approx([alone.low, alone.high])
    assert (found["holm"] >= found["p"]).all()


def test_a_slice_without_items_has_no_verdict(examples):
    first, second = tables(examples, 0.5)
    empty = [slices.Slice("Word", "zebra", ())]
    row = slices.judge_slices(first, second, empty, "accuracy", 0.02).iloc[0]
    assert row["verdict"] == "cannot tell"
    assert np.isnan(row["difference"])


def test_no_examples_have_no_slices():
    assert slices.find_slices(pd.DataFrame({"example": [], "source": [], "label": []})) == []


def test_examples_that_people_rated_are_split_by_whether_they_agreed(examples):
    agree = {f"i{n}": n % 2 == 0 for n in range(40)}
    found = {s.name: s.items for s in slices.find_slices(examples, (), agree) if s.kind == "Raters"}
    assert len(found["raters agree"]) == len(found["raters differ"]) == 20
    assert "i2" in found["raters agree"]
    few = {f"i{n}": True for n in range(slices.FEWEST_ITEMS - 1)}
    assert all(s.kind != "Raters" for s in slices.find_slices(examples, (), few))
