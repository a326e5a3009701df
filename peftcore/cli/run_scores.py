"""Scores of a run as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from peftcore.analysis.comparison import interval
from peftcore.metrics.scores import metric_range
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
