"""Rate: people judge explanations one at a time, not knowing whose they are."""

import streamlit as st

from app.rating import admin_page, rater_page
from app.state import access

st.title("Rate", anchor=False)

visitor = access.current_visitor()
if visitor.in_lab:
    admin_page.show(visitor.login)
else:
    rater_page.show(visitor)
