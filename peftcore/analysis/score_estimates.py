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


def score_estimates(run: ScoredRun, population: Population = "this task") -> dict[str, Estimate]:
    """Return metric → its estimate for a population.

    Where answers do not give the stored scores (a metric without parts by item, answers that were
    not kept) the estimate is about these examples, with no items, and says so in its population.
    """
    scores = run.scores()
    answers = run.answers() if population == "this task" and scores else pd.DataFrame()
    return {metric: _estimate_score(answers, metric, values) for metric, values in scores.items()}


def _estimate_score(answers: pd.DataFrame, metric: str, values: list[float]) -> Estimate:
    """Return the estimate of a metric from a run's answers, else from its stored scores."""
    table = table_of_answers(answers, metric)
    if table is not None and _gives_scores(table, values):
        return estimate(table, "this task", metric_range(metric))
    found = interval(values, metric_range(metric))
    limits = (found.mean, found.low, found.high, None, None)
    return Estimate(*limits, found.n, 0, "these examples", reason=found.reason)


def _gives_scores(table: SeedItemTable, values: list[float]) -> bool:
    """Return whether a table of answers has the scores that are stored."""
    stored = np.array(values, dtype=float)
    return len(stored) == len(table.seeds) and np.allclose(
        table.seed_values(), stored, atol=1e-6, equal_nan=True
    )
