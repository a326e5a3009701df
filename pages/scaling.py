"""Scaling: what scales do to soft tokens, and what scaled prompts gain over plain ones."""

import streamlit as st

from app.labs.scaling import ablation_views, selection, views
from app.state import wait_for_imports
from app.ui import charts, errors, widgets

st.title("Scaling", anchor=False)
SINGLE_RUN_VIEWS = {
    "Scales": views.scales,
    "Gap to words": views.gap,
    "Learning rate": views.rate,
}
EXPERIMENT_VIEWS = {
    "Ablations": ablation_views.ablations,
    "Lengths": ablation_views.lengths,
    "Shots": ablation_views.shots,
    "Stability": ablation_views.stability,
    "Transfer": ablation_views.transfer,
}


def show() -> None:
    """Choose a run, a seed and a view."""
    found = selection.runs()
    if not found:
        widgets.empty_state(
            "No soft prompt has been trained yet",
            "Train scaled prompt tuning, and prompt tuning beside it; when they have finished, "
            "their tokens and scales can be looked at here.",
            "train",
        )
        return
    run = selection.pick(found)
    seed = selection.pick_seed(run)
    explore_scaling(selection.Subject(run, seed))


@st.fragment
@errors.guarded
def explore_scaling(subject: selection.Subject) -> None:
    """Everything below the choice of a run; changes here leave the rest alone."""
    view = st.segmented_control(
        "View",
        [*SINGLE_RUN_VIEWS, *EXPERIMENT_VIEWS],
        default="Scales",
        required=True,
        key="scaling.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    if view in SINGLE_RUN_VIEWS and not wait_for_imports.ready_or_wait("scaling"):
        return
    (SINGLE_RUN_VIEWS | EXPERIMENT_VIEWS)[view](subject)
    charts.image_format_control()


show()
