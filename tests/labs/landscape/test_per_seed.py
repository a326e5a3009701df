"""Flatness and validation of every seed."""

import pytest
from support.landscape_runs import done


def test_flatness_of_every_seed(runs):
    run = runs["simplex"]
    found = done("flatness", run.id, examples=0).measures()
    wide = found.pivot_table(index="measure", columns="seed", values="value")
    assert list(wide.columns) == [0, 1]
    for seed in (0, 1):
        assert wide[seed]["loss"] == pytest.approx(run.status().seeds[seed]["best_dev"], abs=2e-5)
        assert wide[seed]["bowl"] == pytest.approx(wide[seed]["vertices"] - wide[seed]["loss"])
        assert wide[seed]["worst rise"] >= wide[seed]["rise"]
        assert wide[seed]["variance"] > 0
        assert wide[seed]["barrier"] >= 0


def test_validation_estimates_at_every_kept_step(runs):
    run = runs["simplex"]
    found = done("validation", run.id, examples=3).measures()
    points = found[found["look"] == "points"]
    assert all(len(values) == 4 for values in points["values"])
    steps = found[found["look"] == "step"]
    assert sorted(set(steps["step"])) == run.intermediate_steps()
    assert steps[["stochastic", "centroid", "test_loss", "test_score"]].notna().to_numpy().all()
