"""Starting runs from the Train page: submit them, link to them, read a sweep as it comes in."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.state import cache
from app.ui import errors, widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.jobs.queue import ensure_worker
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.sweeps import learning_rate

STARTED, SWEPT = "train.submitted", "train.swept"  # in the session: ids of runs


def submit(planned: Sequence[RunSpec], wanted: Sequence[RunSpec], keep: str) -> None:
    """Queue the wanted runs and remember them; BadInput if one of the planned cannot work."""
    with st.spinner("Checking that it can work…"):
        for cost in cache.costs().wait(planned):
            if isinstance(cost, BadInput):
                raise cost
    jobs = [cache.queue().submit(spec) for spec in wanted]
    if any(job.active for job in jobs):
        ensure_worker(queue=cache.queue())
    st.session_state[keep] = [job.run_id for job in jobs]


def show_started() -> None:
    """Links to the runs that were started from here, or had been done before."""
    runs = _remembered(STARTED)
    if not runs:
        return
    done = sum(run.status().state == "done" for run in runs)
    words = f"{len(runs) - done} started" + (f", {done} done before" if done else "")
    st.success(f"{words}. Training goes on if you close the page.", icon=":material/check_circle:")
    with st.container(horizontal=True):
        for run in runs:
            widgets.link("runs", f"Watch {METHODS[run.spec.method].title}", run=run.id)
        if len(runs) > 1:
            widgets.link("compare", "Compare them", runs=",".join(run.id for run in runs))


def show_sweep() -> None:
    """A sweep as it comes in: validation loss by learning rate, and the best of each method."""
    runs = _remembered(SWEPT)
    if not runs:
        return
    waiting = any(run.status().state in ("queued", "training", "answering") for run in runs)

    @st.fragment(run_every=2.0 if waiting else None)
    @errors.guarded
    def outcomes() -> None:
        now = [run.status().state for run in runs]
        if waiting and not {"queued", "training", "answering"} & set(now):
            st.rerun()
        _sweep(runs, now)

    outcomes()


def _sweep(runs: Sequence[Run], states: Sequence[str]) -> None:
    st.header("Sweep over learning rates", anchor=False)
    found = learning_rate.finished_trials(runs)
    rows, best = [], {}
    for method in dict.fromkeys(run.spec.method for run in runs):
        mine = [out for run, out in zip(runs, found, strict=True) if run.spec.method == method]
        if winner := learning_rate.best_trial(mine):
            best[method] = winner.learning_rate
    for run, state, out in zip(runs, states, found, strict=True):
        method = run.spec.method
        rows.append(
            {
                "Method": METHODS[method].title,
                "Learning rate": f"{out.learning_rate:g}",
                "Validation loss": out.dev_loss,
                "Diverged seeds": out.stopped,
                "State": widgets.state_name(state),
                "Best": best.get(method) == out.learning_rate,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        alt="Validation loss of each learning rate that was tried",
        column_config={"Validation loss": st.column_config.NumberColumn("Validation loss (nats)")},
    )
    steps = runs[0].spec.training.steps
    st.caption(f"Short runs of {steps} steps, judged by validation loss; test data choose nothing.")
    st.button(
        "Use the best rates",
        icon=":material/done_all:",
        key="train.use",
        disabled=not best,
        on_click=_use,
        args=(best,),
    )


def _use(best: dict[str, float]) -> None:
    """Write the rates into the form; a callback, because the widgets are drawn already."""
    for method, rate in best.items():
        st.session_state[f"train.{method}.learning_rate"] = rate


def _remembered(name: str) -> list[Run]:
    """The runs kept in the session that still exist."""
    known = {run.id: run for run in cache.store().all()}
    return [known[run] for run in st.session_state.get(name, []) if run in known]
