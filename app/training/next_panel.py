"""What to do next with a finished run, above its scores: pages and labs with it chosen."""

from __future__ import annotations

import streamlit as st

from app.state import cache, next_steps
from app.ui import widgets
from peftcore.api.results import main_metric
from peftcore.api.run_uses import uses_of_run
from peftcore.runs.store import Run


def show_next(run: Run) -> None:
    """Show every way on from a finished run; each is one click."""
    status = run.status()
    if status.state != "done":
        if not status.active:
            widgets.page_link("train", "Train again with changes", **{"from": run.id})
        return
    uses = uses_of_run(run, cache.run_store().all())
    with st.container(horizontal=True):
        for step in next_steps.next_steps(run, uses):
            widgets.page_link(step.page, step.label, **step.query)
    if labs := next_steps.lab_steps(run, uses):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Look inside it:", width="content")
            for step in labs:
                widgets.page_link(step.page, step.label, **step.query)
    if uses.reason:
        st.caption(widgets.escape_markdown(f"Some labs cannot show it: {uses.reason}."))


def report_subject(run: Run) -> tuple[list[Run], str] | None:
    """Return the runs that a report of this one holds, and by which metric; None before scores."""
    metric = main_metric(run.spec.task, run.scores())
    if not metric:
        return None
    store = cache.run_store()
    alike = [store.open(other) for other in uses_of_run(run, store.all()).alike]
    shown = [run, *alike][: next_steps.COMPARED_AT_MOST]
    return [each for each in shown if metric in each.scores()], metric
