"""The curves of several runs over each other, drawn again while one of them is at work."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.figures import curves
from app.ui import charts, job_panel, widgets
from app.ui.run_styles import styles_by_run
from peftcore.runs.store import Run

MOST_RUNS = 12  # more lines than that look alike


def show(runs: Sequence[Run]) -> None:
    """Show training and validation loss of the chosen runs, live."""
    st.header("Curves", anchor=False)
    if len(runs) > MOST_RUNS:
        st.caption(f"The first {MOST_RUNS} of {len(runs)} runs are drawn.")
    drawn = list(runs[:MOST_RUNS])
    window = st.selectbox(
        "Smoothing",
        range(1, 10),
        format_func=lambda n: "none" if n == 1 else f"over {n} values",
        key="runs.smooth",
        width=160,
    )
    job_panel.watch(lambda: any(run.status().active for run in drawn), lambda: _draw(drawn, window))


def _draw(runs: Sequence[Run], window: int) -> None:
    working = [run for run in runs if run.status().active]
    for run in working:
        job_panel.keep_queue_going(run.status())
    if working:
        words = [
            f"{run.id}: {widgets.state_name(run.status().label).lower()}, step "
            f"{run.status().step:,} of {run.spec.training.steps:,}"
            for run in working
        ]
        st.caption(f"{'; '.join(words)}. Drawn again every two seconds.")
    show_curves(runs, "runs.overlay", window)


def show_curves(runs: Sequence[Run], key: str, window: int = 1) -> None:
    """Draw both losses of runs over their steps; before the first values, say so."""
    histories = {run.id: curves.smooth(run.history(), window) for run in runs}
    sides: tuple[curves.LossColumn, ...] = ("train_loss", "dev_loss")
    known = [side for side in sides if any(h[side].notna().any() for h in histories.values())]
    if not known:
        every = min(run.spec.training.evaluate_every for run in runs)
        st.caption(f"The first values come with step {every:,}.")
        return
    styles, name = styles_by_run(runs), runs[0].id if len(runs) == 1 else "runs"
    for column, value in zip(st.columns(len(known)), known, strict=True):
        with column:
            charts.chart(
                curves.learning_curves(histories, styles, value),
                key=f"{key}.{value}",
                name=f"{name}-{value}",
                alt=curves.learning_curves_alt(histories, styles, value),
                table=curves.learning_curves_table(histories, styles, value),
            )
