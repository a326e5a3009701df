"""Seeds in two groups, skewed seeds: what is seen, and limits that answer it."""

import numpy as np
import pytest
from scipy import special

from peftcore.analysis import few_seeds


@pytest.mark.parametrize(
    ("values", "floor", "expected"),
    [
        ([0.8, 0.82, 0.79, 0.81, 0.3], 0.01, (4, 5, 0.5)),
        ([100, 100, 100, 100, 0], 1.0, (4, 5, 50)),
        ([3.1, 3.2, 2.9, 9.5], 0.0, (1, 4, 6)),
        ([0.2, 0.21, 0.22, 0.9, 0.91, 0.89, 0.92, 0.9], 0.0, (5, 8, 0.6)),
    ],
)
def test_two_groups_are_seen_and_counted(values, floor, expected):
    found = few_seeds.find_groups(np.array(values, dtype=float), floor)
    assert (found.above, found.n, found.threshold) == expected


@pytest.mark.parametrize(
    ("values", "floor"),
    [
        ([0.8, 0.82, 0.79, 0.81, 0.85], 0.0),
        ([0.8, 0.8, 0.8, 0.805], 0.01),  # one answer of 200 more
        ([0.5, 0.5, 0.5, 0.5], 0.0),
        ([0.1, 0.9], 0.0),
        ([0.1, np.nan, 0.9, np.inf], 0.0),
    ],
)
def test_spread_is_no_second_group(values, floor):
    assert few_seeds.find_groups(np.array(values), floor) is None


@pytest.mark.parametrize("n", [3, 4, 5, 8, 20])
def test_two_groups_are_seen_in_one_normal_sample_of_twenty(n):
    samples = np.random.default_rng(100 + n).normal(size=(2000, n))
    alarms = sum(few_seeds.find_groups(sample) is not None for sample in samples)
    assert alarms / 2000 == pytest.approx(few_seeds.FALSE_ALARM, abs=0.015)


@pytest.mark.parametrize(("seeds", "seen"), [(4, 0.95), (5, 0.95), (8, 0.95)])
def test_a_seed_that_fails_outright_is_seen(seeds, seen):
    rng = np.random.default_rng(seeds)
    samples = rng.normal(0.85, 0.01, size=(500, seeds))
    samples[:, 0] = rng.normal(0.33, 0.01, size=500)
    found = sum(few_seeds.find_groups(sample) is not None for sample in samples)
    assert found / 500 > seen


def test_the_number_between_has_as_few_digits_as_can_be():
    between = few_seeds.round_between
    assert (between(0.31, 0.84), between(0, 100), between(0.711, 0.7124)) == (0.6, 50, 0.712)


def test_limits_without_skewness_are_students():
    t = special.stdtrit(4, 0.975)
    assert few_seeds.mean_limits(1.0, 0.1, 4) == pytest.approx((1 - 0.1 * t, 1 + 0.1 * t))


def test_limits_reach_further_on_the_side_of_the_longer_tail_within_bounds():
    t = special.stdtrit(4, 0.975)
    low, high = few_seeds.mean_limits(0.0, 1.0, 4, -0.1)
    assert high == pytest.approx(t)
    assert -few_seeds.LONGEST * t < low < -t
    assert few_seeds.mean_limits(0.0, 1.0, 4, -0.6)[0] == pytest.approx(-few_seeds.LONGEST * t)


@pytest.mark.parametrize("skewness", [-0.6, -0.1, 0.0, 0.05, 0.4])
def test_an_error_without_skew_lies_at_students_quantile_where_limits_end(skewness):
    t = special.stdtrit(7, 0.975)
    low, high = few_seeds.mean_limits(0.0, 1.0, 7, skewness)
    assert few_seeds.without_skew(-low, skewness) == pytest.approx(t)
    assert few_seeds.without_skew(-high, skewness) == pytest.approx(-t)


def test_skewness_of_a_mean_is_that_of_its_values_over_the_root_of_their_number():
    from scipy import stats

    values = np.random.default_rng(0).gamma(2.0, size=9)
    assert few_seeds.skewness_of_mean(values) == pytest.approx(stats.skew(values) / 3)
    assert few_seeds.skewness_of_mean(values[:3]) == 0


@pytest.mark.parametrize(
    ("seeds", "apart", "seen"), [(5, 10, 0.76), (8, 10, 0.99), (5, 5, 0.23), (8, 5, 0.41)]
)
def test_groups_are_seen_as_often_as_the_readme_says(seeds, apart, seen):
    """One seed in five fails, at least one, by so many spreads."""
    rng = np.random.default_rng(10 * seeds + apart)
    failing = rng.random((1500, seeds)) < 0.2
    failing[:, 0], failing[:, 1] = True, False
    samples = rng.normal(size=failing.shape) - apart * failing
    found = [few_seeds.find_groups(sample) is not None for sample in samples]
    assert np.mean(found) == pytest.approx(seen, abs=0.03)


def test_a_threshold_of_zero_has_no_sign():
    assert f"{few_seeds.round_between(-0.3, 0.2):g}" == "0"


def test_few_seeds_widen_an_error_and_many_do_not():
    factors = [few_seeds.widening(n) for n in (3, 4, 5, 8, 20, 60)]
    assert factors == sorted(factors, reverse=True)
    assert factors[2:] == pytest.approx([1.345, 1.1725, 1.0, 1.0])


def test_a_difference_is_as_skewed_as_its_runs_vary_unlike_each_other():
    rng = np.random.default_rng(0)
    wide, wide_too, still = rng.normal(size=500), rng.normal(size=500), 0.01 * rng.normal(size=500)
    assert few_seeds.lean_of_difference(wide, wide_too) < 0.1
    assert few_seeds.lean_of_difference(wide, still) > 0.99
    assert few_seeds.lean_of_difference(still * 0, still * 0) == 0.0
