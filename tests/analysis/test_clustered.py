"""Limits of verdicts that go together by example and by rater."""

import numpy as np
import pytest

from peftcore.analysis import clustered, inference
from peftcore.analysis.clustered import ClusteredError, Clusters
from peftcore.analysis.inference import SeedItemTable


def test_ten_raters_count_as_seeds_do_in_a_table_of_runs():
    """Over a full table of examples and raters an error is the two-way one of `inference`."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 1)) / 3 + rng.normal(size=30) / 3 + rng.normal(size=(12, 30)) / 9
    clusters = Clusters(*(index.ravel() for index in np.indices((30, 12))))
    found = clustered.clustered_error(((values.T - values.mean()) / values.size).ravel(), clusters)
    table = SeedItemTable(tuple(range(12)), tuple(map(str, range(30))), values[..., None])
    squares, freedoms = inference._mean_squares(values, None)
    plain = (squares[0] + squares[1] - squares[2]) / values.size
    assert found.error**2 == pytest.approx(plain)
    assert found.freedom < sum(freedoms)
    assert inference.estimate(table).mean == pytest.approx(values.mean())


def test_verdicts_on_one_example_count_as_one():
    """Every verdict given three times over: the error is that of one of each."""
    parts = np.array([0.3, -0.1, -0.2])
    single = clustered.clustered_error(parts, Clusters.of("abc", "xyz"))
    thrice = clustered.clustered_error(np.repeat(parts / 3, 3), Clusters.of("aaabbbccc", "xyz" * 3))
    assert thrice.error == pytest.approx(single.error)
    assert single.error == pytest.approx(np.sqrt(3 / 2 * 0.14))
    assert (single.freedom, single.examples) == (2.0, 3)


def test_clusters_number_names_in_the_order_they_come():
    clusters = Clusters.of(["b", "a", "b"], [7, 7, 8])
    assert clusters.examples.tolist() == [0, 1, 0]
    assert clusters.counts == (2, 2)


@pytest.mark.parametrize(
    ("error", "limits"),
    [
        (ClusteredError(0.2, 4.0, 1), (None, None, clustered.ONE_EXAMPLE)),
        (ClusteredError(0.0, 4.0, 5), (None, None, clustered.NO_SPREAD)),
    ],
)
def test_limits_that_cannot_be_say_why(error, limits):
    assert error.mean_limits(0.5, (0.0, 1.0)) == limits
    assert error.estimate(0.5).error is None


def test_limits_of_a_mean_end_where_values_do():
    low, high, reason = ClusteredError(0.5, 3.0, 4).mean_limits(0.9, (0.0, 1.0))
    assert (low, high, reason) == (0.0, 1.0, "")


def test_a_unanimous_handful_keeps_the_width_of_its_examples():
    """Wilson's limits of 1 by five examples, at the t quantile of four degrees of freedom."""
    low, high, _ = ClusteredError(0.0, 4.0, 5).share_limits(1.0)
    quantile = 2.7764451
    assert high == 1.0
    assert low == pytest.approx(5 / (5 + quantile**2), abs=1e-6)


def test_wilson_limits_are_those_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    found = clustered.wilson_limits(0.3, 40, 1.959963985)
    assert found == pytest.approx(proportion_confint(12, 40, method="wilson"), abs=1e-8)


def test_what_both_ways_share_is_never_taken_away_below_itself():
    found = clustered.two_way_error((0.01, 0.01), 0.05, (10, 10))
    assert found.error == pytest.approx(np.sqrt(0.05))
    nothing = clustered.two_way_error((0.0, 0.0), 0.0, (10, 12))
    assert (nothing.error, nothing.freedom) == (0.0, 9.0)
