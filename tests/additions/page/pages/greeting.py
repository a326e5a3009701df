"""Greeting: an example of how a page is added."""

import streamlit as st

st.title("Greeting", anchor=False)
st.caption("This page consists of one file and one entry in the table of pages.")
