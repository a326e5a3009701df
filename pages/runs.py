"""Runs: the set of all runs, one of them live, the queue, and what they take on the disk."""

import json

import streamlit as st

from app.compare import report_button
from app.state import cache, run_catalog
from app.training import (
    audit_panel,
    diagnosis_panel,
    evaluation_panel,
    export_panel,
    forgetting_panel,
    next_panel,
    queue_panel,
    run_actions,
    run_panel,
    run_set,
    storage_panel,
)
from app.training.specs_from_form import training_command
from app.ui import browser_notices, pickers, widgets
from peftcore.runs.store import Run

ALL, ONE, QUEUE, STORAGE = "All runs", "One run", "Queue", "Disk and bin"


def pick_view() -> str:
    """Offer the views; an address that names a run opens that run."""
    if "runs.view" not in st.query_params:
        st.session_state["runs.view"] = ONE if "run" in st.query_params else ALL
    views = [ALL, ONE, QUEUE, STORAGE]
    change = pickers.sync_choice("View", views, "runs.view")
    chosen = st.segmented_control(
        "View",
        views,
        required=True,
        key="runs.view",
        on_change=change,
        label_visibility="collapsed",
    )
    return str(chosen)


def show_one(runs: list[Run]) -> None:
    """Show one run, live while it is at work."""
    run = pickers.pick_run(runs, "runs.run", run_catalog.run_title, "it cannot be read")
    pickers.invite_missing_base([run.id])
    finished = run.status().state == "done"
    if finished:
        next_panel.show_next(run)
        if subject := next_panel.report_subject(run):
            report_button.offer_report(*subject)
    run_panel.show_run(run)
    if not finished:
        next_panel.show_next(run)
    diagnosis_panel.show_diagnosis(run)
    run_actions.edit_words(run)
    run_panel.show_results(run)
    forgetting_panel.show_forgetting(run)
    evaluation_panel.show_evaluation(run)
    run_panel.show_files(run)
    export_panel.export_section(run)
    with st.expander("What decides this result", icon=":material/tune:"):
        st.code(json.dumps(run.spec.model_dump(mode="json"), indent=1), language="json")
        st.caption("The same on the command line")
        st.code(training_command(run.spec), language="bash", wrap_lines=True)


st.title("Runs", anchor=False)
run_panel.show_damaged()
all_runs = cache.run_store().all()
view = pick_view()
if view == STORAGE:
    storage_panel.show()
elif view == QUEUE:
    queue_panel.show()
    browser_notices.show_control()
    audit_panel.show()
elif not all_runs:
    run_actions.offer_undo()
    widgets.empty_state(
        "No runs yet",
        "Pick a task and tick a few methods; runs appear here as soon as they are started.",
        "train",
    )
elif view == ALL:
    run_set.show()
else:
    show_one(all_runs)
