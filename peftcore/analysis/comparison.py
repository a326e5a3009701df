"""What may be said about several runs: intervals over seeds, paired tests, Pareto fronts, changes.

A seed is the unit: each repeats the draw of examples, their order and the initialisation, and equal
seed numbers draw equal examples, so runs are paired by seed.  Nothing here reads a file or knows a
chart; tables come in as `RunStore.table` makes them, one row per run and seed.  Whether runs may be
compared at all is decided in `likeness`.
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
from scipy import special
from statsmodels.stats.multitest import multipletests

from peftcore.analysis.comparability import caveats as caveats

MAX_EXACT_SEEDS = (
    16  # up to this many seeds every sign pattern is counted, above it a sample of them
)
SIGN_SAMPLES = 100_000


@dataclass(frozen=True)
class Interval:
    """Mean of n seeds and the limits around it; one seed has no limits, no seed no mean."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


def interval(values: Iterable[float]) -> Interval:
    """Mean and 95 % Student t interval of independent seeds, leaving out what is not finite.

    The limits are those of the t distribution and may pass the ends of a metric's range.
    """
    seen = np.array([value for value in values if value is not None], dtype=float)
    seen = seen[np.isfinite(seen)]
    n = len(seen)
    if n == 0:
        return Interval(None, None, None, 0)
    mean = float(seen.mean())
    if n == 1:
        return Interval(mean, None, None, 1)
    half = float(special.stdtrit(n - 1, 0.975) * seen.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def summarize_runs(table: pd.DataFrame, metric: str, *, lowest_first: bool = False) -> pd.DataFrame:
    """One row per run, best mean first: base, task, method, mean, low, high, n, trainable, seconds.

    Seeds without a value of the metric do not count; runs without any stay in the table with n 0.
    `lowest_first` is for metrics that are better when lower.
    """
    rows = []
    for run, seeds in table.groupby("run", sort=False):
        estimate = interval(seeds[metric])
        first = seeds.iloc[0]
        row = {"run": run, "base": first["base"], "task": first["task"], "method": first["method"]}
        row |= {"mean": estimate.mean, "low": estimate.low, "high": estimate.high, "n": estimate.n}
        rows.append(row | {"trainable": first["trainable"], "seconds": first["seconds"]})
    columns = ["run", "base", "task", "method", "mean", "low", "high", "n", "trainable", "seconds"]
    frame = pd.DataFrame(rows, columns=columns)
    dtypes = dict.fromkeys(("mean", "low", "high", "trainable", "seconds"), float)
    frame = frame.astype(dtypes)
    return frame.sort_values("mean", ascending=lowest_first, kind="stable", ignore_index=True)


def interval_by_step(history: pd.DataFrame, value: str) -> pd.DataFrame:
    """Columns step, mean, low, high, n: a value's mean and 95 % interval over seeds at each step.

    Seeds that stopped early drop out of later steps; n says how many are left.  Limits are missing
    where one seed is.
    """
    by_step = history.dropna(subset=[value]).groupby("step")[value]
    frame = by_step.agg(mean="mean", spread="std", n="count").reset_index()
    free = np.maximum(frame["n"] - 1, 1)
    half = special.stdtrit(free, 0.975) * frame["spread"] / np.sqrt(frame["n"])
    frame["low"], frame["high"] = frame["mean"] - half, frame["mean"] + half
    return frame[["step", "mean", "low", "high", "n"]]


@dataclass(frozen=True)
class PairedDifference:
    """How much higher the second is than the first over their common seeds.

    p is two-sided; `smallest_p` is what n seeds could reach at best, so that an insignificant
    result of few seeds is not mistaken for equality.  None where there is nothing to say.
    """

    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    smallest_p: float | None
    n: int


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> PairedDifference:
    """Difference second − first, paired by seed number, with an exact sign-flip permutation test.

    Under the hypothesis of equal methods each seed's difference could as well have had the other
    sign; p is the share of all 2^n sign patterns whose mean is at least as far from zero.  Above
    16 seeds 100 000 patterns are drawn instead, always the same ones.
    """
    seeds = sorted(set(first) & set(second))
    gaps = np.array([second[seed] - first[seed] for seed in seeds], dtype=float)
    gaps = gaps[np.isfinite(gaps)]
    estimate, n = interval(gaps), len(gaps)
    if n == 0:
        return PairedDifference(None, None, None, None, None, 0)
    sums = np.abs(_signs(n) @ gaps)
    reached = int((sums >= abs(gaps.sum()) - 1e-9 * np.abs(gaps).sum()).sum())
    exact = n <= MAX_EXACT_SEEDS
    p = reached / len(sums) if exact else (reached + 1) / (len(sums) + 1)
    smallest = 2.0 ** (1 - n) if exact else 1 / (len(sums) + 1)
    return PairedDifference(estimate.mean, estimate.low, estimate.high, p, min(smallest, 1.0), n)


def run_difference(table: pd.DataFrame, metric: str, first: str, second: str) -> Interval:
    """How much higher the first run's metric is than the second's, paired by seed."""
    seeds = table.pivot(index="seed", columns="run", values=metric)
    return interval(seeds[first] - seeds[second])


def _signs(n: int) -> np.ndarray:
    """Sign patterns of n differences, one a row: all of them, or a fixed sample of many."""
    if n <= MAX_EXACT_SEEDS:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return np.random.default_rng(0).choice((1.0, -1.0), size=(SIGN_SAMPLES, n))


def differences_from_reference(table: pd.DataFrame, metric: str, reference: str) -> pd.DataFrame:
    """Every other run against the reference: run, difference, low, high, p, holm, smallest_p, n.

    `holm` is p after Holm's correction for as many comparisons as there are rows with a p.
    """
    scores = {
        run: dict(zip(seeds["seed"], seeds[metric].astype(float), strict=True))
        for run, seeds in table.groupby("run", sort=False)
    }
    rows = []
    for run in scores:
        if run != reference:
            gap = paired_difference(scores[reference], scores[run])
            row = {"run": run, "difference": gap.mean, "low": gap.low, "high": gap.high}
            rows.append(row | {"p": gap.p, "smallest_p": gap.smallest_p, "n": gap.n})
    frame = pd.DataFrame(rows, columns=["run", "difference", "low", "high", "p", "smallest_p", "n"])
    frame.insert(5, "holm", holm_correction(frame["p"].tolist()))
    return frame.astype({name: float for name in frame.columns if name not in ("run", "n")})


def seeds_for_significance(level: float, comparisons: int = 1) -> int:
    """Fewest seeds with which a difference can reach the level after Holm's correction."""
    return 1 + math.ceil(math.log2(comparisons / level))


def holm_correction(ps: Sequence[float | None]) -> list[float | None]:
    """p values after Holm's correction, in the given order; missing ones stay missing."""
    known = [p for p in ps if p is not None and not math.isnan(p)]
    if not known:
        return [None] * len(ps)
    corrected = iter(multipletests(known, method="holm")[1])
    return [None if p is None or math.isnan(p) else float(next(corrected)) for p in ps]


def pareto(scores: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Which points nobody beats: none scores as much for less, or more for as little."""
    points = list(zip(scores, costs, strict=True))

    def beaten(score: float, cost: float) -> bool:
        return any(
            s >= score and c <= cost and (s > score or c < cost)
            for s, c in points
            if not (math.isnan(s) or math.isnan(c))
        )

    return [not (math.isnan(s) or math.isnan(c) or beaten(s, c)) for s, c in points]


@dataclass(frozen=True)
class DiffPiece:
    """Words in a row that both texts share, or that only one of them has."""

    side: Literal["both", "first", "second"]
    words: tuple[str, ...]


def diff_words(first: Sequence[str], second: Sequence[str]) -> list[DiffPiece]:
    """Both texts as one row of pieces; words only in the first precede what replaced them."""
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
