"""Scores of a run as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from peftcore.system.printing import format_cell, format_table

if TYPE_CHECKING:
    from peftcore.runs.store import Run


def scores_with_intervals(run: Run) -> dict[str, dict[str, Any]]:
    """Metric → mean, 95 % interval and the value of each seed."""
    from peftcore.analysis.comparison import interval

    by_metric = {}
    for metric, values in run.scores().items():
        estimate = interval(values)
        by_metric[metric] = {
            "mean": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "seeds": values,
        }
    return by_metric


def score_lines(by_metric: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Scores as a table."""
    rows = [
        (name, s["mean"], s["low"], s["high"], " ".join(map(format_cell, s["seeds"])))
        for name, s in by_metric.items()
    ]
    return format_table(["metric", "mean", "low", "high", "seeds"], rows)
