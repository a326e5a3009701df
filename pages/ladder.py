"""Ladder of novelty: what each method can teach a base, rung by rung of what is new to it."""

import streamlit as st

from app.labs import ladder
from app.ui import charts

st.title("Ladder of novelty", anchor=False)
st.caption(
    "Context can bring out what a model has learnt; can it teach what is new? Six small tasks, "
    "each new to the base in one way more, after the question of arXiv:2310.19698."
)
ladder.show_ladder()
charts.image_format_control()
