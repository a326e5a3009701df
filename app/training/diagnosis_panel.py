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
from peftcore.jobs.queue import ensure_worker
from peftcore.models import catalog
from peftcore.runs.store import Run
from peftcore.sweeps import learning_rate

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
    measured = measure(run) if st.session_state.get(measured_key) else None
    found = diagnose(read_curves(run), measured, _trials(run))
    bad = sum(each.verdict != "fine" for each in found)
    title = f"Does it learn? {bad} to look at" if bad else "Does it learn? Nothing stands out"
    with st.expander(title, icon=":material/troubleshoot:"):
        for each in found:
            _show_finding(run, each)
        _offer_probe(run)
        has_adapter = (run.folder / "adapter.safetensors").is_file()
        if has_adapter and catalog.is_at_hand(run.spec.base):
            st.button(
                "Measure the adapter, too",
                icon=":material/stethoscope:",
                key=f"runs.diagnose.{run.id}",
                disabled=bool(st.session_state.get(measured_key)),
                on_click=errors.guarded(_remember),
                args=(measured_key,),
                help="Gradient, how far it left its start, its scale beside the base's own, "
                "attention on learned positions, what it changes layer by layer and in the next "
                "token of 20 texts: some seconds on a small base",
            )
        st.code(f"python -m peftcore diagnose {run.id}", language="bash")


def _trials(run: Run) -> list[learning_rate.LearningRateTrial]:
    """Return the short runs of a run's probe that are finished."""
    return learning_rate.known_trials(run.spec, cache.run_store())


def _offer_probe(run: Run) -> None:
    """Offer short runs at other rates, and say how many of them are done."""
    if not learning_rate.can_search(run.spec) or not catalog.is_at_hand(run.spec.base):
        return
    specs = learning_rate.search_specs(run.spec)
    done = len(_trials(run))
    if done == len(specs):
        return
    st.button(
        f"Probe the rate ({done} of {len(specs)} done)" if done else "Probe the rate",
        icon=":material/speed:",
        key=f"runs.probe.{run.id}",
        on_click=errors.guarded(_probe),
        args=(run,),
        help=f"{len(specs)} runs of {specs[0].training.steps} steps at rates around this one, in "
        "the queue; the finding appears here once they are done",
    )


def _probe(run: Run) -> None:
    """Queue the short runs of a probe."""
    queue = cache.job_queue()
    jobs = [queue.submit(spec) for spec in learning_rate.search_specs(run.spec)]
    if any(job.active for job in jobs):
        ensure_worker(queue=queue)


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
