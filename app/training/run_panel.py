"""One run on the Runs page: how far it is, its curves, its log, and what can be done with it.

The panel is drawn again every two seconds while the run is at work; nothing is computed here.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.figures.compare import find_measure, value_format
from app.state import cache
from app.state.run_catalog import run_title
from app.state.score_estimates import score_estimates
from app.training import queue_panel, run_actions, run_overlay
from app.ui import charts, errors, job_panel, permitted, widgets
from app.ui.population import estimates_caption, pick_population
from peftcore.analysis import best_steps, missing_scores
from peftcore.analysis.inference import Estimate
from peftcore.errors import BadInput
from peftcore.jobs.background import TrainingJob
from peftcore.jobs.queue import QueueJob
from peftcore.runs.store import Run, RunStatus


def time_text(moment: float | None) -> str:
    """A time of day here, with the date."""
    return time.strftime("%d %b %H:%M", time.localtime(moment)) if moment else ""


def show_run(run: Run) -> None:
    """The live part of a run; stops its own clock when the run has ended."""

    def draw() -> None:
        status = run.status()
        job_panel.keep_queue_going(status)
        _show_state(run, status)
        if status.active:
            _show_facts(run, status)
        _action_buttons(run, status)
        run_overlay.show_curves([run], f"runs.{run.id}")
        if not status.active:  # what came of it is read before what it took
            _show_facts(run, status)
        job_panel.show_log(run)

    job_panel.watch(lambda: run.status().active, draw)


def _show_state(run: Run, status: RunStatus) -> None:
    """Show state, progress and buttons of a run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.state_badge(status.label)
        if run.demo:
            st.badge("Demo run, ships with the app", color="gray", icon=":material/inventory_2:")
        st.caption(
            widgets.escape_markdown(status.message) if status.message else _state_hint(status)
        )
    if status.state == "lost":
        st.caption(
            "The process that trained it has ended without a word, by a restart for example. "
            "Everything up to its last checkpoint is kept: Resume goes on from there to the same "
            "result."
        )
    if status.state == "done" and (ends := best_steps.best_steps(run).in_words()):
        st.caption(
            f":material/flag: {ends}: best at an end, a seed was not given its chance; try more "
            "steps, or another learning rate."
        )
    if status.error_id:
        st.error(f"Error id **{status.error_id}**; the run's log file has the details.")
    if status.state != "done":
        steps = max(1, run.spec.training.steps)
        st.progress(min(1.0, status.step / steps), text=f"Step {status.step:,} of {steps:,}")


def _show_facts(run: Run, status: RunStatus) -> None:
    """Show what is trained, and what it took or takes."""
    facts = {
        "Seeds": str(run.spec.population.seeds),
        "Trainable parameters": f"{status.trainable:,}" if status.trainable else "not yet",
        "Time worked": widgets.format_duration(status.seconds),
    }
    if status.state != "done":
        facts["Time left"] = _time_left(status)
    if status.processor_seconds is not None:
        facts["Processor time"] = widgets.format_duration(status.processor_seconds)
    if status.peak_memory is not None:
        facts["Peak memory"] = widgets.format_bytes(status.peak_memory)
    if status.peak_device_memory is not None:
        facts["Peak memory of the GPU"] = widgets.format_bytes(status.peak_device_memory)
    with st.container(horizontal=True, gap="large"):
        for name, value in facts.items():
            st.metric(name, value, width="content")


def _state_hint(status: RunStatus) -> str:
    """Say in a sentence what a state means."""
    return {
        "queued": "Waits for its turn; one job runs at a time.",
        "training": "Training.",
        "answering": "Trained; now answering the test examples.",
        "done": "Finished.",
    }.get(status.label, "")


def _time_left(status: RunStatus) -> str:
    """An estimate from the speed so far."""
    if status.phase == "training" and status.left is not None:
        return f"about {widgets.format_duration(status.left)}"
    return "not known"


