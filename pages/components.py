"""Components: which of a base's own weights are trained, what that gains, and how it explains."""

import streamlit as st

from app.labs.components import views
from app.ui import charts, errors

st.title("Components", anchor=False)


@st.fragment
@errors.guarded
def explore_components():
    """One view at a time; changes here leave the rest of the page alone."""
    view = st.segmented_control(
        "View",
        list(views.VIEWS),
        default=next(iter(views.VIEWS)),
        required=True,
        key="components.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    views.VIEWS[view]()
    if view != "Map":
        charts.image_format_control()


explore_components()
