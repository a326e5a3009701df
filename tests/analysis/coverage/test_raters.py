"""The truths that simulated verdicts are compared with, by counting what is drawn."""

import numpy as np
import pytest

from peftcore.analysis.coverage import raters
from peftcore.analysis.coverage.shapes import Case


def verdicts(people, examples=4000):
    rng = np.random.default_rng(0)
    quality = rng.normal(0, raters.EXAMPLE_SPREAD, examples)
    return raters._verdicts(rng, np.array(people), quality)


def test_a_mean_chance_is_the_share_of_good_verdicts_that_are_drawn():
    people = (-0.5, 0.0, 0.7)
    found = verdicts(people).groupby("method")["score"].mean()
    assert found["first"] == pytest.approx(raters._mean_chance(0.0, people), abs=0.015)
    assert found["second"] == pytest.approx(raters._mean_chance(raters.BETTER, people), abs=0.015)


def test_leniency_is_the_first_rater_s_share_above_the_others():
    people = (0.9, 0.0, -0.3)
    found = verdicts(people).groupby("rater")["score"].mean()
    gap = found["0"] - found[["1", "2"]].mean()
    assert raters._true_leniency(np.array(people)) == pytest.approx(gap, abs=0.02)


@pytest.mark.parametrize("measure", ["Fleiss' kappa", "Uniform kappa (Randolph)"])
def test_raters_who_are_alike_agree_beyond_chance_as_far_as_examples_differ(measure):
    rows = verdicts((0.0, 0.0, 0.0))
    rows = rows[rows["method"] == "first"]
    table = rows.pivot(index="item", columns="rater", values="score").to_numpy()
    pairs = np.mean([(table[:, a] == table[:, b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))])
    yes = table.mean()
    chance = 0.5 if "Uniform" in measure else yes**2 + (1 - yes) ** 2
    expected = (pairs - chance) / (1 - chance)
    found = raters._true_agreement(measure, (0.0, 0.0, 0.0), 3, True)
    assert found == pytest.approx(expected, abs=0.03)


def test_an_interval_that_is_not_printed_is_no_miss():
    assert raters._holds(None, 1.0, 0.5) is None
    assert raters._holds(0.1, float("nan"), 0.5) is None
    assert raters._holds(0.1, 0.4, 0.5) is False
    assert raters._holds(0.1, 0.6, 0.5) is True


@pytest.mark.parametrize("quantity", ["score", "difference", "leniency", "share", "strength"])
def test_most_intervals_of_a_small_case_hold_the_truth(quantity):
    rng = np.random.default_rng(0)
    found = [raters.rating_trial(rng, Case("normal", 4, 40), quantity) for _ in range(12)]
    assert sum(each is True for each in found) >= 9
