"""Probabilities of being on a Pareto front."""

import numpy as np
import pytest

from peftcore.analysis import fronts
from peftcore.analysis.inference import SeedItemTable


def table(mean, seeds=6, items=50, number=0):
    rng = np.random.default_rng(number)
    values = mean + rng.normal(0, 0.1, (seeds, items)) + rng.normal(0, 0.02, (seeds, 1))
    return SeedItemTable(tuple(range(seeds)), tuple(map(str, range(items))), values[..., None])


def test_a_dominated_run_is_never_on_the_front_and_a_cheaper_one_always():
    drawn = fronts.draw_means({"a": table(0.9), "b": table(0.5, number=1), "c": table(0.1)})
    found = fronts.chances_on_front(fronts.stack(drawn, ["a", "b", "c"]), np.array([10.0, 20, 1]))
    assert found.tolist() == [1, 0, 1]


def test_equal_runs_share_the_front():
    one = table(0.5)
    values = one.statistics + np.random.default_rng(9).normal(0, 0.3, one.statistics.shape)
    other = SeedItemTable(one.seeds, one.items, values - values.mean() + one.statistics.mean())
    drawn = fronts.draw_means({"a": one, "b": other})
    found = fronts.chances_on_front(fronts.stack(drawn, ["a", "b"]), np.array([5.0, 5.0]))
    assert found.sum() == pytest.approx(1)
    assert 0.4 < found[0] < 0.6


def test_draws_have_the_standard_error_of_the_mean():
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (40, 1)) + np.zeros((40, 30))  # only seeds vary
    made = SeedItemTable(tuple(range(40)), tuple(map(str, range(30))), values[..., None])
    drawn = fronts.draw_means({"a": made}, draws=4000)["a"]
    assert drawn.std() == pytest.approx(values[:, 0].std(ddof=1) / 40**0.5, rel=0.05)


def test_items_count_for_the_task_alone():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (1, 60)) + np.zeros((5, 60))  # only items vary
    made = {"a": SeedItemTable(tuple(range(5)), tuple(map(str, range(60))), values[..., None])}
    assert fronts.draw_means(made, "these examples")["a"].std() == pytest.approx(0, abs=1e-12)
    assert fronts.draw_means(made)["a"].std() > 0.05


def test_a_run_without_values_is_not_on_the_front():
    gains = fronts.stack({"a": np.array([0.5, 0.6])}, ["a", "b"])
    assert fronts.chances_on_front(gains, np.array([1.0, 0.0])).tolist() == [1, 0]
