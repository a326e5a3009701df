"""Scores of a run as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from peftcore.analysis.comparison import interval
from peftcore.analysis.forgetting import estimate_forgetting
from peftcore.metrics.scores import metric_range
from peftcore.runs.forgetting import LOSS
from peftcore.runs.store import Run
from peftcore.system.printing import format_cell, format_table


def scores_with_intervals(run: Run) -> dict[str, dict[str, Any]]:
    """Read metric → mean, 95 % interval and the value of each seed."""
    by_metric = {}
    for metric, values in run.scores().items():
        estimate = interval(values, metric_range(metric))
        by_metric[metric] = {
            "mean": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "seeds": values,
        }
    return by_metric


def score_lines(by_metric: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield scores as a table."""
    rows = [
        (name, s["mean"], s["low"], s["high"], " ".join(map(format_cell, s["seeds"])))
        for name, s in by_metric.items()
    ]
    return format_table(["metric", "mean", "low", "high", "seeds"], rows)


def forgetting_with_intervals(run: Run) -> dict[str, dict[str, Any]]:
    """Read what a run forgot: measure → before, after, change with interval; empty if unknown."""
    found = run.forgetting()
    if found is None:
        return {}
    seeds = run.spec.population.seed_numbers()
    return {
        measure: {
            "before": each.before,
            "after": each.after,
            "mean": each.change.mean,
            "low": each.change.low,
            "high": each.change.high,
            "seeds": each.seeds,
            "n": each.change.items,
            "of": found.text if measure == LOSS else found.pairs,
        }
        for measure, each in estimate_forgetting(found, seeds).items()
    }


def forgetting_lines(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield what a run forgot as a table; the interval speaks of other seeds and other texts."""
    heads = ["measure", "before", "after", "forgotten", "low", "high", "seeds", "n", "of"]
    rows = [
        (
            *(name, m["before"], m["after"], m["mean"], m["low"], m["high"]),
            *(" ".join(map(format_cell, m["seeds"])), m["n"], m["of"]),
        )
        for name, m in measures.items()
    ]
    return format_table(heads, rows)
