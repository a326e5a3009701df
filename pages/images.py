"""Images: models that draw from a prompt, tuned on what they were not trained on, atom by atom."""

import streamlit as st

from app.labs.images import interactive_views, selection, views
from app.ui import errors
from app.ui.frame import lab_frame

VIEWS = {
    "Methods": views.show_methods,
    "Fewer atoms": interactive_views.show_fewer_atoms,
    "Layers": interactive_views.show_layers,
    "Single atoms": interactive_views.show_single_atoms,
    "Concept and style": interactive_views.show_combined_runs,
    "Editing": views.show_editing,
}


@st.fragment
@errors.guarded
def explore_images() -> None:
    """The chosen view; changes in it leave the rest of the page alone."""
    with lab_frame(selection.LAB, "Images", list(VIEWS)) as frame:
        VIEWS[frame.view](frame)


explore_images()
