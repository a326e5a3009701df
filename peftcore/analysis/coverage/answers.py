"""Simulated runs: every seed answers every item, right with a chance that both decide.

The log odds of a right answer are a level, an effect of the seed and one of the item; two methods
share half of a seed's variance and most of an item's, as runs on the same examples do. The truth is
the metric's mean over seeds on infinitely many items, or on the items at hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis.coverage.shapes import Case, draw_seeds, seeds_of_truth
from peftcore.analysis.inference import (
    Population,
    SeedItemTable,
    estimate,
    estimate_difference,
)
from peftcore.metrics import item_statistics

Array = NDArray[np.float64]
LEVEL, OTHER_LEVEL = 1.5, 1.2  # log odds of a right answer by the first method, and the second
LABEL_GAP = 0.5  # a label's items are easier by this, the other's harder
ITEM_SPREAD, OWN_ITEM_SPREAD = 1.5, 1.0  # shared by methods, and of one method
ALL_ITEM_SPREAD = float(np.hypot(ITEM_SPREAD, OWN_ITEM_SPREAD))
DROP = 5.0  # log odds that a failing seed loses: from three right answers in four to one in ten
NGRAM_STEP = 0.7  # log odds by which a longer n-gram is harder to match
TRUTH_SEEDS = 4000  # of the population, where a metric is computed for each


def accuracy_trial(
    rng: np.random.Generator, case: Case, population: Population = "this task"
) -> bool | None:
    """Return whether the interval of an accuracy covers; None where none is printed."""
    labels, items = _draw_items(rng, case)
    seeds = draw_seeds(rng, case, DROP)
    found = estimate(_table(rng, LEVEL, seeds, items, labels), population, (0.0, 1.0))
    truth = _accuracy(case, LEVEL, items if population == "these examples" else None)
    return _covers(found.low, found.high, truth)


def difference_trial(
    rng: np.random.Generator, case: Case, population: Population = "this task"
) -> bool | None:
    """Return whether the interval of a paired difference covers, as `accuracy_trial`."""
    labels, shared = _draw_items(rng, case, ITEM_SPREAD)
    own = rng.normal(0, OWN_ITEM_SPREAD, (2, case.items))
    seeds = draw_seeds(rng, case, DROP)
    # The first method is normal whatever the second is, and shares its draw of examples in part.
    first_seeds = case.spread * rng.normal(size=(2, case.seeds)).sum(0) / np.sqrt(2)
    first = _table(rng, LEVEL, first_seeds, shared + own[0], labels)
    second = _table(rng, OTHER_LEVEL, seeds, shared + own[1], labels)
    found = estimate_difference(first, second, population, (-1.0, 1.0))
    plain = Case("normal", case.seeds, case.items, case.spread)
    fixed = population == "these examples"
    truth = _accuracy(case, OTHER_LEVEL, shared + own[1] if fixed else None) - _accuracy(
        plain, LEVEL, shared + own[0] if fixed else None
    )
    return _covers(found.low, found.high, truth)


def corpus_trial(rng: np.random.Generator, case: Case, metric: str) -> bool | None:
    """Return whether the interval of a metric that is no mean over items covers."""
    simulate = CORPUS_METRICS[metric]
    labels, items = _draw_items(rng, case)
    seeds = draw_seeds(rng, case, DROP)
    chances = special.expit(LEVEL + seeds[:, None] + items)  # (s, i)
    table = SeedItemTable(
        tuple(range(case.seeds)),
        tuple(map(str, range(case.items))),
        simulate.draw(rng, chances, labels),
        simulate.combine,
        labels if case.balanced else None,
    )
    found = estimate(table, "this task")
    return _covers(found.low, found.high, _corpus_truth(case, metric))


def _covers(low: float | None, high: float | None, truth: float) -> bool | None:
    """Return whether limits hold the truth, None without limits."""
    return None if low is None or high is None else bool(low <= truth <= high)


def _draw_items(
    rng: np.random.Generator, case: Case, spread: float = ALL_ITEM_SPREAD
) -> tuple[NDArray[np.int64], Array]:
    """Draw labels (i,) and effects (i,) of items; without balance labels come as they fall."""
    labels = np.arange(case.items) % 2 if case.balanced else rng.integers(0, 2, case.items)
    effects = rng.normal(0, spread, case.items) + LABEL_GAP * (2 * labels - 1)
    return labels.astype(np.int64), effects


def _table(
    rng: np.random.Generator, level: float, seeds: Array, items: Array, labels: NDArray[np.int64]
) -> SeedItemTable:
    """Draw right and wrong answers of seeds (s,) to items (i,)."""
    right = rng.random((len(seeds), len(items))) < special.expit(level + seeds[:, None] + items)
    strata = labels if (np.bincount(labels, minlength=2) * 2 == len(labels)).all() else None
    names = tuple(map(str, range(len(items))))
    return SeedItemTable(
        tuple(range(len(seeds))), names, right.astype(float)[..., None], strata=strata
    )


def _accuracy(case: Case, level: float, items: Array | None) -> float:
    """Return the true accuracy over all items, or over those with these effects (i,)."""
    if items is None:
        return _accuracy_of_task(case.shape, case.spread, case.counts_failing, level)
    grid, chances = _chances_by_level(case.shape, case.spread, case.counts_failing)
    return float(np.interp(level + items, grid, chances).mean())


@functools.cache
def _accuracy_of_task(shape: str, spread: float, counts_failing: bool, level: float) -> float:
    """Return the accuracy over all seeds and items."""
    grid, chances = _chances_by_level(shape, spread, counts_failing)
    effects, weights = _item_population()
    return float(np.interp(level + effects, grid, chances) @ weights)


@functools.cache
def _chances_by_level(shape: str, spread: float, counts_failing: bool) -> tuple[Array, Array]:
    """Return log odds (g,) of an item, and the chance (g,) of a right answer over all seeds."""
    case = Case(shape, 1000 if counts_failing else 1, spread=spread)  # type: ignore[arg-type]
    seeds = seeds_of_truth(case, DROP)[:20_000]
    grid = np.linspace(-14, 14, 561)
    return grid, np.array([special.expit(value + seeds).mean() for value in grid])


def _item_population(nodes: int = 61) -> tuple[Array, Array]:
    """Return effects (n,) of items of both labels, and their weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    effects = np.concatenate([points * ALL_ITEM_SPREAD + gap for gap in (-LABEL_GAP, LABEL_GAP)])
    return effects, np.tile(weights / weights.sum() / 2, 2)


