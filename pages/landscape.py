"""Landscape: losses around an adapter and between adapters, seen, cut, measured and questioned."""

import streamlit as st

from app.labs.landscape import flatness_views, selection, views
from app.ui import charts, widgets

VIEWS = {
    "Ground": views.show_surface,
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
    """Choose a run and the examples, then one view of its ground at a time."""
    runs = selection.candidate_runs()
    if not runs:
        widgets.empty_state(
            "No adapter has been trained yet",
            "Train one, best with three vertices: it becomes a whole triangle of adapters, and "
            "here its ground can be seen.",
            "train",
        )
        return
    subject = selection.pick_subject(runs)
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default=next(iter(VIEWS)),
        required=True,
        key="landscape.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    VIEWS[view](subject)
    charts.image_format_control()


show()
