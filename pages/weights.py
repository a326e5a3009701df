"""Weights: what an adapter changed where, and what trains."""

import streamlit as st

from app.labs.weights import selection, views
from app.ui import errors, widgets
from app.ui.frame import lab_frame


@st.fragment
@errors.guarded
def explore_weights() -> None:
    """Choose a run and a view."""
    with lab_frame(selection.LAB, "Weights", list(views.VIEWS)) as frame:
        runs = selection.candidate_runs()
        if not runs:
            with frame.picture:
                widgets.empty_state(
                    "No adapter to look into yet",
                    "Train any method; what a finished run changed in its base is shown here.",
                    "train",
                )
            return
        views.VIEWS[frame.view](frame, selection.pick_subject(frame.bar, runs), runs)


explore_weights()
