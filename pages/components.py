"""Components: which of a base's own weights are trained, what that gains, and how it explains."""

import streamlit as st

from app.labs.components import views
from app.labs.components.selection import LAB
from app.ui import errors
from app.ui.frame import lab_frame


@st.fragment
@errors.guarded
def explore_components() -> None:
    """One view at a time; changes here leave the rest of the page alone."""
    with lab_frame(LAB, "Components", list(views.VIEWS)) as frame:
        views.VIEWS[frame.view](frame)


explore_components()
