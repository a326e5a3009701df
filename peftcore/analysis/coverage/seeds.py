"""Simulated measurements, one number a seed: a loss, a toy's exact match, a measure of a head."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from peftcore.analysis import flatness, likelihood, scaling
from peftcore.analysis.comparison import difference_interval, interval
from peftcore.analysis.coverage.shapes import Case, draw_seeds, seeds_of_truth

Array = NDArray[np.float64]
CENTRE = 10.0
DROP = 15.0  # a failing seed lies so far below, where others vary by one
RUN_SPREAD, SEED_SPREAD = 0.8, 0.6  # of a measure of flatness, and of a score
RUN_SEEDS = 4
STILL = 0.05  # of the spread of other runs
SOFT_TOKENS, WORDS, WIDTH = 20, 60, 8


def mean_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the interval of a mean over seeds covers; None where none is printed."""
    found = interval(CENTRE + draw_seeds(rng, case, DROP))
    if found.low is None or found.high is None:
        return None
    return found.low <= CENTRE + _mean_effect(case) <= found.high


def paired_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the interval of a difference of two runs, paired by seed, covers."""
    second = draw_seeds(rng, case, DROP)
    shared = rng.normal(size=case.seeds)
    first = case.spread * rng.normal(size=case.seeds)
    found = difference_interval(dict(enumerate(first + shared)), dict(enumerate(second + shared)))
    if found.low is None or found.high is None:
        return None
    return found.low <= _mean_effect(case) <= found.high


def still_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the interval of a difference to a run that hardly varies covers."""
    second = draw_seeds(rng, case, DROP)
    first = STILL * rng.normal(size=case.seeds)
    found = difference_interval(dict(enumerate(first)), dict(enumerate(second)))
    if found.low is None or found.high is None:
        return None
    return found.low <= _mean_effect(case) <= found.high


def _mean_effect(case: Case) -> float:
    """Return the true mean effect of a seed."""
    return _mean_effect_of(case.shape, case.spread, case.counts_failing)


@functools.cache
def _mean_effect_of(shape: str, spread: float, counts_failing: bool) -> float:
    """Return the mean effect over the population of seeds."""
    case = Case(shape, 1000 if counts_failing else 1, spread=spread)  # type: ignore[arg-type]
    return float(seeds_of_truth(case, DROP).mean())


def rank_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the interval of a rank correlation over runs covers; seeds counts runs.

    A run's flatness and score go together with correlation 0.8, its seeds vary apart.
    """
    x, y, runs = _flatness_and_score(rng, case.seeds)
    found = flatness.rank_correlation(x.tolist(), y.tolist(), runs)
    if found.low is None or found.high is None:
        return None
    return found.low <= _true_rank_correlation() <= found.high


def _flatness_and_score(rng: np.random.Generator, runs: int) -> tuple[Array, Array, list[str]]:
    """Draw two measures of every seed of so many runs, and the names of their runs."""
    together = np.linalg.cholesky(np.array([[1.0, 0.8], [0.8, 1.0]]))
    centres = RUN_SPREAD * rng.normal(size=(runs, 1, 2)) @ together.T
    values = centres + SEED_SPREAD * rng.normal(size=(runs, RUN_SEEDS, 2))
    names = [f"run {run}" for run in range(runs) for _ in range(RUN_SEEDS)]
    return values[..., 0].ravel(), values[..., 1].ravel(), names


@functools.cache
def _true_rank_correlation() -> float:
    """Return the rank correlation over very many runs."""
    from scipy.stats import spearmanr

    x, y, _ = _flatness_and_score(np.random.default_rng(1), 100_000)
    return float(spearmanr(x, y).statistic)


def share_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether Wilson's interval of a share of sentence pairs covers 0.9."""
    right = (rng.random(case.items) < 0.9).astype(float)
    found = likelihood.pair_accuracy(right, np.full(case.items, 0.5))
    return found.low <= 0.9 <= found.high


def exchange_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the band of random exchanges holds a distance of equal distributions."""
    first, second = rng.normal(size=(SOFT_TOKENS, WIDTH)), rng.normal(size=(WORDS, WIDTH))
    found = scaling.permutation_test(first, second, "energy", 199, int(rng.integers(2**31)))
    return found.low <= found.value <= found.high
