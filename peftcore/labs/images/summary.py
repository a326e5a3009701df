"""Figures of the pictures lab as tables: means and 95 % intervals over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.analysis.comparison import interval
from peftcore.metrics.scores import metric_range

if TYPE_CHECKING:
    from peftcore.runs.store import Run

FloatArray = NDArray[np.floating]
METRICS = ("alignment", "old_alignment", "facts", "belief", "evidence")


def scores_by_method(
    runs: Iterable[Run], figures: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Return a row per run and metric: method, run, kept, trainable, metric, mean, low, high, n.

    Runs that have a figure of pruning come a second time, pruned: kept tells to how many atoms.
    """
    rows = []
    for run in runs:
        score_sets: list[tuple[str, Mapping[str, Iterable[float]]]] = [("all", run.scores())]
        if figures and run.id in figures:
            table = cross_validated_pruning(figures[run.id])
            fewest, most = table.k.min(), table.k.max()
            kept = str(fewest) if fewest == most else f"{fewest} to {most}"
            score_sets.append((kept, {name: table[name] for name in METRICS[:3]}))
        for kept, scores in score_sets:
            for metric, values in scores.items():
                rows.append({"method": run.spec.method, "run": run.id, "kept": kept,
                             "trainable": run.status().trainable, "metric": metric,
                             **vars(interval(values, metric_range(metric)))})  # fmt: skip
    columns = ["method", "run", "kept", "trainable", "metric", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def pruning_curve(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Return alignment by number of atoms kept: order, k, metric, mean, low, high, n.

    Random orders of one seed are averaged before seeds are.  None and all atoms belong to every
    order.
    """
    table = pd.DataFrame(figure["rows"])
    ends = table[table.k.isin([table.k.min(), table.k.max()])]
    inner = table.drop(ends.index)
    table = pd.concat([inner, *(ends.assign(order=name) for name in dict.fromkeys(table.order))])
    metrics = [metric for metric in METRICS if metric in table]
    seed_means = table.groupby(["order", "k", "seed"])[metrics].mean().reset_index()
    return _intervals(seed_means, ["order", "k"])


def mix_scores(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Return alignment with both runs' atoms, one's and none: with, metric, mean, low, high, n."""
    return _intervals(pd.DataFrame(figure["rows"]), ["with"])


def share_grid_scores(figure: Mapping[str, Any]) -> pd.DataFrame:
    """Return the grid of shares, means over seeds: concept, style, alignment, facts, n."""
    table = pd.DataFrame(figure["grid"])
    grouped = table.groupby(["concept", "style"]).agg(
        alignment=("alignment", "mean"), facts=("facts", "mean"), n=("seed", "nunique")
    )
    return grouped.reset_index()


def independent_alignment(concept: Run, style: Run) -> tuple[float, float, float]:
    """Return each run's mean alignment with its new prompts, and both's if independent."""
    concept_scores, style_scores = (np.array(run.scores()["alignment"]) for run in (concept, style))
    seed_count = min(len(concept_scores), len(style_scores))
    return (
        float(concept_scores.mean()),
        float(style_scores.mean()),
        float((concept_scores[:seed_count] * style_scores[:seed_count]).mean()),
    )


def _intervals(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    rows = []
    for key_values, group in table.groupby(list(keys), sort=False):
        for metric in (name for name in METRICS if name in group):
            summary = interval(group[metric], metric_range(metric))
            rows.append(
                dict(zip(keys, key_values, strict=True)) | {"metric": metric} | vars(summary)
            )
    return pd.DataFrame(rows, columns=[*keys, "metric", "mean", "low", "high", "n"])


@dataclass(frozen=True)
class Monotonicity:
    """The monotonicity of a metric over the atoms kept, on the mean over seeds.

    Low and high are the smallest and largest value with one seed left out: no 95 % interval, since
    the few seeds of a run carry none.
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


def measure_monotonicity(
    figure: Mapping[str, Any], metric: str = "", order: str = ""
) -> Monotonicity:
    """Measure how steadily a metric rises along an order; by default the figure's first ones.

    nan where every number of atoms is as good as the next.
    """
    table = pd.DataFrame(figure["rows"])
    metric, order = metric or headline_metric(figure), order or ranked_orders(figure)[0]
    ends = table.k.isin([table.k.min(), table.k.max()])
    order_rows = table[(table.order == order) | ends]
    wide = order_rows.groupby(["seed", "k"])[metric].mean().unstack("k").sort_index(axis=1)
    curves, ks = wide.to_numpy(dtype=float), np.asarray(wide.columns, dtype=float)
    mean = curves.mean(0)
    others = (curves.sum(0) - curves) / max(len(curves) - 1, 1)  # each seed left out, (s, k)
    statistics: dict[str, float] = {}
    for name, measure in (("spearman", _spearman), ("kendall", _kendall)):
        estimates = measure(ks, mean[None])[0]
        without_one = measure(ks, others) if len(curves) > 1 else np.zeros(0)
        without_one = without_one[np.isfinite(without_one)]
        low, high = (without_one.min(), without_one.max()) if len(without_one) else (np.nan, np.nan)
        statistics |= {
            name: float(estimates),
            f"{name}_low": float(low),
            f"{name}_high": float(high),
        }
    drops = np.maximum.accumulate(mean) - mean
    steps = np.diff(mean)
    return Monotonicity(
        **statistics,
        steps=len(steps),
        kept_up=int((steps >= 0).sum()),
        deepest=float(drops.max()),
        seeds=len(curves),
    )


def headline_metric(figure: Mapping[str, Any]) -> str:
    """Return the metric that says most about an image: the belief, where that was kept."""
    return "belief" if "belief" in figure["rows"][0] else "alignment"


def ranked_orders(figure: Mapping[str, Any]) -> list[str]:
    """Return the orders that a figure's atoms were kept in, without the random ones."""
    names = dict.fromkeys(row["order"] for row in figure["rows"])
    return [order for order in names if order != "random"]


def _spearman(ks: FloatArray, curves: FloatArray) -> FloatArray:
    """Return the rank correlation (n,) of each curve (n, k) with ks (k,)."""
    return _pearson(_ranks(ks[None]), _ranks(curves))


def _ranks(values: FloatArray) -> FloatArray:
    """Return ranks along each row (n, k), ties sharing their mean."""
    other = values[:, None, :]
    below = (other < values[:, :, None]).sum(-1)
    ranks: FloatArray = below + ((other == values[:, :, None]).sum(-1) + 1) / 2
    return ranks


def _kendall(ks: FloatArray, curves: FloatArray) -> FloatArray:
    """Return Kendall's τ-b (n,) of each curve (n, k) with ks (k,)."""
    upper = np.triu_indices(len(ks), 1)
    directions = np.sign(ks[:, None] - ks)[upper]
    signs = np.sign(curves[:, :, None] - curves[:, None, :])[:, *upper]
    untied = np.abs(signs).sum(1) * np.abs(directions).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        tau: FloatArray = (signs * directions).sum(1) / np.sqrt(untied)
    return tau


def _pearson(first: FloatArray, second: FloatArray) -> FloatArray:
    first_centred, second_centred = (x - x.mean(1, keepdims=True) for x in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations: FloatArray = (first_centred * second_centred).sum(1) / np.sqrt(
            (first_centred**2).sum(1) * (second_centred**2).sum(1)
        )
    return correlations


def cross_validated_pruning(figure: Mapping[str, Any], order: str = "") -> pd.DataFrame:
    """Return seeds with as many atoms as suit the others best: seed, k, metrics, gain, old_gain.

    How many are kept is chosen by the alignment of the other seeds, so that no seed chooses for
    itself; gains are alignment above that with all atoms, of new prompts and of old ones.
    """
    order = order or ranked_orders(figure)[0]
    table = pd.DataFrame(figure["rows"])
    ends = table.k.isin([table.k.min(), table.k.max()])
    order_rows = table[(table.order == order) | ends].drop_duplicates(["seed", "k"])
    wide = order_rows.pivot_table(index="seed", columns="k", values="alignment").sort_index(axis=1)
    rows = []
    for seed in wide.index:
        others = wide.drop(index=seed) if len(wide) > 1 else wide
        k = int(others.mean().idxmax())
        chosen = order_rows[(order_rows.seed == seed) & (order_rows.k == k)].iloc[0]
        scores = {metric: chosen[metric] for metric in METRICS if metric in chosen}
        unpruned = order_rows[
            (order_rows.seed == seed) & (order_rows.k == order_rows.k.max())
        ].iloc[0]
        gains = {"gain": chosen.alignment - unpruned.alignment,
                 "old_gain": chosen.old_alignment - unpruned.old_alignment}  # fmt: skip
        rows.append({"seed": int(seed), "k": k} | scores | gains)
    return pd.DataFrame(rows)


def fewest_sufficient_atoms(
    intervals: pd.DataFrame, metric: str = "alignment", order: str = "importance"
) -> int | None:
    """Return the fewest atoms in an order whose interval reaches all atoms' mean; None: unknown."""
    line = intervals[(intervals.order == order) & (intervals.metric == metric)].sort_values("k")
    if line.empty:
        return None
    whole = float(line["mean"].iloc[-1])
    sufficient = line[(line["high"].fillna(line["mean"]) >= whole)]
    return int(sufficient.k.iloc[0]) if len(sufficient) else None
