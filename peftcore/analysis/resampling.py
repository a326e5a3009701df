"""Resampling that every interval by bootstrap shares: draws of units, limits, safe ratios."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

LEVEL = 0.95
NO_VALUE = "no interval: in most resamples there is no value"


def draw_counts(n: int, resamples: int, rng: np.random.Generator) -> Array:
    """Return how often each of n units is sampled in n draws with replacement, (b, n)."""
    if n == 0:
        return np.zeros((resamples, 0))
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def interval_limits(
    values: Array, reason: str = NO_VALUE
) -> tuple[float | None, float | None, str]:
    """Return the middle 95 % of the resamples in which there is a value, or why there are none."""
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:
        return None, None, reason
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high), ""


def safe_ratio(above: Array, below: Array, empty: float = np.nan) -> Array:
    """Divide, with `empty` where the divisor is zero; sums of chances have rounding errors."""
    some = np.abs(below) > 1e-12
    return np.where(some, above / np.where(some, below, 1.0), empty)
