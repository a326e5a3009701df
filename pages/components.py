"""Components: which of a base's own weights are trained, what that gains, and how it explains."""

import streamlit as st

from app.labs.components import views
from app.ui import charts, errors, widgets

st.title("Components", anchor=False)


@st.fragment
@errors.guarded
def explore_components() -> None:
    """One view at a time; changes here leave the rest of the page alone."""
    view = widgets.view_switch("components", views.VIEWS)
    views.VIEWS[view]()
    if view != "Map":
        charts.image_format_control()


explore_components()
