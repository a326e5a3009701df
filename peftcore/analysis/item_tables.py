"""Tables seeds × items of a run's answers, from which intervals are computed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from peftcore.analysis.inference import SeedItemTable
from peftcore.metrics import item_statistics


def table_of_answers(answers: pd.DataFrame, metric: str) -> SeedItemTable | None:
    """Build the table of a metric from a run's answers (`Run.answers`).

    Items that some seed did not answer, or that have no score (no gold explanation), are left out.
    Strata are the gold labels, where every example has one of few: test rows are drawn balanced by
    them. None for metrics without parts by item, without a single whole item, or where every seed
    answered items of its own: then its mean varies with them already.
    """
    if answers.empty:
        return None
    rows, seeds = pd.factorize(answers["seed"], sort=True)
    columns, items = pd.factorize(answers["example"])
    last = np.full((len(seeds), len(items)), -1)
    last[rows, columns] = np.arange(len(answers))  # of repeated answers the last counts
    if (last >= 0).sum() < len(answers):
        kept_rows = np.sort(last[last >= 0])
        answers, rows, columns = answers.iloc[kept_rows], rows[kept_rows], columns[kept_rows]
    found = item_statistics.answer_statistics(answers, metric)
    if found is None:
        return None
    statistics = np.full((len(seeds), len(items), found.values.shape[1]), np.nan)
    statistics[rows, columns] = found.values
    whole = np.isfinite(statistics).all((0, 2))
    shared = int((np.bincount(columns) == len(seeds)).sum())
    if not whole.any() or shared < len(answers) / len(seeds) / 2:
        return None
    kept = tuple(str(item) for item, keep in zip(items, whole, strict=True) if keep)
    first = np.zeros(len(items), int)  # row of each item's first answer, in the order of columns
    first[columns[::-1]] = np.arange(len(answers))[::-1]
    labels = answers["label"].iloc[first[whole]].to_numpy()
    return SeedItemTable(
        tuple(int(seed) for seed in seeds),
        kept,
        statistics[:, whole],
        found.combine,
        _strata(labels),
    )


def _strata(labels: np.ndarray) -> np.ndarray | None:
    """Return codes of the labels (i,), None unless each item has one of few shared labels."""
    if pd.isna(labels).any():
        return None
    codes, names = pd.factorize(labels)
    counts = np.bincount(codes)
    return (
        codes.astype(np.int64) if 1 < len(names) <= len(labels) / 5 and counts.min() > 1 else None
    )
