"""How well an untouched base answers by itself, as the reference of a comparison.

It has no seeds, so its interval speaks of other examples of the task alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from peftcore.analysis.inference import SeedItemTable
from peftcore.analysis.item_tables import table_of_answers
from peftcore.analysis.resampling import LEVEL
from peftcore.metrics.scores import metric_range
from peftcore.runs.zero_shot import ZeroShot

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class BaseReference:
    """The score of a base without an adapter, with limits for other examples of the task."""

    base: str
    mean: float
    low: float
    high: float
    items: int
    words: dict[str, str]  # label → word that it was asked in
    asked_mean: float  # asked in the words of the runs
    own_words: bool  # whether both are the same words
    tried: int  # sets of words of which these are the best
    chosen_on: int  # training examples by which they were chosen

    @property
    def title(self) -> str:
        """Name it in a few words, as at a line."""
        return f"{self.base} untouched"

    def in_words(self, form: str) -> str:
        """Say what it scores, in which words, and how they were chosen."""
        words = " / ".join(self.words.values())
        found = f"{self.mean:{form}} ({self.low:{form}} to {self.high:{form}})"
        begin = f"Without any training {self.base} scores {found} on these {self.items} examples"
        if self.own_words:
            return f"{begin}, by which of the words {words} it finds likeliest."
        return (
            f"{begin} when it chooses among the words {words}, the best of {self.tried} sets on "
            f"{self.chosen_on} training examples; among the words of these runs, "
            f"{self.asked_mean:{form}}."
        )

    def as_values(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return dict(vars(self))


def reference_of(found: ZeroShot | None, metric: str) -> BaseReference | None:
    """Return the base's score by a metric; None where it has no answer that the metric counts."""
    if found is None:
        return None
    tables = [_table(found, metric, mapped) for mapped in (True, False)]
    if tables[0] is None or tables[1] is None:
        return None
    low, high = item_limits(tables[0], metric_range(metric))
    return BaseReference(
        found.base,
        float(tables[0].seed_values()[0]),
        low,
        high,
        len(tables[0].items),
        found.mapped_words,
        float(tables[1].seed_values()[0]),
        found.mapped_words == found.asked_words,
        found.tried,
        found.chosen_on,
    )


def references_of(measured: Iterable[ZeroShot], metric: str) -> list[BaseReference]:
    """Return the references that a metric counts, the best first."""
    found = (reference_of(each, metric) for each in measured)
    return sorted((each for each in found if each is not None), key=lambda each: -each.mean)


def _table(found: ZeroShot, metric: str, mapped: bool) -> SeedItemTable | None:
    """Return the answers as a table of one seed, by metrics that count labels alone."""
    if metric not in ("accuracy", "f1", "f1_positive", "matthews"):
        return None
    return table_of_answers(found.answers(mapped=mapped), metric)


def item_limits(table: SeedItemTable, within: tuple[float, float]) -> tuple[float, float]:
    """Return 95 % limits for other items of a model without seeds.

    A share has Wilson's limits, which have width even where every answer is right; another metric
    Student's t over the items' influence, within strata where items were drawn by them.
    """
    values, n = table.influence()[0], len(table.items)
    mean = float(table.seed_values()[0])
    if table.is_mean and set(np.unique(values)) <= {0.0, 1.0}:
        z = float(stats.norm.ppf(0.5 + LEVEL / 2))
        centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
        reach = z / (1 + z**2 / n) * math.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
        return min(mean, centre - reach), max(mean, centre + reach)  # rounding aside
    codes = np.zeros(n, dtype=np.int64) if table.strata is None else table.strata
    groups = len(np.unique(codes))
    if n - groups < 1:
        return within
    rest = values - np.array([values[codes == code].mean() for code in codes])
    error = math.sqrt(float((rest**2).sum()) / (n - groups) / n)
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, n - groups)) * error
    return max(within[0], mean - reach), min(within[1], mean + reach)
