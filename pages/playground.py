"""Playground: one text, and the answers of every chosen adapter and of the untouched bases."""

import streamlit as st

from app.compare import selection
from app.training import playground
from app.ui import widgets

st.title("Playground", anchor=False)


def show() -> None:
    """Choose adapters, write or take a text, send it, read the answers side by side."""
    finished = selection.finished()
    if not finished:
        widgets.empty(
            "No adapter has been trained yet",
            "Train one; when its run has finished you can put questions to it here.",
            "train",
        )
        return
    runs = playground.pick_adapters(finished, selection.asked_for(finished))
    if not runs:
        st.info("Choose at least one adapter to put a question to.")
        return
    text = playground.write_text(runs)
    question = playground.send(text, runs)
    if question:
        playground.show(question, runs)
    else:
        st.caption("Nothing has been sent yet. The first answer takes a while: models are loaded.")


show()
