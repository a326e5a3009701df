"""Scaling: what scales do to soft tokens, and what scaled prompts gain over plain ones."""

import streamlit as st

from app import charts, errors, prompt_readings, scaling_views, study_views, waiting, widgets

st.title("Scaling", anchor=False)
INSIDE = {
    "Scales": scaling_views.scales,
    "Gap to words": scaling_views.gap,
    "Learning rate": scaling_views.rate,
}
BESIDE = {
    "Ablations": study_views.ablations,
    "Lengths": study_views.lengths,
    "Shots": study_views.shots,
    "Stability": study_views.stability,
    "Transfer": study_views.transfer,
}


def show() -> None:
    """Choose a run, a seed and a view."""
    found = prompt_readings.runs()
    if not found:
        widgets.empty(
            "No soft prompt has been trained yet",
            "Train scaled prompt tuning, and prompt tuning beside it; when they have finished, "
            "their tokens and scales can be looked at here.",
            "train",
        )
        return
    run = prompt_readings.pick(found)
    seed = prompt_readings.pick_seed(run)
    explore(prompt_readings.Subject(run, seed))


@st.fragment
@errors.guarded
def explore(subject: prompt_readings.Subject) -> None:
    """Everything below the choice of a run; changes here leave the rest alone."""
    view = st.segmented_control(
        "View",
        [*INSIDE, *BESIDE],
        default="Scales",
        required=True,
        key="scaling.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    if view in INSIDE and not waiting.ready("scaling"):
        return
    (INSIDE | BESIDE)[view](subject)
    charts.picture_format()


show()
