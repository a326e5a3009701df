"""Rate: people judge explanations one at a time, not knowing whose they are."""

import streamlit as st

from app import rate_office, rate_seat, visitors

st.title("Rate", anchor=False)

visit = visitors.visitor()
if visit.role == "experimenter":
    rate_office.show(visit.login)
else:
    rate_seat.sit(visit)
