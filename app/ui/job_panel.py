"""Jobs on a page: watch one, stop it, go on with it, and read its log; any kind of job.

Work is done by other processes, which outlive the page; nothing is computed here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from app.state import cache, run_catalog
from app.ui import errors, permitted, widgets
from peftcore.jobs.background import BackgroundJob, JobRequest
from peftcore.jobs.queue import restart_missing_workers
from peftcore.system.job_folder import JobFolder, JobStatus

JobType = TypeVar("JobType", bound=BackgroundJob)
REDRAW_SECONDS = 2.0
LOG_LINES = 40
DATED_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def watch(is_active: Callable[[], bool], draw: Callable[[], None]) -> None:
    """Draw a part of the page, again every two seconds while something is at work.

    The whole page is drawn anew when that begins or ends, since other parts may show it, too.  What
    is drawn while nothing is at work may write into other parts of the page.
    """
    if not is_active():
        draw()
        return

    @st.fragment(run_every=REDRAW_SECONDS)
    @errors.guarded
    def live() -> None:
        if not is_active():
            st.rerun()
        draw()

    live()


def show_job(
    kind: type[JobType],
    request: JobRequest,
    show: Callable[[JobType], None],
    what: str,
    empty: str = "",
    seconds: float | None = None,
) -> None:
    """Show what is known of a measurement, with the buttons that start, resume or stop it.

    seconds: about how long all of it takes, shown before it is started.
    """

    def is_active() -> bool:
        job = kind.find(request)
        return bool(job and job.status().active)

    def draw() -> None:
        job = kind.find(request)
        if job and job.status().active:
            _progress(job)
        else:
            _start_button(kind, request, job, what, f"{empty} {cost_text(seconds)}".strip())
        if job and job.plan():
            show(job)

    watch(is_active, draw)


def cost_text(seconds: float | None) -> str:
    """Say about how long a measurement takes; empty where that is not known."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "It takes a few seconds."
    return (
        f"It takes about {widgets.format_duration(seconds)}, judged by how long the run itself "
        "took; it goes on if you close the page, and a stop loses nothing."
    )


def keep_queue_going(status: JobStatus) -> None:
    """Start the worker that a waiting job misses: it may have been killed in the meantime."""
    if status.state == "queued":
        restart_missing_workers(cache.job_queue())


def _progress(job: BackgroundJob) -> None:
    status = job.status()
    keep_queue_going(status)
    share = status.done / status.of if status.of else 0.0
    left = "" if status.left is None else f", about {widgets.format_duration(status.left)} left"
    words = f"{status.done:,} of {status.of:,} {job.PROGRESS_WORDS}{left}"
    if not status.of:
        words = "Starting"
    if status.state == "queued" and not status.message:
        words = "Waits for its turn; one job runs at a time"
    if status.message:
        words += f". {status.message}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, share), text=widgets.escape_markdown(words))
        stop_button(job, f"{job.FOLDER_NAME}.stop.{job.id}")


def stop_button(job: BackgroundJob, key: str, label: str = "Stop") -> None:
    """Offer to stop a job, be it that it waits or that it runs."""
    st.button(
        label,
        icon=":material/stop_circle:",
        key=key,
        on_click=errors.guarded(job.stop),
        **permitted.to_change(
            "stop",
            job.called,
            help="Stops within a step; what was done is kept, and can be gone on with",
            disabled=job.stop_requested(),
        ),
    )


def resume_button(job: BackgroundJob, key: str, label: str = "Resume") -> None:
    """Offer to go on with a job that stopped short of its end."""
    st.button(
        label,
        type="primary",
        icon=":material/resume:",
        key=key,
        on_click=errors.guarded(job.launch),
        **permitted.to_change("resume", job.called),
    )


def _start_button(
    kind: type[JobType], request: JobRequest, job: JobType | None, what: str, empty: str
) -> None:
    """The button that begins or goes on, unless everything is measured."""
    status = job.status() if job else None
    if status and status.state == "done":
        return
    if base := run_catalog.missing_base(ref.run for ref in request.adapter_refs()):
        widgets.missing_base(f"This needs the base {base}, which is not on this machine")
        return
    if job and status and status.state == "failed":
        st.error(widgets.escape_markdown(status.message), icon=":material/error:")
        show_log(job)
    has_begun = bool(status and status.done)
    if status and has_begun:
        st.caption(
            f"{status.done:,} of {status.of:,} {kind.PROGRESS_WORDS}, then it was stopped; what is "
            "known is kept."
        )
    elif empty:
        st.caption(empty)
    st.button(
        f"Go on with {what}" if has_begun else f"{kind.START_VERB} {what}",
        type="primary",
        icon=":material/play_arrow:",
        key=f"{kind.FOLDER_NAME}.start.{request.id}",
        on_click=errors.guarded(start_job),
        args=(kind, request),
        **permitted.to_start(),
    )
    show_command(request)


def start_job(kind: type[BackgroundJob], request: JobRequest) -> None:
    """Queue the job of a request."""
    kind.start(request)


def show_command(request: JobRequest) -> None:
    """Show the same on the command line."""
    with st.expander("The same on the command line", icon=":material/terminal:"):
        words = " ".join(map(shlex.quote, request.command_arguments()))
        st.code(f"python -m peftcore {words}", language="bash", wrap_lines=True)


def show_log(job: JobFolder[Any]) -> None:
    """Show the last dated lines of a job's log; what a fault left behind stays in the file."""
    with st.expander("Log", icon=":material/notes:"):
        lines = [line for line in job.log().splitlines() if DATED_LINE.match(line)]
        st.code("\n".join(lines[-LOG_LINES:]) or "Nothing yet", language=None, wrap_lines=True)
