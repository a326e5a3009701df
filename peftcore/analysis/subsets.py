"""Compare runs that train different subsets of a base's weights: scores, pairs, layers.

Tables come in as `sweeps.grid.RunGrid.table` makes them: one row per subset and seed.  Intervals
are those of `comparison`, over seeds, unless estimates for another population are given. Pairs of
subsets are judged as any runs are (`judgement`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from peftcore.analysis.comparison import (
    Interval,
    interval,
    paired_difference,
)
from peftcore.analysis.inference import Estimate

SCORE_COLUMNS = ["name", "metric", "mean", "low", "high", "n", "reason", "trainable"]
LAYER_COLUMNS = [
    "stack",
    "layer",
    "way",
    "mean",
    "difference",
    "low",
    "high",
    "p",
    "n",
    "trainable",
]


def subset_scores(
    table: pd.DataFrame,
    metrics: Sequence[str],
    estimates: Mapping[str, Mapping[str, Estimate]] | None = None,
) -> pd.DataFrame:
    """Return one row per subset and metric, in the subsets' order: columns GRID.

    estimates: subset → metric → its estimate, in place of intervals over the seeds of the table.
    """
    rows = []
    for name, seeds in table.groupby("name", sort=False):
        for metric in metrics:
            known = estimates.get(str(name), {}).get(metric) if estimates else None
            found = interval(seeds.get(metric, [])) if known is None else known
            n = found.n if isinstance(found, Interval) else found.seeds
            where = (found.mean, found.low, found.high, n, found.reason)
            rows.append((name, metric, *where, seeds["trainable"].iloc[0]))
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def layer_effects(table: pd.DataFrame, metric: str, whole: str) -> pd.DataFrame:
    """Return the effect of a layer alone, and the loss without it, against the whole choice.

    The table also has columns stack, layer and way ("alone" or "without"); the subset called
    `whole` is what differences are taken from. Columns LAYERS.
    """
    scores = _by_seed(table, metric)
    rows = []
    for name, seeds in table[table["name"] != whole].groupby("name", sort=False):
        first = seeds.iloc[0]
        gap = paired_difference(scores.get(whole, {}), scores[str(name)])
        rows.append(
            (
                *(first["stack"], first["layer"], first["way"]),
                interval(scores[str(name)].values()).mean,
                *(gap.mean, gap.low, gap.high, gap.p, gap.n),
                first["trainable"],
            )
        )
    return pd.DataFrame(rows, columns=LAYER_COLUMNS)


def _by_seed(table: pd.DataFrame, metric: str) -> dict[str, Mapping[int, float]]:
    """Return subset → seed → value, leaving out seeds without one."""
    kept = table.dropna(subset=[metric]) if metric in table else table.iloc[:0]
    return {
        str(name): dict(zip(seeds["seed"].astype(int), seeds[metric].astype(float), strict=True))
        for name, seeds in kept.groupby("name", sort=False)
    }
