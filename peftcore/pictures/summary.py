"""Figures of the pictures lab as tables: means and 95 % intervals over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore.analysis.comparison import interval

if TYPE_CHECKING:
    from peftcore.runs import Run

METRICS = ("alignment", "old_alignment", "facts")


def by_method(runs: Iterable[Run]) -> pd.DataFrame:
    """One row for each run and metric: method, run, trainable, metric, mean, low, high, n."""
    rows = []
    for run in runs:
        for metric, values in run.scores().items():
            found = interval(values)
            rows.append({"method": run.spec.method, "run": run.id,
                         "trainable": run.status().trainable, "metric": metric,
                         "mean": found.mean, "low": found.low, "high": found.high,
                         "n": found.n})  # fmt: skip
    columns = ["method", "run", "trainable", "metric", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def curve(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Alignment by number of atoms kept: order, k, metric, mean, low, high, n.

    Random orders of one seed are averaged before seeds are.  None and all atoms belong to every
    order.
    """
    table = pd.DataFrame(figure["rows"])
    ends = table[(table.order == "importance") & table.k.isin([table.k.min(), table.k.max()])]
    others = [ends.assign(order=name) for name in set(table.order) - {"importance"}]
    table = pd.concat([table, *others], ignore_index=True)
    each = table.groupby(["order", "k", "seed"])[list(METRICS)].mean().reset_index()
    return _bands(each, ["order", "k"])


def mixes(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Alignment with both runs' atoms, one run's and none: with, metric, mean, low, high, n."""
    return _bands(pd.DataFrame(figure["rows"]), ["with"])


def _bands(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    rows = []
    for at, group in table.groupby(list(keys), sort=False):
        for metric in (m for m in METRICS if m in group):
            found = interval(group[metric])
            rows.append(dict(zip(keys, at, strict=True)) | {"metric": metric} | vars(found))
    return pd.DataFrame(rows, columns=[*keys, "metric", "mean", "low", "high", "n"])


def rising(band: pd.DataFrame, metric: str = "alignment", order: str = "importance") -> float:
    """Spearman correlation of atoms kept, in an order, with the mean of a metric; 1 is monotone.

    NaN where every number of atoms is as good as the next.
    """
    from scipy.stats import spearmanr

    line = band[(band.order == order) & (band.metric == metric)].sort_values("k")
    if line["mean"].nunique() < 2:
        return float("nan")
    return float(spearmanr(line.k, line["mean"]).statistic)


def unneeded(
    band: pd.DataFrame, metric: str = "alignment", order: str = "importance"
) -> int | None:
    """Fewest atoms, in an order, whose interval reaches the mean of all atoms; None: unknown."""
    line = band[(band.order == order) & (band.metric == metric)].sort_values("k")
    if line.empty:
        return None
    whole = float(line["mean"].iloc[-1])
    reach = line[(line["high"].fillna(line["mean"]) >= whole)]
    return int(reach.k.iloc[0]) if len(reach) else None
