"""Figures of the pictures lab as tables: means and 95 % intervals over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.analysis.comparison import interval

if TYPE_CHECKING:
    from peftcore.runs.store import Run

Array = NDArray[np.floating]
METRICS = ("alignment", "old_alignment", "facts", "belief", "evidence")


def by_method(
    runs: Iterable[Run], figures: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """One row for each run and metric: method, run, kept, trainable, metric, mean, low, high, n.

    Runs that have a figure of pruning come a second time, pruned: kept tells to how many atoms.
    """
    rows = []
    for run in runs:
        told: list[tuple[str, Mapping[str, Iterable[float]]]] = [("all", run.scores())]
        if figures and run.id in figures:
            table = pruned(figures[run.id])
            few, many = table.k.min(), table.k.max()
            kept = str(few) if few == many else f"{few} to {many}"
            told.append((kept, {name: table[name] for name in METRICS[:3]}))
        for kept, scores in told:
            for metric, values in scores.items():
                rows.append({"method": run.spec.method, "run": run.id, "kept": kept,
                             "trainable": run.status().trainable, "metric": metric,
                             **vars(interval(values))})  # fmt: skip
    columns = ["method", "run", "kept", "trainable", "metric", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def curve(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Alignment by number of atoms kept: order, k, metric, mean, low, high, n.

    Random orders of one seed are averaged before seeds are.  None and all atoms belong to every
    order.
    """
    table = pd.DataFrame(figure["rows"])
    ends = table[table.k.isin([table.k.min(), table.k.max()])]
    inner = table.drop(ends.index)
    table = pd.concat([inner, *(ends.assign(order=name) for name in dict.fromkeys(table.order))])
    known = [metric for metric in METRICS if metric in table]
    each = table.groupby(["order", "k", "seed"])[known].mean().reset_index()
    return _bands(each, ["order", "k"])


