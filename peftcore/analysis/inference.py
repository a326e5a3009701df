"""What a score says beyond the seeds and the items it was measured on: estimates of two kinds.

A run answers the same items with every seed, so its scores are a table, seeds × items. An interval
speaks of a population, and there are two:

* "these examples": other seeds (another sample of training examples, another start) on the very
  items that were answered. The unit is the seed, the interval Student's t over seed means, widened
  for few of them (`few_seeds`).
* "this task": other seeds and other items of the task. Seeds and items both vary, so the variance
  has a component of each: mean squares of the two-way table, t quantile by Satterthwaite's degrees
  of freedom (1946). Items are drawn within strata, the gold labels, where test rows are balanced.

Which claims need which, and what was wrong with seeds alone, is in the analysis README. A metric
that is no mean over items (BLEU, F1, correlations) is a function of mean sufficient statistics; it
enters the same formulas by its linearisation (`SeedItemTable.influence`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from peftcore.analysis import few_seeds
from peftcore.analysis.few_seeds import SeedGroups
from peftcore.analysis.resampling import Array
from peftcore.metrics.item_statistics import first_statistic

Population = Literal["this task", "these examples"]
POPULATIONS: tuple[Population, ...] = get_args(Population)
ANY_VALUE = (-math.inf, math.inf)  # the range of values of which nothing is known


@dataclass(frozen=True)
class SeedItemTable:
    """One metric of one run, of every seed on every item.

    statistics: (s, i, k) sufficient statistics of each answer. combine: their means over items
    (..., k) to the metric (...); the default is for means of per-item scores, k = 1. strata: (i,)
    codes of the groups within which items were drawn, None where they were drawn from all.
    """

    seeds: tuple[int, ...]
    items: tuple[str, ...]
    statistics: Array
    combine: Callable[[Array], Array] = first_statistic
    strata: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if the shapes do not belong together."""
        if self.statistics.shape[:2] != (len(self.seeds), len(self.items)):
            raise ValueError(
                f"statistics {self.statistics.shape} of {len(self.seeds)} seeds and "
                f"{len(self.items)} items"
            )
        if self.strata is not None and self.strata.shape != (len(self.items),):
            raise ValueError(f"strata {self.strata.shape} of {len(self.items)} items")

    @property
    def is_mean(self) -> bool:
        """Return whether the metric is a plain mean over items."""
        return self.combine is first_statistic

    def seed_values(self) -> Array:
        """Return the metric of each seed, (s,)."""
        return self.combine(self.statistics.mean(1))

    def select(self, seeds: Sequence[int], items: Sequence[str]) -> SeedItemTable:
        """Return the part of these seeds and items, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        position = {item: i for i, item in enumerate(self.items)}
        columns = [position[item] for item in items]
        return replace(
            self,
            seeds=tuple(seeds),
            items=tuple(items),
            statistics=self.statistics[np.ix_(rows, columns)],
            strata=None if self.strata is None else self.strata[columns],
        )

    def influence(self) -> Array:
        """Return per-answer values (s, i) whose row means are the seeds' values of the metric."""
        return self._influence

    @functools.cached_property
    def _influence(self) -> Array:
        """Compute `influence` once: every pair of runs asks for it.

        For a mean these are the scores. Otherwise the metric is linearised at each seed's mean
        statistics by central differences: what one more answer of that kind would change.
        """
        if self.is_mean:
            return self.statistics[..., 0]
        means = self.statistics.mean(1)  # (s, k)
        values = self.combine(means)
        gradient = np.zeros_like(means)
        for k in range(means.shape[1]):
            step = 1e-4 * max(float(np.abs(means[:, k]).max()), 1e-6)
            shift = np.zeros(means.shape[1])
            shift[k] = step
            gradient[:, k] = (self.combine(means + shift) - self.combine(means - shift)) / (
                2 * step
            )
        linear = ((self.statistics - means[:, None]) * gradient[:, None]).sum(-1)
        return values[:, None] + linear


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and 95 % limits, and what population they speak of.

    `seed_share`, `item_share` and `rest_share` are the parts of the variance of the mean that come
    from seeds, from items, and from both together (they sum to one). Without limits, `reason` says
    why there are none. `groups` are the two groups into which seeds fall, if they do: with fewer
    than 20 seeds there are no limits then, since none would cover. `error` is widened for few
    seeds.
    """

    mean: float | None
    low: float | None
    high: float | None
    error: float | None  # standard error
    freedom: float | None  # degrees of freedom of the t distribution
    seeds: int
    items: int
    population: Population
    seed_share: float | None = None
    item_share: float | None = None
    rest_share: float | None = None
    reason: str = ""
    skewness: float = 0.0  # of the mean, from its seeds; limits reach further on its side
    groups: SeedGroups | None = None


@dataclass(frozen=True)
class Components:
    """Variance components of a seeds × items table: of a seed, of an item, of the rest."""

    seed: float
    item: float
    rest: float

    def error(self, seeds: int, items: int) -> float:
        """Return the standard error of a mean over so many seeds and items."""
        variance = self.seed / seeds + self.item / items + self.rest / (seeds * items)
        return math.sqrt(variance)


ONE_SEED = "one seed says nothing about others"
NO_SEEDS = "no seed has a value"
ONE_ITEM = "one item says nothing about others"


def estimate(
    table: SeedItemTable,
    population: Population = "this task",
    within: tuple[float, float] = ANY_VALUE,
) -> Estimate:
    """Estimate a metric for a population; limits end where values of the metric end (`within`)."""
    return _estimate_values(
        table.influence(), table.seed_values(), table.strata, population, within
    )


def estimate_difference(
    first: SeedItemTable,
    second: SeedItemTable,
    population: Population = "this task",
    within: tuple[float, float] = ANY_VALUE,
) -> Estimate:
    """Estimate second − first over their common seeds and items, paired by both."""
    one, other = common_part(first, second)
    found = _estimate_values(
        other.influence() - one.influence(),
        other.seed_values() - one.seed_values(),
        one.strata,
        population,
        within,
        few_seeds.lean_of_difference(one.seed_values(), other.seed_values()),
    )
    if found.low is None or found.seeds >= few_seeds.MANY_SEEDS or len(one.items) < 2:
        return found
    # Where the mean of one of the two is no summary, neither is the difference of both.
    for table in (one, other):
        groups = find_seed_groups(table)
        if groups is not None:
            return replace(
                found, low=None, high=None, error=None, groups=groups, reason=str(groups)
            )
    return found


def find_seed_groups(table: SeedItemTable) -> SeedGroups | None:
    """Return the two groups into which a run's seeds fall by their scores, None if they do not."""
    return few_seeds.find_groups(table.seed_values(), _two_answers(table.influence()))


