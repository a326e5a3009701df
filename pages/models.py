"""Models: the base models of this machine, what each is good for, and how one comes in."""

import streamlit as st

from app.models import add_views, base_views
from app.ui import widgets

VIEWS = {"On this machine": base_views.show, "Add a base": add_views.show}

st.title("Models", anchor=False)
st.caption(
    "A base model is pretrained and stays frozen; adapters are trained on it. Here is what each "
    "base is, how good its language is, and what each method would train on it."
)
VIEWS[widgets.view_switch("models", VIEWS)]()
