"""How simulated seeds spread."""

import numpy as np
import pytest

from peftcore.analysis.coverage import shapes
from peftcore.analysis.coverage.shapes import Case
from peftcore.analysis.few_seeds import MANY_SEEDS


def drawn(shape, n=200_000, drop=10.0, spread=0.3):
    return shapes.draw_seeds(np.random.default_rng(0), Case(shape, 5, spread=spread), drop, n)


@pytest.mark.parametrize("shape", ["normal", "skewed", "strongly skewed"])
def test_seeds_that_all_learn_have_mean_zero_and_the_spread_of_the_case(shape):
    effects = drawn(shape)
    assert effects.mean() == pytest.approx(0, abs=0.005)
    assert effects.std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize(("shape", "skewness"), [("skewed", -1.41), ("strongly skewed", -2.0)])
def test_skewed_seeds_have_their_long_tail_below(shape, skewness):
    effects = drawn(shape)
    assert ((effects / effects.std()) ** 3).mean() == pytest.approx(skewness, abs=0.1)


def test_one_seed_in_five_fails_by_the_whole_drop():
    effects = drawn("two groups")
    failed = effects < -5
    assert failed.mean() == pytest.approx(shapes.FAILING, abs=0.005)
    assert effects[failed].mean() == pytest.approx(-10, abs=0.05)


def test_as_many_are_drawn_as_the_case_has_unless_told_otherwise():
    rng = np.random.default_rng(0)
    assert shapes.draw_seeds(rng, Case("normal", 7), 1.0).shape == (7,)
    assert shapes.draw_seeds(rng, Case("normal", 7), 1.0, 3).shape == (3,)


def test_a_truth_is_the_same_each_time_and_few_seeds_speak_of_those_that_learn():
    few, many = Case("two groups", MANY_SEEDS - 1), Case("two groups", MANY_SEEDS)
    assert (shapes.seeds_of_truth(few, 10.0) == shapes.seeds_of_truth(few, 10.0)).all()
    assert shapes.seeds_of_truth(few, 10.0).mean() == pytest.approx(0, abs=0.01)
    assert shapes.seeds_of_truth(many, 10.0).mean() == pytest.approx(-2, abs=0.1)