def _two_answers(values: Array) -> float:
    """Return two answers' worth of scores or differences (s, i): so much spread is always there.

    Seeds that tie are no group.
    """
    return 2 * min(float(np.ptp(values)), float(np.abs(values).max())) / values.shape[1]


def common_part(first: SeedItemTable, second: SeedItemTable) -> tuple[SeedItemTable, SeedItemTable]:
    """Return both tables on the seeds and items that they share."""
    if first.seeds == second.seeds and first.items == second.items:
        return first, second
    known_items, known_seeds = set(second.items), set(second.seeds)
    seeds = [seed for seed in first.seeds if seed in known_seeds]
    items = [item for item in first.items if item in known_items]
    return first.select(seeds, items), second.select(seeds, items)


def variance_components(values: Array, strata: NDArray[np.int64] | None = None) -> Components:
    """Return the variance components of values (s, i), those below zero at zero.

    ValueError for less than two seeds, or less than two items of some stratum.
    """
    squares, _ = _mean_squares(values, strata)
    seeds, items = values.shape
    by_seed, by_item, rest = squares
    return Components(
        max(0.0, by_seed - rest) / items, max(0.0, by_item - rest) / seeds, float(rest)
    )


def _estimate_values(
    values: Array,
    by_seed: Array,
    strata: NDArray[np.int64] | None,
    population: Population,
    within: tuple[float, float],
    lean: float = 1.0,
) -> Estimate:
    """Estimate from values (s, i) with the seeds' values (s,); seeds that are not finite go.

    lean: how skewed the seeds may be, as of `few_seeds.error_factor`.
    """
    finite = np.isfinite(by_seed) & np.isfinite(values).all(1) if values.size else np.zeros(0, bool)
    values, by_seed = values[finite], by_seed[finite]
    seeds, items = values.shape
    if seeds == 0:
        return Estimate(None, None, None, None, None, 0, items, population, reason=NO_SEEDS)
    mean = float(by_seed.mean())
    if seeds == 1:
        return Estimate(mean, None, None, None, None, 1, items, population, reason=ONE_SEED)
    # One item stands for scores whose answers are not known.
    groups = (
        few_seeds.find_groups(by_seed, _two_answers(values))
        if items > 1
        else few_seeds.groups_of_scores(by_seed, within)
    )
    if groups is not None and seeds < few_seeds.MANY_SEEDS:
        return Estimate(
            *(mean, None, None, None, None, seeds, items, population),
            reason=str(groups),
            groups=groups,
        )
    if population == "this task":
        if items - len(np.unique(strata) if strata is not None else [0]) < 1:
            return Estimate(mean, None, None, None, None, seeds, items, population, reason=ONE_ITEM)
        found = _two_way(values, by_seed, strata)
    else:
        error = float(by_seed.std(ddof=1) / math.sqrt(seeds))
        found = Estimate(mean, None, None, error, seeds - 1, seeds, items, population)
    return _with_limits(
        replace(_for_few_seeds(found, by_seed, values, lean), groups=groups), within
    )


