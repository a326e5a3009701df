"""Compare several runs: intervals over seeds, paired tests, Pareto fronts, text differences.

A seed is the unit: each repeats the sampling of examples, their order and the initialisation, and
equal seed numbers sample equal examples, so runs are paired by seed. Intervals here speak of other
seeds on the same test examples; those that also speak of other examples are in `inference`. Nothing
here reads a file or plots; tables come in as `RunStore.table` makes them, one row per run and seed.
Whether runs may be compared at all is decided in `comparability`.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from peftcore.analysis import few_seeds
from peftcore.analysis.comparability import caveats as caveats
from peftcore.metrics.scores import metric_range

MAX_EXACT_SEEDS = 16  # up to this many every sign pattern is counted
SIGN_SAMPLES = 100_000  # above that, as many random patterns
ANY_VALUE = (-math.inf, math.inf)  # the range of values of which nothing is known


@dataclass(frozen=True)
class Interval:
    """Mean of n seeds and its limits; without limits, `reason` says why and what is seen instead.

    One seed has no limits, no seed a mean, and few seeds in two groups have no limits either: the
    mean of four seeds that learnt and one that failed is no summary.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


ONE_SEED = "one seed"
NO_SEED = "no seed has a value"


def interval(
    values: Iterable[float], within: tuple[float, float] = ANY_VALUE, lean: float = 1.0
) -> Interval:
    """Return mean and 95 % interval of independent seeds, without what is not finite.

    Student's t, wider for few seeds and on the side of a longer tail (`few_seeds`).
    within: the smallest and largest value there can be (`metrics.scores.metric_range`), where the
    limits end, since those of the t distribution go on.  lean: how skewed they may be, 0 to 1.
    """
    seen = np.array([value for value in values if value is not None], dtype=float)
    seen = seen[np.isfinite(seen)]
    n = len(seen)
    if n == 0:
        return Interval(None, None, None, 0, NO_SEED)
    mean = float(seen.mean())
    if n == 1:
        return Interval(mean, None, None, 1, ONE_SEED)
    groups = few_seeds.groups_of_scores(seen, within) if n < few_seeds.MANY_SEEDS else None
    if groups is not None:
        return Interval(mean, None, None, n, str(groups))
    error = few_seeds.error_factor(n, 1.0, lean=lean) * float(seen.std(ddof=1)) / math.sqrt(n)
    skewness = few_seeds.skewness_of_mean(seen)
    low, high = few_seeds.mean_limits(mean, error, n - 1, skewness)
    # A mean beyond the range, as by rounding, still lies in its interval.
    return Interval(mean, max(low, min(within[0], mean)), min(high, max(within[1], mean)), n)


def summarize_runs(table: pd.DataFrame, metric: str, *, lowest_first: bool = False) -> pd.DataFrame:
    """Return one row per run, best mean first, with interval, sizes and seconds.

    Columns base, task, method, mean, low, high, n, trainable, seconds. Seeds without a value of the
    metric do not count; runs without any stay in the table with n 0. `lowest_first` is for metrics
    that are better when lower.
    """
    rows = []
    for run, seeds in table.groupby("run", sort=False):
        estimate = interval(seeds[metric], metric_range(metric))
        first = seeds.iloc[0]
        row = {"run": run, "base": first["base"], "task": first["task"], "method": first["method"]}
        row |= {"mean": estimate.mean, "low": estimate.low, "high": estimate.high, "n": estimate.n}
        rows.append(row | {"trainable": first["trainable"], "seconds": first["seconds"]})
    columns = ["run", "base", "task", "method", "mean", "low", "high", "n", "trainable", "seconds"]
    frame = pd.DataFrame(rows, columns=columns)
    dtypes = dict.fromkeys(("mean", "low", "high", "trainable", "seconds"), float)
    frame = frame.astype(dtypes)
    return frame.sort_values("mean", ascending=lowest_first, kind="stable", ignore_index=True)


