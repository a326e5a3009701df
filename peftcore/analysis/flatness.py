"""Measures how flat the loss is around an adapter, and how well random points estimate it.

Every measure is of one seed; intervals over seeds are computed by `comparison.interval`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

Array = NDArray[np.float64]
KRYLOV_VECTORS = 8  # ARPACK's first check comes after one product more
EIGENVALUE_TOLERANCE = 0.1  # residual over eigenvalue; the eigenvalue's own error is far smaller
CORRELATED_RUNS = 12  # fewer runs carry no interval
MAX_RESTARTS = 3  # so at most 17 products: 9, then 4 for each further check


@dataclass(frozen=True)
class Sharpness:
    """Rise of the loss at a given distance from an adapter: mean, largest, and of how many."""

    mean: float  # over the directions that were tried
    worst: float
    directions: int


def sharpness(centre: float, around: Sequence[float]) -> Sharpness:
    """Return the rise from the loss at the centre to losses at points around it."""
    rises = np.array(around, dtype=float) - centre
    return Sharpness(float(rises.mean()), float(rises.max()), len(rises))


def top_eigenvalue(product: Callable[[Array], Array], start: Array) -> tuple[float, int]:
    """Return the largest eigenvalue by size of a symmetric matrix, and the products it took.

    The matrix (n, n), n > 1, is known by its product with a vector (n,) alone, each costing a pass
    forward and two back, so Lanczos stops early.  start: vector (n,) that decides the result to the
    last digit.  nan if a product is not finite or 17 products are too few.
    """
    products, image = 0, np.zeros(0)

    def counted(vector: Array) -> Array:
        nonlocal products, image
        products, image = products + 1, product(vector.ravel())
        if not np.isfinite(image).all():
            raise FloatingPointError
        return image

    matrix = LinearOperator((len(start), len(start)), matvec=counted, dtype=np.float64)
    try:
        eigenvalues = eigsh(
            matrix,
            k=1,
            v0=start,
            ncv=min(KRYLOV_VECTORS, len(start)),
            tol=EIGENVALUE_TOLERANCE,
            maxiter=MAX_RESTARTS,
            return_eigenvectors=False,
            rng=np.random.default_rng(0),  # for new directions where the start spans too few
        )
    except (ArpackError, FloatingPointError):
        return (math.nan if image.any() else 0.0), products  # ARPACK refuses a matrix of zeros
    return float(eigenvalues[0]), products


def convexity(centroid: float, vertices: Sequence[float]) -> float:
    """Return the mean loss of the vertices less that of the centroid: above zero in a bowl."""
    return float(np.mean(vertices)) - centroid


def error_by_copies(copies: Sequence[float], sizes: Sequence[int]) -> pd.DataFrame:
    """Return how much the mean of R copies of the validation set varies from one R to the next.

    copies: loss of each copy, in the order of measurement.  Columns R, groups (of R copies, none in
    two groups; sizes that give fewer than two are left out), error (standard deviation of their
    means) and expected (that of one copy over √R, as if copies were independent of each other).
    """
    values = np.array(copies, dtype=float)
    rows = []
    for size in sizes:
        groups = len(values) // size
        if groups > 1:
            means = values[: groups * size].reshape(groups, size).mean(1)
            expected = float(values.std(ddof=1)) / math.sqrt(size)
            rows.append((size, groups, float(means.std(ddof=1)), expected))
    return pd.DataFrame(rows, columns=["R", "groups", "error", "expected"])


@dataclass(frozen=True)
class RankCorrelation:
    """A correlation with its 95 % interval, from n pairs; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def kendall_tau(estimate: Sequence[float], target: Sequence[float]) -> float | None:
    """Return Kendall's tau-b; None for fewer than three pairs or where one side never varies."""
    one, other = _finite_pairs(estimate, target)
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(stats.kendalltau(one, other).statistic)


def rank_correlation(
    x: Sequence[float], y: Sequence[float], groups: Sequence[str] | None = None
) -> RankCorrelation:
    """Return Spearman's rank correlation with 95 % limits over groups (runs), or pairs.

    Seeds of one run are not independent of each other, so whole groups are left out in turn; limits
    are those of Fisher's z, with the standard error of the jackknife. Fewer than twelve groups have
    none, nor has a perfect correlation.
    """
    one, other = np.array(x, dtype=float), np.array(y, dtype=float)
    known = np.isfinite(one) & np.isfinite(other)
    names = np.array(list(groups) if groups is not None else range(len(one)), dtype=object)[known]
    one, other = one[known], other[known]
    value = _spearman(one, other)
    members = list(dict.fromkeys(names.tolist()))
    n = len(members)
    if value is None or n < CORRELATED_RUNS:
        return RankCorrelation(value, None, None, len(one))
    without = [_spearman(one[names != name], other[names != name]) for name in members]
    values = np.array([value, *(np.nan if each is None else each for each in without)])
    if not (np.abs(values) < 1 - 1e-9).all():
        return RankCorrelation(value, None, None, len(one))
    z, *left_out = np.arctanh(values)
    error = math.sqrt((n - 1) / n * float(((left_out - np.mean(left_out)) ** 2).sum()))
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return RankCorrelation(value, math.tanh(z - reach), math.tanh(z + reach), len(one))


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
