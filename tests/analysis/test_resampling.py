"""Resampling, against scipy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from peftcore.analysis import resampling


def test_limits_of_a_mean_are_those_of_scipys_bootstrap():
    values = np.random.default_rng(0).gamma(2.0, size=40)
    draws = resampling.draw_counts(40, 20_000, np.random.default_rng(1)) @ values / 40
    low, high, reason = resampling.interval_limits(draws)
    known = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000,
        rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert (low, high) == pytest.approx((known.low, known.high), rel=0.01)
    assert reason == ""


def test_too_few_resamples_with_a_value_have_no_limits():
    values = np.array([1.0, 2.0, np.nan, np.nan, np.nan])
    assert resampling.interval_limits(values) == (None, None, resampling.NO_VALUE)