def mixes(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Alignment with both runs' atoms, one run's and none: with, metric, mean, low, high, n."""
    return _bands(pd.DataFrame(figure["rows"]), ["with"])


def shares(figure: Mapping[str, Any]) -> pd.DataFrame:
    """The grid of shares, a mean over seeds at each: concept, style, alignment, facts, n."""
    table = pd.DataFrame(figure["grid"])
    found = table.groupby(["concept", "style"]).agg(
        alignment=("alignment", "mean"), facts=("facts", "mean"), n=("seed", "nunique")
    )
    return found.reset_index()


def alone(concept: Run, style: Run) -> tuple[float, float, float]:
    """Mean alignment of each run with its own new prompts, and of both were they independent."""
    one, other = (np.array(run.scores()["alignment"]) for run in (concept, style))
    many = min(len(one), len(other))
    return float(one.mean()), float(other.mean()), float((one[:many] * other[:many]).mean())


def _bands(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    rows = []
    for at, group in table.groupby(list(keys), sort=False):
        for metric in (m for m in METRICS if m in group):
            found = interval(group[metric])
            rows.append(dict(zip(keys, at, strict=True)) | {"metric": metric} | vars(found))
    return pd.DataFrame(rows, columns=[*keys, "metric", "mean", "low", "high", "n"])


@dataclass(frozen=True)
class Rise:
    """How steadily a metric rises with the atoms kept, on the mean over seeds.

    The intervals are of 95 % by drawing seeds again (bootstrap).
    """

    spearman: float  # rank correlation with the number of atoms; 1 is monotone
    spearman_low: float
    spearman_high: float
    kendall: float
    kendall_low: float
    kendall_high: float
    steps: int  # from one number of atoms to the next
    kept_up: int  # of them do not fall
    deepest: float  # most that a number of atoms lies below a smaller number
    seeds: int


DRAWS = 2000  # of seeds, for an interval


def rise(figure: Mapping[str, Any], metric: str = "", order: str = "") -> Rise:
    """How steadily a metric rises along an order; without names the first of a figure's own.

    nan where every number of atoms is as good as the next.
    """
    table = pd.DataFrame(figure["rows"])
    metric, order = metric or eye(figure), order or orders(figure)[0]
    ends = table.k.isin([table.k.min(), table.k.max()])
    mine = table[(table.order == order) | ends]
    wide = mine.groupby(["seed", "k"])[metric].mean().unstack("k").sort_index(axis=1)
    curves, ks = wide.to_numpy(dtype=float), np.asarray(wide.columns, dtype=float)
    picked = np.random.default_rng(0).integers(len(curves), size=(DRAWS, len(curves)))
    drawn = curves[picked].mean(1)
    mean = curves.mean(0)
    told: dict[str, float] = {}
    for name, measure in (("spearman", _spearman), ("kendall", _kendall)):
        whole, draws = measure(ks, mean[None])[0], measure(ks, drawn)
        draws = draws[np.isfinite(draws)]
        low, high = np.percentile(draws, (2.5, 97.5)) if len(draws) else (np.nan, np.nan)
        told |= {name: float(whole), f"{name}_low": float(low), f"{name}_high": float(high)}
    below = np.maximum.accumulate(mean) - mean
    steps = np.diff(mean)
    return Rise(
        **told,
        steps=len(steps),
        kept_up=int((steps >= 0).sum()),
        deepest=float(below.max()),
        seeds=len(curves),
    )


def eye(figure: Mapping[str, Any]) -> str:
    """The metric that tells most about a picture: how far it is as asked, where that was kept."""
    return "belief" if "belief" in figure["rows"][0] else "alignment"


def orders(figure: Mapping[str, Any]) -> list[str]:
    """The orders that a figure's atoms were kept in, without the random ones."""
    found = dict.fromkeys(row["order"] for row in figure["rows"])
    return [order for order in found if order != "random"]


def _spearman(ks: Array, curves: Array) -> Array:
    """Rank correlation of each curve (n, k) with ks."""
    return _correlated(_ranks(ks[None]), _ranks(curves))


def _ranks(values: Array) -> Array:
    """Ranks along each row (n, k), ties sharing their mean."""
    other = values[:, None, :]
    below = (other < values[:, :, None]).sum(-1)
    found: Array = below + ((other == values[:, :, None]).sum(-1) + 1) / 2
    return found


def _kendall(ks: Array, curves: Array) -> Array:
    """Kendall's τ-b of each curve (n, k) with ks: ordered pairs less disordered ones."""
    upper = np.triu_indices(len(ks), 1)
    way = np.sign(ks[:, None] - ks)[upper]
    signs = np.sign(curves[:, :, None] - curves[:, None, :])[:, *upper]
    untied = np.abs(signs).sum(1) * np.abs(way).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (signs * way).sum(1) / np.sqrt(untied)
    return found


def _correlated(first: Array, second: Array) -> Array:
    one, other = (x - x.mean(1, keepdims=True) for x in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (one * other).sum(1) / np.sqrt((one**2).sum(1) * (other**2).sum(1))
    return found


def pruned(figure: Mapping[str, Any], order: str = "") -> pd.DataFrame:
    """Every seed with as many atoms as suit the others best: seed, k, metrics, gain and old_gain.

    How many are kept is chosen by the alignment of the other seeds, so that no seed chooses for
    itself; gains are alignment above that with all atoms, of new prompts and of old ones.
    """
    order = order or orders(figure)[0]
    table = pd.DataFrame(figure["rows"])
    ends = table.k.isin([table.k.min(), table.k.max()])
    mine = table[(table.order == order) | ends].drop_duplicates(["seed", "k"])
    wide = mine.pivot_table(index="seed", columns="k", values="alignment").sort_index(axis=1)
    rows = []
    for seed in wide.index:
        others = wide.drop(index=seed) if len(wide) > 1 else wide
        k = int(others.mean().idxmax())
        held = mine[(mine.seed == seed) & (mine.k == k)].iloc[0]
        known = {metric: held[metric] for metric in METRICS if metric in held}
        whole = mine[(mine.seed == seed) & (mine.k == mine.k.max())].iloc[0]
        gains = {"gain": held.alignment - whole.alignment,
                 "old_gain": held.old_alignment - whole.old_alignment}  # fmt: skip
        rows.append({"seed": int(seed), "k": k} | known | gains)
    return pd.DataFrame(rows)


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