def interval_by_step(
    history: pd.DataFrame, value: str, within: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Return mean and 95 % interval of a value over seeds at each step, within its range.

    within: the smallest and largest value there can be; by default those of the metric `value`.
    Columns step, mean, low, high, n, reason. Seeds that stopped early drop out of later steps; n
    says how many are left. Limits are missing where `interval` has none.
    """
    limits = metric_range(value) if within is None else within
    rows = [
        (step, *vars(interval(seeds, limits)).values())
        for step, seeds in history.dropna(subset=[value]).groupby("step")[value]
    ]
    frame = pd.DataFrame(rows, columns=["step", "mean", "low", "high", "n", "reason"])
    return frame.astype(dict.fromkeys(("mean", "low", "high"), float))


@dataclass(frozen=True)
class PairedDifference:
    """Difference of the second to the first over their common seeds.

    p is two-sided; `smallest_p` is what n seeds could reach at best, so that an insignificant
    result of few seeds is not mistaken for equality. None where there is nothing to say.
    """

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    smallest_p: float | None
    n: int
    reason: str = ""  # why there are no limits


def paired_difference(
    first: Mapping[int, float],
    second: Mapping[int, float],
    within: tuple[float, float] = ANY_VALUE,
) -> PairedDifference:
    """Test second − first, paired by seed number, by an exact sign-flip permutation test.

    Under the hypothesis of equal methods each seed's difference could as well have had the other
    sign; p is the share of all 2^n sign patterns whose mean is at least as far from zero. Above 16
    seeds 100 000 fixed random patterns are used instead.
    """
    seeds = sorted(set(first) & set(second))
    gaps = np.array([second[seed] - first[seed] for seed in seeds], dtype=float)
    gaps = gaps[np.isfinite(gaps)]
    estimate, n = difference_interval(first, second, within), len(gaps)
    if n == 0:
        return PairedDifference(None, None, None, None, None, 0, NO_SEED)
    sums = np.abs(_signs(n) @ gaps)
    reached = int((sums >= abs(gaps.sum()) - 1e-9 * np.abs(gaps).sum()).sum())
    exact = n <= MAX_EXACT_SEEDS
    p = reached / len(sums) if exact else (reached + 1) / (len(sums) + 1)
    smallest = 2.0 ** (1 - n) if exact else 1 / (len(sums) + 1)
    found = (estimate.mean, estimate.low, estimate.high, p, min(smallest, 1.0), n)
    return PairedDifference(*found, estimate.reason)


def difference_interval(
    first: Mapping[int, float],
    second: Mapping[int, float],
    within: tuple[float, float] = ANY_VALUE,
) -> Interval:
    """Return the mean of second − first with its 95 % interval, paired by seed number."""
    seeds = sorted(set(first) & set(second))
    one, other = (np.array([side[seed] for seed in seeds], float) for side in (first, second))
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    return interval(other - one, within, few_seeds.lean_of_difference(one, other))


def difference_range(metric: str) -> tuple[float, float]:
    """Return the smallest and largest difference that two values of a metric can have."""
    smallest, largest = metric_range(metric)
    return smallest - largest, largest - smallest


def _signs(n: int) -> np.ndarray:
    """Return sign patterns (m, n) of n differences: all of them, or a fixed sample of many."""
    if n <= MAX_EXACT_SEEDS:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return np.random.default_rng(0).choice((1.0, -1.0), size=(SIGN_SAMPLES, n))


def pareto(scores: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Return which points are not dominated: none has at least the score for at most the cost."""
    points = list(zip(scores, costs, strict=True))

    def beaten(score: float, cost: float) -> bool:
        """Return whether another point dominates."""
        return any(
            s >= score and c <= cost and (s > score or c < cost)
            for s, c in points
            if not (math.isnan(s) or math.isnan(c))
        )

    return [not (math.isnan(s) or math.isnan(c) or beaten(s, c)) for s, c in points]


@dataclass(frozen=True)
class DiffPiece:
    """Adjacent words that both texts share, or that only one of them has."""

    side: Literal["both", "first", "second"]
    words: tuple[str, ...]


def diff_words(first: Sequence[str], second: Sequence[str]) -> list[DiffPiece]:
    """Merge both texts to pieces; words only in the first precede what replaced them."""
    pieces = []
    matcher = difflib.SequenceMatcher(a=list(first), b=list(second), autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(DiffPiece("both", tuple(first[a:b])))
            continue
        if b > a:
            pieces.append(DiffPiece("first", tuple(first[a:b])))
        if d > c:
            pieces.append(DiffPiece("second", tuple(second[c:d])))
    return pieces
