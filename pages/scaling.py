"""Scaling: what scales do to soft tokens, and what scaled prompts gain over plain ones."""

import streamlit as st

from app.labs.scaling import ablation_views, selection, views
from app.state import wait_for_imports
from app.ui import charts, errors, pickers, widgets

st.title("Scaling", anchor=False)
SINGLE_RUN_VIEWS = {
    "Scales": views.show_scales,
    "Gap to words": views.show_word_gap,
    "Learning rate": views.show_learning_rate,
}
EXPERIMENT_VIEWS = {
    "Ablations": ablation_views.show_ablations,
    "Lengths": ablation_views.show_lengths,
    "Shots": ablation_views.show_shots,
    "Stability": ablation_views.show_stability,
    "Transfer": ablation_views.show_transfer,
}


def show() -> None:
    """Choose a run, a seed and a view."""
    pickers.invite_missing_base(pickers.requested_run_ids("run"))
    found = selection.candidate_runs()
    if not found:
        widgets.empty_state(
            "No soft prompt has been trained yet",
            "Train scaled prompt tuning, and prompt tuning to compare with; finished runs show "
            "their tokens and scales here.",
            "train",
        )
        return
    explore_scaling(selection.pick_subject(found))


@st.fragment
@errors.guarded
def explore_scaling(subject: selection.ScalingSubject) -> None:
    """Show everything below the choice of a run; changes here leave the rest alone."""
    view = widgets.view_switch("scaling", [*SINGLE_RUN_VIEWS, *EXPERIMENT_VIEWS])
    if view in SINGLE_RUN_VIEWS and not wait_for_imports.ready_or_wait("scaling"):
        return
    (SINGLE_RUN_VIEWS | EXPERIMENT_VIEWS)[view](subject)
    charts.image_format_control()


show()
