"""Why a run does not learn, on its page: what was found, and links that try something else."""

from __future__ import annotations

import json

import streamlit as st

from app.state import cache, heavy_imports
from app.ui import errors, widgets
from peftcore.analysis.run_diagnosis import (
    AdapterMeasures,
    Remedy,
    RunFinding,
    diagnose,
    read_curves,
)
from peftcore.models import catalog
from peftcore.runs.store import Run

MARKS = {"problem": ("red", "error"), "look": ("orange", "visibility"), "fine": ("green", "check")}


@st.cache_data(max_entries=64, show_spinner="Measuring the adapter…", hash_funcs=cache.BY_ADAPTER)
def measure(run: Run) -> AdapterMeasures:
    """Measure a run's adapter on a few examples; remembered until it changes."""
    heavy_imports.import_all()
    from peftcore.labs.diagnosis import measure_adapter

    return measure_adapter(run, cache.base_model(run.spec.base), cache.adapted_model(run))


def show_diagnosis(run: Run) -> None:
    """Show what the curves say, and once it was asked for what the adapter says."""
    status = run.status()
    if status.active or run.history().empty:
        return
    measured_key = f"runs.diagnosed.{run.id}"
    found = diagnose(read_curves(run), measure(run) if st.session_state.get(measured_key) else None)
    bad = sum(each.verdict != "fine" for each in found)
    title = f"Does it learn? {bad} to look at" if bad else "Does it learn? Nothing stands out"
    with st.expander(title, icon=":material/troubleshoot:"):
        for each in found:
            _show_finding(run, each)
        has_adapter = (run.folder / "adapter.safetensors").is_file()
        if has_adapter and catalog.is_at_hand(run.spec.base):
            st.button(
                "Measure the adapter, too",
                icon=":material/stethoscope:",
                key=f"runs.diagnose.{run.id}",
                disabled=bool(st.session_state.get(measured_key)),
                on_click=errors.guarded(_remember),
                args=(measured_key,),
                help="Gradient, how far it left its start, attention on learned positions, and "
                "what it changes in the next token: some seconds on a small base",
            )
        st.code(f"python -m peftcore diagnose {run.id}", language="bash")


def _remember(key: str) -> None:
    st.session_state[key] = True


def _show_finding(run: Run, finding: RunFinding) -> None:
    """Show one finding with its remedies, each a link to the form that tries it."""
    colour, icon = MARKS[finding.verdict]
    title, words = map(widgets.escape_markdown, (finding.title, finding.words))
    st.markdown(f":{colour}[:material/{icon}:] **{title}.** {words}")
    if finding.remedies:
        with st.container(horizontal=True):
            for remedy in finding.remedies:
                widgets.page_link("train", remedy.words, **remedy_query(run, remedy))


def remedy_query(run: Run, remedy: Remedy) -> dict[str, str]:
    """Return the address of the Train form with a remedy filled in."""
    query = {"from": run.id}
    for name, value in remedy.changes.items():
        section, _, setting = name.rpartition(".")
        section = run.spec.method if section == "settings" else section
        if setting == "learning_rate":
            section = run.spec.method  # which has a rate of its own in the form
        query[f"{section}.{setting}"] = value if isinstance(value, str) else json.dumps(value)
    return query
