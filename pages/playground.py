"""Playground: one text, and the answers of every chosen adapter and of the untouched bases."""

import streamlit as st

from app.state import run_catalog
from app.training import playground, recorded_answers
from app.ui import pickers, widgets

st.title("Playground", anchor=False)


def show() -> None:
    """Choose adapters, write or take a text, send it, read the answers side by side."""
    pickers.invite_missing_base(pickers.requested_run_ids())
    finished_runs = run_catalog.runs_with_base()
    if not finished_runs:
        widgets.empty_state(
            "No adapter has been trained yet",
            "Train one; when its run has finished you can put questions to it here.",
            "train",
        )
        return
    runs = playground.pick_adapters(finished_runs, pickers.requested_runs(finished_runs))
    if not runs:
        st.info("Choose at least one adapter to put a question to.")
        return
    task = playground.chosen_task(runs)
    found = recorded_answers.find_example(runs, task)
    if found:
        playground.begin_with(task, str(next(iter(found.values())).name))
    text, parts = playground.write_text(runs)
    playground.question_form(text, runs, parts)
    if playground.asked_questions():
        playground.show(finished_runs)
    elif found:
        recorded_answers.show(runs, found)
    else:
        st.caption("Nothing has been sent yet. The first answer takes a while: models are loaded.")


show()
