"""Scaling: what scales do to soft tokens, and what scaled prompts gain over plain ones."""

import streamlit as st

from app.labs.scaling import ablation_views, selection, views
from app.state import wait_for_imports
from app.ui import errors, pickers, widgets
from app.ui.frame import lab_frame

SINGLE_RUN_VIEWS = {
    "Scales": views.show_scales,
    "Gap to words": views.show_word_gap,
    "Gap by layer": views.show_layer_gap,
    "Learning rate": views.show_learning_rate,
}
EXPERIMENT_VIEWS = {
    "Ablations": ablation_views.show_ablations,
    "Lengths": ablation_views.show_lengths,
    "Shots": ablation_views.show_shots,
    "Stability": ablation_views.show_stability,
    "Transfer": ablation_views.show_transfer,
    "Templates": ablation_views.show_templates,
    "Explanations": ablation_views.show_explanations,
}
VIEWS = SINGLE_RUN_VIEWS | EXPERIMENT_VIEWS


@st.fragment
@errors.guarded
def explore_scaling() -> None:
    """Choose a run, a seed and a view."""
    with lab_frame(selection.LAB, "Scaling", list(VIEWS)) as frame:
        with frame.picture:
            pickers.invite_missing_base(pickers.requested_run_ids("run"))
        found = selection.candidate_runs(frame.view)
        if not found:
            with frame.picture:
                widgets.empty_state(
                    "No soft prompt has been trained yet",
                    "Train scaled prompt tuning, and prompt tuning to compare with; finished runs "
                    "show their tokens and scales here.",
                    "train",
                )
            return
        subject = selection.pick_subject(frame.bar, found)
        with frame.picture:
            if frame.view in SINGLE_RUN_VIEWS and not wait_for_imports.ready_or_wait("scaling"):
                return
        VIEWS[frame.view](frame, subject)


explore_scaling()
