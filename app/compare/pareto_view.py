"""Pareto: any two of score, size, time, memory and forgetting, and how sure the front is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from app.compare import tables
from app.compare.selection import Comparison
from app.figures import pareto
from app.figures.compare import find_measure, value_format
from app.figures.pareto import Axis
from app.ui import pickers
from app.ui.charts import chart
from app.ui.widgets import escape_markdown
from peftcore.analysis import fronts
from peftcore.analysis.resampling import Array
from peftcore.runs.store import Run, RunStatus

COSTS: dict[str, tuple[Axis, Callable[[RunStatus], float | None]]] = {
    "trainable": (
        Axis("Trainable parameters", True, ",.0f", True),
        lambda status: status.trainable,
    ),
    "seconds": (
        Axis("Training time, all seeds (s)", True, ",.0f", True),
        lambda status: status.seconds,
    ),
    "processor_seconds": (
        Axis("Processor time (s)", True, ",.0f", True),
        lambda status: status.processor_seconds,
    ),
    "peak_memory": (
        Axis("Peak memory (MB)", True, ",.0f", True),
        lambda status: _megabytes(status.peak_memory),
    ),
}


def _megabytes(count: float | None) -> float | None:
    return None if count is None else count / 1e6


def show_pareto(chosen: Comparison) -> None:
    """Choose the two values; a point a run, with the probability of being on the front."""
    options = _options(chosen)
    title = lambda name: _axis(name).title
    left, right = st.columns(2)
    with left:
        up = pickers.pick_from_list("Up", options, "compare.y", title, first=chosen.metric)
    with right:
        others = [name for name in options if name != up]
        first = "trainable" if "trainable" in others else others[0]
        across = pickers.pick_from_list("Across", others, "compare.x", title, first=first)
    rows = _points(chosen, across, up)
    if rows.empty:
        st.info("No run has both values.")
        return
    axes = _axis(across), _axis(up)
    sure = rows.sort_values("chance", ascending=False)
    named = [
        f"**{escape_markdown(chosen.names[row['run']])}** {pareto.chance_in_words(row['chance'])}"
        for _, row in sure[sure["chance"] > 0].iterrows()
    ]
    st.markdown(f"On the front, with probability: {', '.join(named)}.")
    chart(
        pareto.pareto_chart(rows, *axes, chosen.styles),
        key="compare.pareto",
        name=f"{chosen.runs[0].spec.task}-{up}-by-{across}",
        alt=pareto.pareto_alt(rows, *axes, chosen.styles),
        table=rows.assign(run=[chosen.names[run] for run in rows["run"]]),
    )
    st.caption(
        f"A run is on the front where no other is at least as good by both values and better by "
        f"one. Probabilities are shares of {fronts.DRAWS:,} draws of seeds"
        f"{' and test examples' if chosen.population == 'this task' else ''} with replacement, "
        "the same for all runs; sizes and times are taken as they are. Bars are 95 % intervals."
    )


def _options(chosen: Comparison) -> list[str]:
    """Return the metrics and costs of which at least one run has a value."""
    metrics = tables.known_metrics(chosen.runs)
    statuses = [run.status() for run in chosen.runs]
    costs = [name for name, (_, read) in COSTS.items() if any(map(read, statuses))]
    return [*costs, *metrics]


def _axis(name: str) -> Axis:
    """Return how a cost or a metric is drawn."""
    if name in COSTS:
        return COSTS[name][0]
    info = find_measure(name)
    return Axis(info.title, info.better == "lower", value_format(name))


def _points(chosen: Comparison, across: str, up: str) -> pd.DataFrame:
    """Return one row per run that has both values, as `pareto_chart` takes them."""
    x, y = _values(chosen, across), _values(chosen, up)
    runs = [run.id for run in chosen.runs if run.id in x and run.id in y]
    rows = pd.DataFrame(
        [(run, *x[run], *y[run]) for run in runs],
        columns=["run", "x", "x_low", "x_high", "y", "y_low", "y_high"],
    )
    gains = _draws(chosen, up, runs) * (-1 if _axis(up).lower else 1)
    costs = _draws(chosen, across, runs) * (1 if _axis(across).lower else -1)
    return rows.assign(chance=fronts.chances_on_front(gains, costs) if runs else [])


def _values(chosen: Comparison, name: str) -> dict[str, tuple[float, float, float]]:
    """Return each run's value with its limits, NaN where there are none."""
    if name in COSTS:
        found = {run.id: _cost(run, name) for run in chosen.runs}
        return {run: (v, np.nan, np.nan) for run, v in found.items() if v is not None}
    judged = tables.judge(chosen.runs, name, chosen.margin, chosen.population)
    return {
        run: (
            each.mean,
            np.nan if each.low is None else each.low,
            np.nan if each.high is None else each.high,
        )
        for run, each in judged.estimates.items()
        if each.mean is not None
    }


def _cost(run: Run, name: str) -> float | None:
    return COSTS[name][1](run.status())


def _draws(chosen: Comparison, name: str, runs: list[str]) -> Array:
    """Return draws (b, r) of a value; a cost is the same in all of them."""
    if name in COSTS:
        values = [_cost(chosen.run(run), name) for run in runs]
        return np.tile(np.array(values, dtype=float), (fronts.DRAWS, 1))
    drawn = tables.drawn_means([chosen.run(run) for run in runs], name, chosen.population)
    return fronts.stack(drawn, runs)
