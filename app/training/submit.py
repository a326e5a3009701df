"""Starting runs from the Train page: submit them, link to them, read a sweep as it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.figures import tuning
from app.state import cache
from app.training import train_address
from app.ui import charts, job_panel, widgets
from app.ui.run_styles import styles_by_run
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.jobs.queue import ensure_worker
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.sweeps import learning_rate, tuning_budget

STARTED_RUNS, SWEPT_RUNS = "train.submitted", "train.swept"  # in the session: ids of runs


def submit_runs(planned: Sequence[RunSpec], wanted: Sequence[RunSpec], session_key: str) -> None:
    """Queue the wanted runs and remember them; BadInput if one of the planned cannot work."""
    with st.spinner("Checking that it can work…"):
        for cost in cache.cost_estimator().wait_for_estimates(planned):
            if isinstance(cost, BadInput):
                raise cost
    jobs = [cache.job_queue().submit(spec) for spec in wanted]
    if any(job.active for job in jobs):
        ensure_worker(queue=cache.job_queue())
    st.session_state[session_key] = [job.run_id for job in jobs]
    st.query_params[session_key] = ",".join(job.run_id for job in jobs)  # for after a refresh


def show_started() -> None:
    """Links to the runs that were started from here, or had been done before."""
    runs = _session_runs(STARTED_RUNS)
    if not runs:
        return
    done = sum(run.status().state == "done" for run in runs)
    words = f"{len(runs) - done} started" + (f", {done} done before" if done else "")
    st.success(f"{words}. Training goes on if you close the page.", icon=":material/check_circle:")
    with st.container(horizontal=True):
        for run in runs:
            widgets.page_link("runs", f"Watch {METHODS[run.spec.method].title}", run=run.id)
        if len(runs) > 1:
            widgets.page_link("compare", "Compare them", runs=",".join(run.id for run in runs))


def show_sweep() -> None:
    """A sweep as it comes in: validation loss by learning rate, and the best of each method."""
    runs = _session_runs(SWEPT_RUNS)
    if not runs:
        return
    job_panel.watch(
        lambda: any(run.status().active for run in runs),
        lambda: _sweep_table(runs, [run.status().label for run in runs]),
    )


def _sweep_table(runs: Sequence[Run], states: Sequence[str]) -> None:
    """Show the validation loss of every learning rate, and the best of each method."""
    st.header("Sweep over learning rates", anchor=False)
    trials = learning_rate.finished_trials(runs)
    rows, best = [], {}
    for method in dict.fromkeys(run.spec.method for run in runs):
        method_trials = [
            trial for run, trial in zip(runs, trials, strict=True) if run.spec.method == method
        ]
        if winner := learning_rate.best_trial(method_trials):
            best[method] = winner.learning_rate
    for run, state, trial in zip(runs, states, trials, strict=True):
        method = run.spec.method
        rows.append(
            {
                "Method": METHODS[method].title,
                "Learning rate": f"{trial.learning_rate:g}",
                "Validation loss": trial.dev_loss,
                "Diverged seeds": trial.stopped,
                "State": widgets.state_name(state),
                "Best": best.get(method) == trial.learning_rate,
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
    if "running" not in states and "queued" not in states:
        _show_tuning_budget(runs)
    st.button(
        "Use the best rates",
        icon=":material/done_all:",
        key="train.use",
        disabled=not best,
        on_click=_use_learning_rates,
        args=(best,),
    )


def _show_tuning_budget(runs: Sequence[Run]) -> None:
    """Show what each method's best rate is expected to bring as more of them are tried."""
    finished = [run for run in runs if run.status().state == "done"]
    first_of = {run.spec.method: run for run in reversed(finished)}
    budgets = [tuning_budget.find_budget(run, finished) for run in first_of.values()]
    curves = tuning_budget.budget_curves(budgets)
    if curves["tries"].max() < 2:
        return
    names = {run.id: METHODS[method].title for method, run in first_of.items()}
    styles = {
        run: replace(style, name=names[run])
        for run, style in styles_by_run(list(first_of.values())).items()
    }
    charts.chart(
        tuning.tuning_budget(curves, styles),
        key="train.budget",
        name="tuning-budget",
        alt=tuning.tuning_budget_alt(curves, styles),
        table=curves.assign(run=[names[run] for run in curves["run"]]),
    )
    st.caption(
        "The mean over all choices of so many of the rates above. Methods are fairly compared "
        "at equally many tries. " + tuning_budget.describe_tries(budgets, names)
    )


def _use_learning_rates(best: dict[str, float]) -> None:
    """Write the rates into the form; a callback, because the widgets are drawn already."""
    beginning: train_address.Beginning = st.session_state[train_address.BEGINNING]
    prefix = beginning.prefix
    for method, rate in best.items():
        st.session_state[f"{prefix}.{method}.learning_rate"] = rate


def _session_runs(name: str) -> list[Run]:
    """The runs kept in the session, or in the address, that still exist."""
    known = {run.id: run for run in cache.run_store().all()}
    ids = st.session_state.get(name) or st.query_params.get(name, "").split(",")
    return [known[run] for run in ids if run in known]
