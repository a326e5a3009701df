"""Limits: the theorem about prefixes as an instrument, on one layer and one head at a time."""

import streamlit as st

from app.labs.limits import cache, selection, views
from app.state import wait_for_imports
from app.ui import charts, errors, pickers, widgets

st.title("Limits", anchor=False)
st.caption(
    "What a prefix can and cannot do to an attention layer, measured on trained adapters. "
    "After arXiv:2310.19698 (second version)."
)


def show() -> None:
    """Choose a run and a text, then look into one head."""
    pickers.invite_missing_base(pickers.requested_run_ids("run"))
    runs = cache.candidate_runs()
    if not runs:
        widgets.empty_state(
            "No adapter to look into yet",
            "Train a prefix, and LoRA to compare with; finished runs are measured here, layer by "
            "layer.",
            "train",
        )
        return
    run, other = selection.pick_runs(runs)
    example = selection.pick_text(run)
    if example is None or not wait_for_imports.ready_or_wait("limits"):
        return

    @st.fragment
    @errors.guarded
    def explore_head() -> None:
        shown = selection.pick_subject(run, other, example)
        views.show_verdict(shown)
        views.show_precision(shown)
        view = widgets.view_switch("limits", views.VIEWS)
        views.VIEWS[view](shown)
        charts.image_format_control()

    explore_head()


show()
