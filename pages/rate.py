"""Rate: people judge explanations one at a time, not knowing whose they are."""

import streamlit as st

from app.rating import admin_page, rater_page
from app.state import access

st.title("Rate", anchor=False)

visit = access.visitor()
if visit.role == "experimenter":
    admin_page.show(visit.login)
else:
    rater_page.sit(visit)
