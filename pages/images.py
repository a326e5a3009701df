"""Images: models that draw from a prompt, tuned on what they were not trained on, atom by atom."""

import streamlit as st

from app.labs.images import interactive_views, views
from app.ui import charts, errors, widgets

st.title("Images", anchor=False)
st.caption(
    "Two small models draw pictures pixel by pixel from a prompt: real handwritten digits, of "
    "which one was left out, and coloured scenes. Adapters teach them something new from a handful "
    "of examples, after arXiv:2507.10855; how its atoms are computed is reconstructed."
)
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
    view = widgets.view_switch("images", VIEWS)
    VIEWS[view]()


explore_images()
charts.image_format_control()
