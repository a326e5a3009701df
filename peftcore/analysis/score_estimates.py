"""A run's score with its interval, for a population: from the answers where that needs them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from peftcore.analysis.comparison import interval
from peftcore.analysis.inference import Estimate, Population, SeedItemTable, estimate
from peftcore.analysis.item_tables import table_of_answers
from peftcore.metrics.scores import metric_range


class ScoredRun(Protocol):
    """The parts of a run that have its results."""

    def scores(self) -> dict[str, list[float]]:
        """Return metric → one value per seed."""

    def answers(self) -> pd.DataFrame:
        """Return every answer of every seed."""


def score_estimate(run: ScoredRun, metric: str, population: Population = "this task") -> Estimate:
    """Estimate a metric of a run for a population.

    Where answers do not give the stored scores (a metric without parts by item, answers that were
    not kept) the estimate is about these examples, with no items, and says so in its population.
    """
    values = run.scores()[metric]
    if population == "this task":
        table = table_of_answers(run.answers(), metric)
        if table is not None and _gives_scores(table, values):
            return estimate(table, population, metric_range(metric))
    found = interval(values, metric_range(metric))
    limits = (found.mean, found.low, found.high, None, None)
    return Estimate(*limits, found.n, 0, "these examples", reason=found.reason)


def _gives_scores(table: SeedItemTable, values: list[float]) -> bool:
    """Return whether a table of answers has the scores that are stored."""
    stored = np.array(values, dtype=float)
    return len(stored) == len(table.seeds) and np.allclose(
        table.seed_values(), stored, atol=1e-6, equal_nan=True
    )
