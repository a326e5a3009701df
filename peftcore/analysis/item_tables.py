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
    answers = answers.drop_duplicates(["seed", "example"], keep="last")
    found = item_statistics.answer_statistics(answers, metric)
    if found is None:
        return None
    seeds = sorted(answers["seed"].unique())
    row_of = {seed: i for i, seed in enumerate(seeds)}
    items = list(dict.fromkeys(answers["example"]))
    column_of = {item: i for i, item in enumerate(items)}
    statistics = np.full((len(seeds), len(items), found.values.shape[1]), np.nan)
    rows = answers["seed"].map(row_of).to_numpy()
    columns = answers["example"].map(column_of).to_numpy()
    statistics[rows, columns] = found.values
    whole = np.isfinite(statistics).all((0, 2))
    shared = int((np.bincount(columns) == len(seeds)).sum())
    if not whole.any() or shared < len(answers) / len(seeds) / 2:
        return None
    kept = tuple(str(item) for item, keep in zip(items, whole, strict=True) if keep)
    labels = answers.drop_duplicates("example")["label"].to_numpy()[whole]
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
