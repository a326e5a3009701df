"""The queue on the Runs page: its order, what each job takes, the workers and what they have."""

from __future__ import annotations

import streamlit as st

from app.state import cache
from app.state.run_catalog import run_title
from app.ui import errors, job_panel, widgets
from peftcore.errors import BadInput
from peftcore.jobs import queue_list
from peftcore.jobs.background import BackgroundJob, TrainingJob, open_job
from peftcore.jobs.queue import QueueJob, restart_missing_workers
from peftcore.jobs.queue_list import WorkerState
from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import RunSpec
from peftcore.system import rights
from peftcore.training.planning import CostEstimate

DEVICES = ("auto", "cpu", "cuda:0", "cuda:1")  # that a worker can be started for from here
ESTIMATED_AT_MOST = 12  # waiting runs whose time is counted from trial steps


def show() -> None:
    """Show the queue, again every two seconds while something is in it."""
    job_panel.watch(lambda: bool(queue_list.active_jobs(cache.job_queue())), _draw)


def _draw() -> None:
    queue = cache.job_queue()
    restart_missing_workers(queue)
    jobs = queue_list.active_jobs(queue)
    _show_head(jobs)
    waiting = [job for job in jobs if job.state == "queued"]
    estimates = _estimates(waiting)
    for job in jobs:
        _show_job(job, waiting, estimates.get(job.id, ""))
    _show_workers()


def _show_head(jobs: list[QueueJob]) -> None:
    """Say how much there is, and offer to pause."""
    queue = cache.job_queue()
    running = sum(job.state == "running" for job in jobs)
    refusal = rights.refusal_to_administer("pause", "the queue")
    with st.container(horizontal=True, vertical_alignment="center"):
        words = f"**{running} at work, {len(jobs) - running} waiting**"
        st.markdown(words if jobs else "**Nothing is at work and nothing waits**", width="content")
        if queue.paused:
            st.badge("Paused", color="orange", icon=":material/pause_circle:")
        st.button(
            "Continue" if queue.paused else "Pause",
            icon=":material/resume:" if queue.paused else ":material/pause:",
            key="runs.queue.pause",
            help=refusal or "Nothing new begins while it is paused; what is at work goes on",
            disabled=bool(refusal),
            on_click=errors.guarded(queue.unpause if queue.paused else queue.pause),
        )
    st.caption(
        "One job runs at a time on each device; after a failure the next one begins. Measurements "
        "and sweeps have a line of their own."
    )


def _estimates(waiting: list[QueueJob]) -> dict[int, str]:
    """Return how long waiting runs take, as far as that has been counted, by job."""
    runs = [job for job in waiting if job.kind == "train"][:ESTIMATED_AT_MOST]
    if not runs or not cache.counts_costs():
        return {}
    costs = cache.cost_estimator().estimates_so_far([RunSpec.make(job.spec) for job in runs])
    return {
        job.id: f"about {widgets.format_duration(cost.seconds)}"
        for job, cost in zip(runs, costs, strict=True)
        if isinstance(cost, CostEstimate) and cost.seconds is not None
    }


def _show_job(job: QueueJob, waiting: list[QueueJob], estimate: str) -> None:
    """Show one job in a line, with what can be done with it."""
    try:
        folder = open_job(job.kind, job.run_id)
    except BadInput:  # deleted while it waited: the worker passes it over
        return
    status = folder.status()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.state_badge(status.label)
            st.markdown(widgets.escape_markdown(_title(job, folder)), width="content")
            if job.kind == "train":
                widgets.page_link("runs", "Open", run=job.run_id)
        facts = [f"priority {job.priority}", f"on {job.device}"]
        if owner := rights.owner_of(job.called):
            facts.append(f"of `{owner}`")  # as code, since an address would become a link
        if job.state == "running" and status.of:
            facts.append(f"{status.done:,} of {status.of:,}")
        left = status.left if job.state == "running" else None
        if left is not None:
            facts.append(f"about {widgets.format_duration(left)} left")
        elif estimate:
            facts.append(estimate)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(", ".join(facts), width="content")
            if job.state == "queued":
                _move_buttons(job, [each for each in waiting if each.device == job.device])
            _stop_buttons(job, folder)


