"""Flatness of the loss around an adapter, and statistics of random points of a simplex.

Every measure is taken for one seed; intervals over seeds are `comparison.interval`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sharpness:
    """Rise of the loss at a given distance from an adapter: mean, largest, and of how many."""

    mean: float  # over the directions that were tried
    worst: float
    directions: int


def sharpness(centre: float, around: Sequence[float]) -> Sharpness:
    """Summarise the rises from the loss at the centre to losses at points around it."""
    rises = np.array(around, dtype=float) - centre
    return Sharpness(float(rises.mean()), float(rises.max()), len(rises))


def top_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, iterations: int = 12, close: float = 1e-3
) -> tuple[float, int]:
    """Return the largest eigenvalue by size of a symmetric matrix, and the products it took.

    The matrix (d, d) is known only by `product`, which multiplies it with a vector (d,); `start` is
    the first vector. Lanczos' power iteration keeps all vectors, the best estimate that so many
    products allow, and stops when the estimate changes by less than a share `close`.
    """
    vector = start / start.norm()
    basis: list[Tensor] = []
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    value = 0.0
    for done in range(1, iterations + 1):
        basis.append(vector)
        image = product(vector)
        diagonal.append(float(vector @ image))
        for _ in range(2):  # twice: rounding leaves the first result not quite orthogonal
            for other in basis:
                image = image - (other @ image) * other
        length = float(image.norm())
        if not (math.isfinite(length) and math.isfinite(diagonal[-1])):
            return math.nan, done
        eigenvalues = np.linalg.eigvalsh(
            np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1)
        )
        before, value = value, float(eigenvalues[np.abs(eigenvalues).argmax()])
        small = length <= 1e-6 * max(abs(value), 1e-12)
        if small or (done > 2 and abs(value - before) <= close * abs(value)):
            return value, done
        off_diagonal.append(length)
        vector = image / length
    return value, iterations


def convexity(centroid: float, vertices: Sequence[float]) -> float:
    """Return mean loss of the vertices less that of the centroid: positive in a bowl."""
    return float(np.mean(vertices)) - centroid


def error_by_copies(
    copies: Sequence[float], sizes: Sequence[int], resamples: int = 400
) -> pd.DataFrame:
    """Estimate how far the mean of R validation copies strays from the mean of all.

    Columns R, error (standard deviation of the mean of R copies sampled with replacement) and
    expected (that of one copy over √R, what independent copies give).
    """
    values = np.array(copies, dtype=float)
    rng = np.random.default_rng(0)
    rows = []
    for size in sizes:
        means = rng.choice(values, (resamples, size)).mean(1)
        rows.append((size, float(means.std()), float(values.std() / math.sqrt(size))))
    return pd.DataFrame(rows, columns=["R", "error", "expected"])


@dataclass(frozen=True)
class RankCorrelation:
    """A rank correlation of n pairs with its 95 % interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def kendall_tau(estimate: Sequence[float], target: Sequence[float]) -> float | None:
    """Return Kendall's tau-b; None for fewer than three pairs or where one never varies."""
    one, other = _finite_pairs(estimate, target)
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(stats.kendalltau(one, other).statistic)


def rank_correlation(
    x: Sequence[float],
    y: Sequence[float],
    groups: Sequence[str] | None = None,
    resamples: int = 2000,
) -> RankCorrelation:
    """Return Spearman's rank correlation with a bootstrap interval over groups, or pairs.

    Seeds of one run are not independent of each other, so whole groups (runs) are resampled.
    """
    one, other = np.array(x, dtype=float), np.array(y, dtype=float)
    known = np.isfinite(one) & np.isfinite(other)
    names = np.array(list(groups) if groups is not None else range(len(one)), dtype=object)[known]
    one, other = one[known], other[known]
    value = _spearman(one, other)
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
    if value is None or len(members) < 4:  # fewer groups cannot carry an interval
        return RankCorrelation(value, None, None, len(one))
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(resamples):
        picked = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        resampled_value = _spearman(one[picked], other[picked])
        if resampled_value is not None:
            resampled.append(resampled_value)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return RankCorrelation(value, float(low), float(high), len(one))


def _spearman(one: Array, other: Array) -> float | None:
    """Return Spearman's correlation; None for fewer than three pairs or a constant."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(stats.spearmanr(one, other).statistic)


def _finite_pairs(x: Sequence[float], y: Sequence[float]) -> tuple[Array, Array]:
    """Return the pairs in which both values are finite."""
    one, other = np.array(x, dtype=float), np.array(y, dtype=float)
    known = np.isfinite(one) & np.isfinite(other)
    return one[known], other[known]


def mean_and_variance(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and variance (n − 1) of losses at random points of a simplex."""
    if len(values) < 2:
        return fmean(values), math.nan
    return float(np.mean(values)), float(np.var(values, ddof=1))
