"""The seeds × items table of a run's metric: from its answers, or from its scores alone.

Answers are read only as far as a metric needs them. Where they do not give the scores that are
stored (a metric without parts by item, answers that were not kept, another version of a scoring
package), the stored scores count and the table has no items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from peftcore.analysis.comparability import Comparable
from peftcore.analysis.inference import SeedItemTable
from peftcore.analysis.item_tables import table_of_answers
from peftcore.metrics import item_statistics
from peftcore.metrics.scores import find_measure

NO_ITEMS = ""  # the one item of a table that has scores of seeds only
LABEL_COLUMNS = ("seed", "example", "label", "predicted", "correct")
COLUMNS: dict[str, tuple[str, ...]] = {  # of answers, that decide a metric; else all of them
    **dict.fromkeys(("accuracy", "f1", "matthews"), LABEL_COLUMNS),
    "broken": (*LABEL_COLUMNS, "target", "explanation"),
    "unexplained": (*LABEL_COLUMNS, "explanation"),
}
TOLERANCE = 1e-6  # of a metric's range, between a stored score and that of the answers


class ScoredRun(Comparable, Protocol):
    """The parts of a run that have its results."""

    def scores(self) -> dict[str, list[float]]:
        """Return metric → one value per seed."""

    def answers(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return every answer of every seed, these columns only if any are named."""


def table_of_run(run: ScoredRun, metric: str) -> SeedItemTable | None:
    """Build the table of a run's metric; None if the run was not scored by it."""
    scores = run.scores().get(metric)
    if scores is None or not np.isfinite(np.asarray(scores, dtype=float)).any():
        return None
    numbers = run.spec.population.seed_numbers()
    if metric in item_statistics.MAKERS:
        table = table_of_answers(run.answers(COLUMNS.get(metric, ())), metric)
        if table is not None and _gives_scores(table, numbers, scores, metric):
            return table
    return table_of_seeds(numbers, scores)


def table_of_seeds(numbers: Sequence[int], scores: Sequence[float]) -> SeedItemTable:
    """Build a table without items from one score per seed."""
    count = min(len(numbers), len(scores))
    values = np.asarray(scores[:count], dtype=float)[:, None, None]
    return SeedItemTable(tuple(numbers[:count]), (NO_ITEMS,), values)


def without_items(table: SeedItemTable) -> SeedItemTable:
    """Reduce a table to the scores of its seeds."""
    return table_of_seeds(table.seeds, table.seed_values().tolist())


def has_items(table: SeedItemTable) -> bool:
    """Return whether a table was made of answers."""
    return table.items != (NO_ITEMS,)


def _gives_scores(
    table: SeedItemTable, numbers: Sequence[int], scores: Sequence[float], metric: str
) -> bool:
    """Return whether the table's seeds have the stored scores."""
    stored = dict(zip(numbers, scores, strict=False))
    if set(stored) != set(table.seeds):
        return False
    wanted = np.array([stored[seed] for seed in table.seeds], dtype=float)
    near = TOLERANCE * find_measure(metric).maximum
    return bool(np.allclose(table.seed_values(), wanted, rtol=0, atol=near, equal_nan=True))