def _title(job: QueueJob, folder: BackgroundJob) -> str:
    """Return what a job is called."""
    if isinstance(folder, TrainingJob):
        return run_title(cache.run_store().open(job.run_id))
    return f"{job.kind.capitalize()} {job.run_id}"


def _move_buttons(job: QueueJob, lane: list[QueueJob]) -> None:
    """Offer to move a waiting job; the first and last of a line go one way only."""
    ends = {True: lane[0].id, False: lane[-1].id}
    refusal = rights.refusal_to_administer("change the order of", "the queue")
    for up, label, icon in ((True, "Up", "arrow_upward"), (False, "Down", "arrow_downward")):
        st.button(
            label,
            icon=f":material/{icon}:",
            key=f"runs.queue.{label}.{job.id}",
            disabled=bool(refusal) or job.id == ends[up],
            help=refusal or None,
            on_click=_move,
            args=(job.id, up),
        )


@errors.guarded
def _move(job: int, up: bool) -> None:
    queue_list.move_job(cache.job_queue(), job, up)


@errors.guarded
def _end_by_force(folder: BackgroundJob) -> None:
    queue_list.end_by_force(cache.job_queue(), folder)


@errors.guarded
def _end_worker(worker: WorkerState) -> None:
    queue_list.end_worker(cache.job_queue(), worker)


@errors.guarded
def _start_worker(device: str) -> None:
    resolve_device(device)  # which says what there is
    queue_list.start_worker(cache.job_queue(), device)


def _stop_buttons(job: QueueJob, folder: BackgroundJob) -> None:
    """Offer to stop a job, and once it was asked to and goes on, to end its process."""
    job_panel.stop_button(folder, f"runs.queue.stop.{job.id}", "Stop")
    if job.state == "running" and folder.stop_requested():
        force_button(folder, f"runs.queue.force.{job.id}")


def force_button(folder: BackgroundJob, key: str) -> None:
    """Offer to end the process of a job that does not stop."""
    st.button(
        "End by force",
        icon=":material/dangerous:",
        key=key,
        on_click=_end_by_force,
        args=(folder,),
        help="Ends its process; what its last checkpoint has is kept, and it can be resumed",
    )


def _show_workers() -> None:
    """Show the workers with what they have, and offer to start one for a device."""
    st.header("Workers", anchor=False)
    workers = queue_list.list_workers(cache.job_queue())
    if not workers:
        st.caption("None is running. One starts by itself as soon as something waits.")
    for worker in workers:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(_worker_text(worker), width="content")
            if worker.hung:
                refusal = rights.refusal_to_administer("end", f"the worker of {worker.device}")
                st.button(
                    "End it",
                    icon=":material/dangerous:",
                    key=f"runs.queue.worker.{worker.device}.{worker.identity.pid}",
                    on_click=_end_worker,
                    args=(worker,),
                    disabled=bool(refusal),
                    help=refusal or "It gives no sign of life; another one takes its place",
                )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        device = st.selectbox("Device", DEVICES, key="runs.queue.device", width=140)
        refusal = rights.refusal_to_change("start", f"the worker of {device}")
        st.button(
            "Start a worker",
            icon=":material/add:",
            key="runs.queue.start",
            on_click=_start_worker,
            args=(device,),
            disabled=bool(refusal) or any(w.device == device and w.alive for w in workers),
            help=refusal or None,
        )


def _worker_text(worker: WorkerState) -> str:
    """Say in a line where a worker is, whether it lives, and what it has."""
    state = "alive" if worker.alive else "no sign of life" if worker.hung else "gone"
    what = f"at work on `{worker.job.run_id}`" if worker.job else "idle"
    host = widgets.escape_markdown(worker.identity.host)
    return (
        f"**{widgets.escape_markdown(worker.device)}** on {host}, process {worker.identity.pid}: "
        f"{state}, {what}; last sign {widgets.format_duration(worker.silent_seconds)} ago"
    )
