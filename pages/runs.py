"""Runs: every run there is, and one of them live."""

import json

import streamlit as st

from app.state import cache, run_catalog
from app.training import evaluation_panel, export_panel, forgetting_panel, run_panel
from app.training.specs_from_form import training_command
from app.ui import pickers, widgets

st.title("Runs", anchor=False)
run_panel.show_damaged()
runs = cache.run_store().all()
if not runs:
    widgets.empty_state(
        "No runs yet",
        "Pick a task and tick a few methods; runs appear here as soon as they are started.",
        "train",
    )
    st.stop()

run = pickers.pick_run(runs, "runs.run", run_catalog.run_title, "it cannot be read")
pickers.invite_missing_base([run.id])
run_panel.show_run(run)
run_panel.show_results(run)
forgetting_panel.show_forgetting(run)
evaluation_panel.show_evaluation(run)
run_panel.show_files(run)
export_panel.export_section(run)
widgets.page_link("compare", "Compare runs of this task", runs=run.id)
with st.expander("What decides this result", icon=":material/tune:"):
    st.code(json.dumps(run.spec.model_dump(mode="json"), indent=1), language="json")
    st.caption("The same on the command line")
    st.code(training_command(run.spec), language="bash", wrap_lines=True)

st.header("All runs", anchor=False)
widgets.table_with_download(
    run_panel.runs_table(runs),
    key="runs.all",
    name="runs",
    alt="Every run with its state, task, method and progress",
    column_config={"Run": st.column_config.LinkColumn(display_text=r"run=(\w+)")},
)
