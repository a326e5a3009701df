"""Landscape: losses around and between adapters as maps, cuts, flatness and validation."""

import streamlit as st

from app.labs.landscape import flatness_views, selection, views
from app.ui import charts, widgets

VIEWS = {
    "Loss surface": views.show_surface,
    "Cuts": views.show_cuts,
    "Between two": views.show_connection,
    "Flatness": flatness_views.show_flatness,
    "Validation": flatness_views.show_validation,
    "Vertices": flatness_views.show_vertex_ablation,
}
st.title("Landscape", anchor=False)
st.caption(
    "How the loss changes when an adapter's numbers change. A run trained with several vertices is "
    "a whole simplex of adapters, with three a triangle: every mixture of its vertices is an "
    "adapter too, and their mean, the centroid, is the one that answers."
)


def show() -> None:
    """Choose a run and the examples, then one view at a time."""
    runs = selection.candidate_runs()
    if not runs:
        widgets.empty_state(
            "No adapter has been trained yet",
            "Train one, best with three vertices: it becomes a whole triangle of adapters, and "
            "its loss surface is shown here.",
            "train",
        )
        return
    subject = selection.pick_subject(runs)
    view = widgets.view_switch("landscape", VIEWS)
    VIEWS[view](subject)
    charts.image_format_control()


show()
