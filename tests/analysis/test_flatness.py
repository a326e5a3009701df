import math

import numpy as np
import pytest

from peftcore.analysis import flatness


def test_sharpness_is_the_rise_from_the_centre():
    found = flatness.sharpness(2.0, [2.5, 3.0, 1.5])
    assert (found.mean, found.worst, found.directions) == (pytest.approx(1 / 3), 1.0, 3)


def top_eigenvalue(diagonal, start=None):
    """The eigenvalue and the products of a diagonal matrix from a fixed start."""
    values = np.asarray(diagonal, dtype=float)
    start = np.random.default_rng(0).standard_normal(len(values)) if start is None else start
    return flatness.top_eigenvalue(lambda vector: values * vector, start)


def test_the_top_eigenvalue_is_the_largest_by_size_with_its_sign():
    value, products = top_eigenvalue([1.0, -5.0, 2.0])
    assert value == pytest.approx(-5.0, rel=1e-6)
    assert products <= 9


def test_nine_products_are_within_a_percent_where_one_eigenvalue_stands_out():
    values = np.linspace(0, 1, 2000)
    values[7] = 3.0
    value, products = top_eigenvalue(values)
    assert value == pytest.approx(3.0, rel=0.01)
    assert products == 9


def test_where_no_eigenvalue_stands_out_the_budget_still_gives_nine_tenths_of_it():
    rows = np.random.default_rng(1).standard_normal((300, 300))
    matrix = (rows + rows.T) / 2
    exact = np.linalg.eigvalsh(matrix)
    largest = exact[np.abs(exact).argmax()]
    value, products = flatness.top_eigenvalue(lambda v: matrix @ v, np.ones(300))
    assert abs(value) == pytest.approx(abs(largest), rel=0.1)
    assert products <= 17


def test_the_same_start_gives_the_same_digits():
    values = np.linspace(0, 1, 500)
    assert top_eigenvalue(values) == top_eigenvalue(values)


def test_a_multiple_zeros_and_nonsense_have_an_answer():
    assert top_eigenvalue([3.0] * 4, np.ones(4))[0] == pytest.approx(3.0)
    assert top_eigenvalue([0.0] * 4, np.ones(4)) == (0.0, 1)
    value, products = top_eigenvalue([math.nan] * 4, np.ones(4))
    assert math.isnan(value)
    assert products == 1


def test_a_bowl_has_its_centroid_below_its_vertices():
    # x² at −1, 0 and 4: the vertices' mean is 17/3, the centroid 1 has loss 1.
    assert flatness.convexity(1.0, [1.0, 0.0, 16.0]) == pytest.approx(14 / 3)


def test_means_of_more_independent_copies_vary_less():
    copies = np.random.default_rng(0).normal(size=4000)
    table = flatness.error_by_copies(copies, [1, 4, 16, 3000])
    assert table["R"].tolist() == [1, 4, 16]  # one group of 3000 says nothing
    assert table["groups"].tolist() == [4000, 1000, 250]
    assert list(table["expected"]) == pytest.approx([1.0, 0.5, 0.25], rel=0.05)
    assert list(table["error"]) == pytest.approx(list(table["expected"]), rel=0.1)


def test_copies_that_depend_on_each_other_disagree_with_what_independent_ones_give():
    together = np.repeat([0.0, 2.0, 1.0, 4.0], 10)
    table = flatness.error_by_copies(together, [5])
    assert table["error"][0] > 2 * table["expected"][0]


def test_rank_agreement_counts_pairs_in_the_same_order():
    # Of six pairs five agree and one does not: (5 − 1) / 6.
    assert flatness.kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(4 / 6)
    assert flatness.kendall_tau([1, 2, math.nan], [1, 2, 3]) is None
    assert flatness.kendall_tau([1, 1, 1], [1, 2, 3]) is None


def test_correlation_over_runs_leaves_out_whole_runs():
    x, y = list(range(24)), list(range(24))
    runs = [f"run {n // 2}" for n in range(24)]
    found = flatness.rank_correlation(x, y, runs)
    assert (found.value, found.n) == (pytest.approx(1.0), 24)
    assert found.low is None  # a perfect order has no spread
    mixed = np.random.default_rng(0).permutation(24) + 2.0 * np.arange(24)
    noisy = flatness.rank_correlation(x, list(mixed), runs)
    assert 0 < noisy.low < noisy.value < noisy.high <= 1


def test_a_correlation_of_few_runs_has_no_interval():
    found = flatness.rank_correlation([1, 2, 3, 4], [1, 2, 3, 5], ["a", "a", "b", "b"])
    assert (found.value, found.low, found.high) == (pytest.approx(1.0), None, None)
    assert flatness.rank_correlation([1, 2], [1, 2]).value is None


def test_spread_is_mean_and_variance():
    assert flatness.mean_and_variance([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert math.isnan(flatness.mean_and_variance([1.0])[1])
