"""Grids of subsets: means by hand, pairs by seed, layers against all of them."""

import pandas as pd
import pytest

from peftcore.analysis import subsets


def table(**scores):
    rows = [
        {
            "name": name,
            "seed": seed,
            "accuracy": value,
            "trainable": 10,
            "way": "",
            "stack": "",
            "layer": -1,
        }
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_a_grid_has_a_row_for_every_subset_and_metric():
    found = subsets.subset_scores(table(a=[0.2, 0.4], b=[0.5, 0.5]), ["accuracy", "broken"])
    assert found[["name", "metric"]].values.tolist() == [
        ["a", "accuracy"],
        ["a", "broken"],
        ["b", "accuracy"],
        ["b", "broken"],
    ]
    assert found["mean"].iloc[0] == pytest.approx(0.3)
    assert (found["n"].tolist(), found["mean"].isna().tolist()) == ([2, 0, 2, 0], [False, True] * 2)


def test_layers_are_differences_from_the_whole():
    made = table(whole=[0.8, 0.6], one=[0.5, 0.3], rest=[0.7, 0.5])
    made.loc[made.name == "one", ["way", "stack", "layer"]] = ["alone", "encoder", 0]
    made.loc[made.name == "rest", ["way", "stack", "layer"]] = ["without", "encoder", 0]
    found = subsets.layer_effects(made, "accuracy", "whole")
    assert found["way"].tolist() == ["alone", "without"]
    assert found["difference"].tolist() == pytest.approx([-0.3, -0.1])
    assert found["mean"].tolist() == pytest.approx([0.4, 0.6])
