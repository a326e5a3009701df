"""Images: models that draw from a prompt, tuned on what they never saw, atom by atom."""

import streamlit as st

from app import charts, errors, picture_trials, picture_views

st.title("Images", anchor=False)
st.caption(
    "Two small models draw pictures pixel by pixel from a prompt: real handwritten digits, of "
    "which one was left out, and coloured scenes. Adapters teach them something new from a handful "
    "of examples, after arXiv:2507.10855; how its atoms are computed is reconstructed."
)
VIEWS = {
    "Methods": picture_views.methods,
    "Fewer atoms": picture_trials.fewer,
    "Layers": picture_trials.layers,
    "Single atoms": picture_trials.single,
    "Concept and style": picture_trials.together,
    "Editing": picture_views.editing,
}


@st.fragment
@errors.guarded
def explore() -> None:
    """The chosen view; changes in it leave the rest of the page alone."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default="Methods",
        required=True,
        key="images.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    VIEWS[view]()


explore()
charts.picture_format()
