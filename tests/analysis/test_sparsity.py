"""Measures of sparsity against numbers worked out by hand."""

import math

import numpy as np
import pytest

from peftcore.analysis import sparsity

CODES = [[0.0, 3.0, 0.0, -4.0], [0.0, 0.0, 0.0, 2.0]]  # two positions, four atoms


def test_only_exact_zeros_count():
    assert sparsity.zero_fraction(CODES) == 5 / 8
    assert sparsity.zero_fraction([[1e-30, 0.0]]) == 0.5
    assert sparsity.mean_l0(CODES) == 1.5


def test_nothing_measured_is_no_number():
    assert math.isnan(sparsity.zero_fraction(np.empty((0, 4))))
    assert math.isnan(sparsity.mean_l0(np.empty((0, 4))))
    assert math.isnan(sparsity.mean_hoyer([[0.0, 0.0]]))
    assert math.isnan(sparsity.effective_number([0.0, 0.0]))
    assert math.isnan(sparsity.gini([0.0, 0.0]))


def test_hoyer_by_hand():
    # (2 - 7 / 5) / (2 - 1) for the first row, a single entry in the second.
    assert sparsity.hoyer(CODES) == pytest.approx([0.6, 1.0])
    assert sparsity.hoyer([[1.0, -1.0, 1.0, 1.0]]) == pytest.approx([0.0])
    assert sparsity.mean_hoyer([*CODES, [0.0] * 4]) == pytest.approx(0.8)


def test_hoyer_has_nothing_to_say_of_one_atom():
    assert np.isnan(sparsity.hoyer([[2.0]])).all()


def test_lorenz_by_hand():
    x, y = sparsity.lorenz([3.0, 1.0, 0.0, 4.0])
    assert x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert y.tolist() == [0, 0, 0.125, 0.5, 1]


def test_gini_by_hand():
    # Area below the curve of 0, 1, 3, 4 of 8: (0 + 1 + 5 + 12) / 8 / 8 = 18/64, twice below: 9/16.
    assert sparsity.gini([3.0, 1.0, 0.0, 4.0]) == pytest.approx(1 - 2 * 0.28125)
    assert sparsity.gini([2.0, 2.0, 2.0]) == pytest.approx(0)
    assert sparsity.gini([0.0, 0.0, 0.0, 5.0]) == pytest.approx(3 / 4)


def test_gini_equals_the_mean_difference_over_twice_the_mean():
    weights = np.random.default_rng(0).exponential(size=9)
    gaps = np.abs(weights[:, None] - weights[None]).mean()
    assert sparsity.gini(weights) == pytest.approx(gaps / (2 * weights.mean()))


def test_effective_number_by_hand():
    assert sparsity.effective_number([1.0, 1.0, 1.0]) == pytest.approx(3)
    assert sparsity.effective_number([0.0, 7.0]) == pytest.approx(1)
    assert sparsity.effective_number([3.0, 1.0]) == pytest.approx(16 / 10)


def test_usage_tells_dead_atoms_and_those_always_on():
    assert sparsity.atom_usage(CODES).tolist() == [0, 0.5, 0, 1]
    assert sparsity.atom_usage([CODES, CODES]).tolist() == [0, 0.5, 0, 1]


def test_importance_is_mean_size_times_length():
    assert sparsity.atom_importance(CODES, [9.0, 2.0, 1.0, 0.5]).tolist() == [0, 3, 0, 1.5]


def test_rank_and_kept():
    order = sparsity.rank_atoms([0.1, 3.0, 0.1, 5.0])
    assert order.tolist() == [3, 1, 0, 2]
    assert sparsity.kept_mask(order, 2).tolist() == [False, True, False, True]
    assert not sparsity.kept_mask(order, 0).any()
    assert sparsity.kept_mask(order, 4).all()


def test_random_orders_are_whole_and_differ_between_draws_and_seeds():
    orders = [sparsity.shuffle_atoms(40, d, s).tolist() for d in range(3) for s in range(3)]
    assert all(sorted(order) == list(range(40)) for order in orders)
    assert len({tuple(order) for order in orders}) == 9
    assert orders[4] == sparsity.shuffle_atoms(40, 1, 1).tolist()


def test_counts_run_from_none_to_all():
    assert sparsity.pruning_counts(1) == [0, 1]
    assert sparsity.pruning_counts(8) == [0, 1, 2, 4, 8]
    assert sparsity.pruning_counts(10) == [0, 1, 2, 4, 8, 10]


def test_draws_are_averaged_within_a_seed_first():
    found = sparsity.interval_over_seeds([[1.0, 3.0], [3.0, 5.0]])
    assert (found.mean, found.n) == (3.0, 2)
    # Two seeds at 2 and 4: standard error 1, t with one degree of freedom is 12.706, and for two
    # seeds 1 + 2.3 (1/2 - 1/20) = 2.035 times as much.
    assert found.high - found.mean == pytest.approx(2.035 * 12.7062, abs=1e-3)


def test_the_summary_of_one_adapter():
    found = sparsity.summarize_sparsity(0.5, 1.5, 0.8, [0.0, 0.5, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0])
    assert (found.dead, found.always, found.atoms) == (1, 2, 4)
    assert found.effective == pytest.approx(16 / 6)
    assert found.gini == pytest.approx(0.375)


def test_atoms_that_were_not_tried_come_after_those_that_were():
    importance = np.array([5.0, 1.0, 4.0, 3.0, 2.0])
    filled = sparsity.fill_untried(np.array([0.2, -0.4]), np.array([0, 2]), importance)
    assert filled[[0, 2]].tolist() == [0.2, -0.4]
    assert sparsity.rank_atoms(filled).tolist() == [0, 2, 3, 4, 1]
    whole = sparsity.fill_untried(np.arange(5.0), np.arange(5), importance)
    assert whole.tolist() == [0, 1, 2, 3, 4]
