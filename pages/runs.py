"""Runs: every run there is, and one of them live."""

import json

import streamlit as st

from app.state import cache
from app.training import export_panel, run_panel
from app.training.specs_from_form import training_command
from app.ui import url_state, widgets

st.title("Runs", anchor=False)
runs = {run.id: run for run in cache.run_store().all()}
if not runs:
    widgets.empty_state(
        "No runs yet",
        "Pick a task and tick a few methods; runs appear here as soon as they are started.",
        "train",
    )
    st.stop()


def run_name(run_id: str) -> str:
    return run_panel.run_title(runs[run_id])


chosen = st.selectbox(
    "Run",
    list(runs),
    format_func=run_name,
    key="runs.run",
    on_change=url_state.sync_with_url(
        "Run",
        "runs.run",
        list(runs),
        name="run",
        missing=url_state.why_run_missing("it cannot be read"),
    ),
    help="The address keeps the choice: send it, or come back to it",
)
run = runs[chosen]
run_panel.show_run(run)
run_panel.show_results(run)
export_panel.export_section(run)
widgets.page_link("compare", "Compare runs of this task", runs=run.id)
with st.expander("What decides this result", icon=":material/tune:"):
    st.code(json.dumps(run.spec.model_dump(mode="json"), indent=1), language="json")
    st.caption("The same on the command line")
    st.code(training_command(run.spec), language="bash", wrap_lines=True)

st.header("All runs", anchor=False)
widgets.table_with_download(
    run_panel.runs_table(list(runs.values())),
    key="runs.all",
    name="runs",
    alt="Every run with its state, task, method and progress",
    column_config={"Run": st.column_config.LinkColumn(display_text=r"run=(\w+)")},
)
