"""Norms: an example of how a lab is added."""

import streamlit as st
from app.labs.norms import show_norms

st.title("Norms", anchor=False)
show_norms()