@dataclass(frozen=True)
class CorpusMetric:
    """A metric: what answers with chances (s, i) add to it, (s, i, k), and how to combine it."""

    draw: Callable[[np.random.Generator, Array, NDArray[np.int64]], Array]
    expected: Callable[[Array, NDArray[np.int64]], Array]  # the same without chance
    combine: Callable[[Array], Array]


def _one_hot(right: Array, labels: NDArray[np.int64]) -> Array:
    """Return joint counts of gold and predicted label (s, i, 4) of shares that are right (s, i)."""
    counts = np.zeros((*right.shape, 2, 2))
    items = np.arange(right.shape[1])
    counts[:, items, labels, labels] = right
    counts[:, items, labels, 1 - labels] = 1 - right
    return counts.reshape(*right.shape, 4)


def _draw_labels(rng: np.random.Generator, chances: Array, labels: NDArray[np.int64]) -> Array:
    """Draw which labels are right."""
    return _one_hot((rng.random(chances.shape) < chances).astype(float), labels)


def _draw_ngrams(rng: np.random.Generator, chances: Array, labels: NDArray[np.int64]) -> Array:
    """Draw matches of n-grams in answers of 8 to 20 words: statistics of BLEU (s, i, 10)."""
    words = np.broadcast_to(rng.integers(8, 21, chances.shape[1]), chances.shape)
    counts = np.stack([words - n for n in range(item_statistics.BLEU_ORDERS)], -1)
    matches = rng.binomial(counts, _match_chances(chances))
    lengths = np.stack([words, words + rng.poisson(1.0, chances.shape)], -1)
    return np.concatenate([lengths, matches, counts], -1).astype(float)


def _expected_ngrams(chances: Array, labels: NDArray[np.int64]) -> Array:
    """Return the statistics of BLEU without chance, for answers of 14 words."""
    words = np.full(chances.shape, 14.0)
    counts = np.stack([words - n for n in range(item_statistics.BLEU_ORDERS)], -1)
    lengths = np.stack([words, words + 1.0], -1)
    return np.concatenate([lengths, counts * _match_chances(chances), counts], -1)


def _match_chances(chances: Array) -> Array:
    """Return chances (…, 4) that n-grams match, from those of words (…)."""
    steps = NGRAM_STEP * np.arange(item_statistics.BLEU_ORDERS)
    return special.expit(special.logit(np.clip(chances, 1e-9, 1 - 1e-9))[..., None] - steps)


def _draw_ratio(rng: np.random.Generator, chances: Array, labels: NDArray[np.int64]) -> Array:
    """Draw a score of right answers, and whether they are right: statistics (s, i, 2)."""
    right = (rng.random(chances.shape) < chances).astype(float)
    return np.stack([right * np.clip(rng.normal(0.2 + chances / 2, 0.1), 0, 1), right], -1)


def _expected_ratio(chances: Array, labels: NDArray[np.int64]) -> Array:
    """Return the statistics of a ratio without chance; scores hardly reach 0 or 1."""
    return np.stack([chances * (0.2 + chances / 2), chances], -1)


def _combine_of(metric: str) -> Callable[[Array], Array]:
    """Return how the app combines a metric of two labels."""
    gold = ["no", "no", "yes", "yes"]
    frame = pd.DataFrame({"label": gold, "predicted": ["no", "yes", "no", "yes"]})
    found = item_statistics.answer_statistics(frame, metric)
    assert found is not None
    return found.combine


CORPUS_METRICS: dict[str, CorpusMetric] = {
    "f1": CorpusMetric(_draw_labels, _one_hot, _combine_of("f1")),
    "matthews": CorpusMetric(_draw_labels, _one_hot, _combine_of("matthews")),
    "bleu": CorpusMetric(
        _draw_ngrams, _expected_ngrams, functools.partial(item_statistics.bleu_of_counts, items=100)
    ),
    "ratio": CorpusMetric(
        _draw_ratio, _expected_ratio, lambda means: means[..., 0] / np.maximum(means[..., 1], 1e-12)
    ),
}


def _corpus_truth(case: Case, metric: str) -> float:
    """Return the mean over seeds of the metric on all items."""
    return _corpus_truth_of(case.shape, case.spread, case.counts_failing, metric)


@functools.cache
def _corpus_truth_of(shape: str, spread: float, counts_failing: bool, metric: str) -> float:
    """Return the metric's mean over seeds, each on infinitely many items."""
    case = Case(shape, 1000 if counts_failing else 1, spread=spread)  # type: ignore[arg-type]
    seeds = seeds_of_truth(case, DROP)[:TRUTH_SEEDS]
    effects, weights = _item_population()
    labels = np.repeat([0, 1], len(effects) // 2).astype(np.int64)
    simulate = CORPUS_METRICS[metric]
    statistics = simulate.expected(special.expit(LEVEL + seeds[:, None] + effects), labels)
    return float(simulate.combine(np.einsum("sik,i->sk", statistics, weights)).mean())
