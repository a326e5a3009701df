"""Landscape: losses around and between adapters as maps, cuts, flatness and validation."""

import streamlit as st

from app.labs.landscape import flatness_views, selection, views
from app.ui import errors, widgets
from app.ui.frame import lab_frame

VIEWS = {
    "Loss surface": views.show_surface,
    "Cuts": views.show_cuts,
    "Between two": views.show_connection,
    "Flatness": flatness_views.show_flatness,
    "Validation": flatness_views.show_validation,
    "Vertices": flatness_views.show_vertex_ablation,
}


@st.fragment
@errors.guarded
def explore_landscape() -> None:
    """Choose a run and the examples, then one view at a time."""
    with lab_frame(selection.LAB, "Landscape", list(VIEWS)) as frame:
        runs = selection.candidate_runs()
        if not runs:
            with frame.picture:
                widgets.empty_state(
                    "No adapter has been trained yet",
                    "Train one, best with three vertices: it becomes a whole triangle of adapters, "
                    "and its loss surface is shown here.",
                    "train",
                )
            return
        VIEWS[frame.view](frame, selection.pick_subject(frame.bar, runs))


explore_landscape()
