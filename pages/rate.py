"""Rate: people judge explanations one at a time, not knowing whose they are."""

import streamlit as st

from app.rating import admin_page, rater_page
from app.state import access

visitor = access.current_visitor()
if not visitor.in_lab:
    st.html(rater_page.PHONE_STYLE)
st.title("Rate", anchor=False)

if visitor.in_lab:
    admin_page.show(visitor.login)
else:
    rater_page.show(visitor)
