"""The newest results in a table for Home; intervals and tests are Compare's business."""

from __future__ import annotations

from typing import Any

import pandas as pd

from app.state import cache
from app.state.run_catalog import method_title
from app.ui.widgets import format_metric
from peftcore.metrics.scores import find_measure


def latest_results(limit: int) -> pd.DataFrame:
    """The newest finished runs, one row each, with the main measure of their task."""
    known = {task.name: task for task in cache.list_tasks()}
    rows: list[dict[str, Any]] = []
    for run, seeds in cache.run_table().groupby("run", sort=False):
        first = seeds.iloc[0]
        task = known.get(first["task"])
        if first["state"] != "done" or task is None or task.main_metric not in seeds:
            continue
        values = seeds[task.main_metric].dropna()
        if values.empty or len(rows) == limit:
            continue
        rows.append(
            {
                "Task": task.title,
                "Method": method_title(first["method"]),
                "Score": format_metric(values.mean()),
                "Range": f"{format_metric(values.min())} to {format_metric(values.max())}",
                "Seeds": len(values),
                "Measure": find_measure(task.main_metric).title,
                "Run": f"/runs?run={run}",
                "Base": first["base"],
                "From": "demo" if first["demo"] else "you",
            }
        )
    return pd.DataFrame(rows)