def _for_few_seeds(found: Estimate, by_seed: Array, values: Array, lean: float) -> Estimate:
    """Widen the seeds' part of an error and say how skewed the mean is, from values (s, i)."""
    if not found.error:
        return found
    seeds, items = values.shape
    own = float(by_seed.var(ddof=1)) / seeds / found.error**2  # of the whole variance
    noise = 0.0
    if items > 1 and seeds < few_seeds.MANY_SEEDS:
        squares, _ = _mean_squares(values, None)
        noise = min(1.0, squares[2] / squares[0]) if squares[0] > 0 else 1.0
    return replace(
        found,
        error=found.error * few_seeds.error_factor(seeds, own, noise, lean),
        skewness=few_seeds.skewness_of_mean(by_seed) * own**1.5,
    )


def _two_way(values: Array, by_seed: Array, strata: NDArray[np.int64] | None) -> Estimate:
    """Return the estimate for other seeds and items from values (s, i), without limits."""
    seeds, items = values.shape
    squares, freedoms = _mean_squares(values, strata)
    by_seeds, by_items, rest = squares
    # Each component counts as far as its mean square exceeds that of the rest.
    parts = np.array([max(0.0, by_seeds - rest), max(0.0, by_items - rest), rest])
    variance = float(parts.sum())
    remaining = [
        (by_seeds, freedoms[0], by_seeds > rest),
        (by_items, freedoms[1], by_items > rest),
        (rest, freedoms[2], (by_seeds > rest) == (by_items > rest)),  # else it cancels out
    ]
    below = sum(square**2 / free for square, free, counts in remaining if counts and free > 0)
    freedom = variance**2 / below if below > 0 else float(seeds - 1)
    shares = parts / variance if variance > 0 else np.array([math.nan] * 3)
    return Estimate(
        *(float(by_seed.mean()), None, None, math.sqrt(variance / (seeds * items)), freedom),
        *(seeds, items, "this task"),
        seed_share=float(shares[0]),
        item_share=float(shares[1]),
        rest_share=float(shares[2]),
    )


def _with_limits(found: Estimate, within: tuple[float, float]) -> Estimate:
    """Return the estimate with limits, which end where the metric's values do."""
    mean, error, freedom = found.mean, found.error, found.freedom
    assert mean is not None
    assert error is not None
    assert freedom is not None
    low, high = few_seeds.mean_limits(mean, error, freedom, found.skewness)
    # A mean beyond the range, as by rounding, still lies in its interval.
    low, high = max(low, min(within[0], mean)), min(high, max(within[1], mean))
    return replace(found, low=low, high=high)


def _mean_squares(
    values: Array, strata: NDArray[np.int64] | None
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean squares of seeds, items and the rest, and their degrees of freedom.

    values: (s, i). With strata, items vary around the mean of their stratum, and the rest around
    each seed's mean of the stratum.
    """
    seeds, items = values.shape
    codes = (
        np.zeros(items, dtype=np.int64)
        if strata is None
        else np.unique(strata, return_inverse=True)[1]
    )
    groups = int(codes.max()) + 1
    if seeds < 2 or items - groups < 1:
        raise ValueError(f"{seeds} seeds, {items} items in {groups} strata: at least two of each")
    member = np.zeros((items, groups))
    member[np.arange(items), codes] = 1.0
    sizes = member.sum(0)
    seed_strata = values @ member / sizes  # (s, g) means
    item_means, stratum_means = values.mean(0), seed_strata.mean(0)
    seed_means = values.mean(1)
    by_seeds = items * float(((seed_means - seed_means.mean()) ** 2).sum()) / (seeds - 1)
    by_items = seeds * float(((item_means - stratum_means[codes]) ** 2).sum()) / (items - groups)
    rest = values - seed_strata[:, codes] - item_means + stratum_means[codes]
    free = float((seeds - 1) * (items - groups))
    return (
        (by_seeds, by_items, float((rest**2).sum()) / free),
        (float(seeds - 1), float(items - groups), free),
    )
