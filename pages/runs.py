"""Runs: every run there is, and one of them live."""

import json

import streamlit as st

from app.state import cache
from app.training import export_panel, run_panel
from app.training.specs_from_form import command
from app.ui import url_state, widgets

st.title("Runs", anchor=False)
runs = {run.id: run for run in cache.store().all()}
if not runs:
    widgets.empty(
        "No runs yet",
        "Pick a task and tick a few methods; runs appear here as soon as they are started.",
        "train",
    )
    st.stop()


def name(run_id):
    return run_panel.short_name(runs[run_id])


chosen = st.selectbox(
    "Run",
    list(runs),
    format_func=name,
    key="runs.run",
    on_change=url_state.follow(
        "Run", "runs.run", list(runs), name="run", missing=url_state.no_run("it cannot be read")
    ),
    help="The address keeps the choice: send it, or come back to it",
)
run = runs[chosen]
run_panel.panel(run)
run_panel.results(run)
export_panel.section(run)
widgets.link("compare", "Compare runs of this task", runs=run.id)
with st.expander("What decides this result", icon=":material/tune:"):
    st.code(json.dumps(run.spec.model_dump(mode="json"), indent=1), language="json")
    st.caption("The same on the command line")
    st.code(command(run.spec), language="bash", wrap_lines=True)

st.header("All runs", anchor=False)
widgets.table(
    run_panel.overview(list(runs.values())),
    key="runs.all",
    name="runs",
    alt="Every run with its state, task, method and progress",
    column_config={"Run": st.column_config.LinkColumn(display_text=r"run=(\w+)")},
)