def _action_buttons(run: Run, status: RunStatus) -> None:
    """Cancel, resume and priority, whichever can be done now."""
    if run.demo:
        return
    job = cache.job_queue().job_for(run.id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if status.active:
            job_panel.stop_button(TrainingJob.of(run), f"runs.cancel.{run.id}", "Cancel")
            if status.state == "running" and run.stop_requested():
                queue_panel.force_button(TrainingJob.of(run), f"runs.force.{run.id}")
        if status.resumable:
            job_panel.resume_button(TrainingJob.of(run), f"runs.resume.{run.id}", "Resume")
        if job and job.state == "queued":
            _priority_input(job)


def _priority_input(job: QueueJob) -> None:
    """Offer the priority of a queued run."""
    value = st.number_input(
        "Priority",
        -100,
        100,
        job.priority,
        key=f"runs.priority.{job.id}",
        help="Higher numbers come first",
        width=160,
    )
    if value != job.priority:
        cache.job_queue().set_priority(job.id, value)


def _show_scores(run: Run) -> None:
    """Means with their intervals, and every seed one click away."""
    scores = run.scores()
    population = pick_population("runs.population")
    estimates = score_estimates(run, population)
    st.dataframe(
        mean_table(estimates),
        hide_index=True,
        alt="Mean, 95 % interval, number of seeds and test examples of each score",
    )
    st.caption(estimates_caption(population, list(estimates.items())))
    for sentence in missing_scores.missing_in_words([run], list(scores), {run.id: "This run"}):
        st.warning(sentence)
    with st.expander("Every seed", icon=charts.TABLE_ICON):
        names = run.spec.population.seed_numbers()
        titles = {name: find_measure(name).title for name in scores}
        frame = pd.DataFrame({titles[name]: values for name, values in scores.items()})
        frame.insert(0, "Seed", names[: len(frame)])
        widgets.table_with_download(
            frame,
            key="runs.scores",
            name=f"{run.id}-scores",
            alt="Every score of every seed",
            column_config={
                column: st.column_config.NumberColumn(format=f"%{value_format(name)}")
                for name, column in titles.items()
            },
        )


def mean_table(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Metric → a row with mean, 95 % interval, numbers of seeds and test examples, as words."""
    rows = []
    for name, each in estimates.items():
        form = value_format(name)
        limits = each.reason if each.low is None else f"{each.low:{form}} to {each.high:{form}}"
        rows.append(
            {
                "Metric": find_measure(name).title,
                "Mean": "–" if each.mean is None else f"{each.mean:{form}}",
                "95 % interval": limits if each.seeds else "–",
                "Seeds": each.seeds,
                "Test examples": str(each.items) if each.items else "–",
            }
        )
    return pd.DataFrame(rows)


def show_results(run: Run) -> None:
    """Scores of a finished run."""
    if run.scores():
        st.header("Scores", anchor=False)
        _show_scores(run)


def show_files(run: Run) -> None:
    """Files of a run to take away, and the button that deletes it."""
    st.header("Export", anchor=False)
    with st.container(horizontal=True):
        answers = run.answers()
        if not answers.empty:
            table = answers.assign(references=[" | ".join(x) for x in answers["references"]])
            widgets.download(
                table, key="runs.answers", name=f"{run.id}-answers", label="Answers as CSV"
            )
        st.download_button(
            "Spec as JSON",
            json.dumps(run.spec.model_dump(mode="json"), indent=1),
            file_name=f"{run.id}-spec.json",
            mime="application/json",
            key="runs.spec",
            on_click="ignore",
            icon=":material/download:",
        )
        if manifest := run.manifest():
            st.download_button(
                "Manifest as JSON",
                json.dumps(manifest, indent=1),
                file_name=f"{run.id}-manifest.json",
                mime="application/json",
                key="runs.manifest",
                on_click="ignore",
                icon=":material/download:",
            )
        if not run.demo and st.button(
            "Delete this run",
            icon=":material/delete:",
            key="runs.delete",
            **permitted.to_change("delete", f"run {run.id}"),
        ):
            _confirm(run)


@st.dialog("Delete this run?")
@errors.guarded
def _confirm(run: Run) -> None:
    """Ask once more before a run is deleted."""
    st.write(
        f"{widgets.escape_markdown(run_title(run))} and all its answers go to the bin, which "
        "keeps them for 30 days."
    )
    if st.button(
        "Delete", type="primary", key="runs.delete.sure", on_click=_delete, args=(run.id,)
    ):
        st.rerun()  # closes the dialog


@errors.guarded
def _delete(run_id: str) -> None:
    cache.run_store().delete(run_id)
    run_actions.remember_deleted([run_id])
    st.query_params.pop("run", None)
    st.query_params.pop("runs.view", None)
    st.session_state.pop("runs.run", None)


def show_damaged() -> None:
    """Name the runs that cannot be read, each with a button that moves it out of the way."""
    store = cache.run_store()
    for run, reason in store.damaged().items():
        words = f"Run {run} is left out: {reason}. Its folder can be moved out of the way; nothing "
        st.warning(
            widgets.escape_markdown(words + "in it is deleted, and it can be trained again."),
            icon=":material/broken_image:",
        )
        st.button(
            f"Set {run} aside",
            key=f"runs.aside.{run}",
            icon=":material/inventory_2:",
            on_click=_set_aside,
            args=(run,),
            **permitted.to_change("set aside", f"run {run}"),
        )


def _set_aside(run: str) -> None:
    """Move a damaged run out of the way, unless somebody else has."""
    with contextlib.suppress(BadInput):
        cache.run_store().set_aside(run)
