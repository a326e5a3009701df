"""Toys: the prefix theory's experiments on tiny transformers, shipped and yours to rerun."""

import streamlit as st

from app.labs.toys import views
from app.ui import errors
from app.ui.frame import lab_frame


@st.fragment
@errors.guarded
def explore_toys() -> None:
    """One experiment, or the capacity construction."""
    with lab_frame(views.LAB, "Toys", views.VIEWS) as frame:
        if frame.view == views.CAPACITY:
            views.show_capacity(frame)
        else:
            views.show_experiment(frame, frame.view)


explore_toys()
