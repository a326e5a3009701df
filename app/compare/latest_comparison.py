"""The newest comparison, for Home: the newest finished run and those it can be compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from app.state import cache
from app.ui.run_styles import styles_by_run
from peftcore.metrics.scores import METRICS
from peftcore.reports.styles import RunStyle

MOST_RUNS = 6
WORKING = ("running", "training", "answering", "queued")


@dataclass(frozen=True)
class LatestComparison:
    """Runs of one task and base, newest first, with their seeds' scores by its main measure."""

    task: str  # in words
    base: str
    metric: str
    values: dict[str, list[float]]
    styles: dict[str, RunStyle]
    is_demo: bool


def latest_comparison() -> LatestComparison | None:
    """Return the newest finished run with the runs of its task and base; None without any."""
    known = {task.name: task for task in cache.list_tasks()}
    table, chosen = cache.run_table(), dict[str, list[float]]()
    task = base = None
    is_demo = False
    for run, seeds in table.groupby("run", sort=False) if len(table) else ():
        first = seeds.iloc[0]
        found = known.get(first["task"])
        if first["state"] != "done" or found is None or found.main_metric not in METRICS:
            continue
        if task is not None and (found, first["base"]) != (task, base):
            continue
        values = _finite(seeds, found.main_metric)
        if values:
            is_demo = is_demo if chosen else bool(first["demo"])
            task, base = found, str(first["base"])
            chosen[str(run)] = values
        if len(chosen) == MOST_RUNS:
            break
    if task is None or base is None:
        return None
    runs = [cache.run_store().open(run) for run in chosen]
    return LatestComparison(
        task.title, base, task.main_metric, chosen, styles_by_run(runs), is_demo
    )


def _finite(seeds: pd.DataFrame, metric: str) -> list[float]:
    """Return the scores of seeds that are numbers."""
    values = seeds[metric].tolist() if metric in seeds else []
    return [float(value) for value in values if math.isfinite(value)]


def running_runs() -> list[tuple[str, str]]:
    """Return the runs that wait or are worked on, newest first, with their state."""
    table = cache.run_table()
    if table.empty:
        return []
    working = table[table["state"].isin(WORKING)].drop_duplicates("run")
    return [(str(row.run), str(row.state)) for row in working.itertuples()]
