"""Scores of a run as commands print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from peftcore.system.printing import cell, table

if TYPE_CHECKING:
    from peftcore.runs.store import Run


def scores(run: Run) -> dict[str, dict[str, Any]]:
    """Metric → mean, 95 % interval and the value of each seed."""
    from peftcore.analysis.comparison import interval

    found = {}
    for metric, values in run.scores().items():
        here = interval(values)
        found[metric] = {"mean": here.mean, "low": here.low, "high": here.high, "seeds": values}
    return found


def score_lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Scores as a table."""
    rows = [
        (name, s["mean"], s["low"], s["high"], " ".join(map(cell, s["seeds"])))
        for name, s in found.items()
    ]
    return table(["metric", "mean", "low", "high", "seeds"], rows)
