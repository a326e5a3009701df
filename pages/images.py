"""Images: models that draw from a prompt, tuned on what they never saw, atom by atom."""

import streamlit as st

from app import charts, picture_views

st.title("Images", anchor=False)
st.caption(
    "Two small models draw pictures pixel by pixel from a prompt: real handwritten digits, of "
    "which one was left out, and coloured scenes. Adapters teach them something new from a handful "
    "of examples, after arXiv:2507.10855; how its atoms are computed is reconstructed."
)
picture_views.explore()
charts.picture_format()
