"""Measurements on a page: a panel that starts, watches, stops and shows one.

Measuring happens in a process of its own, which outlives the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import streamlit as st

from app.ui import errors, widgets
from peftcore.jobs.background import BackgroundJob, JobRequest

JobType = TypeVar("JobType", bound=BackgroundJob)


def show_job(
    kind: type[JobType],
    request: JobRequest,
    show: Callable[[JobType], None],
    what: str,
    empty: str = "",
) -> None:
    """What is known of a measurement, with the buttons that go on with it or stop it.

    Drawn again every two seconds while it is being measured.
    """
    job = kind.find(request)
    is_running = bool(job and job.status().busy)

    @st.fragment(run_every=2.0 if is_running else None)
    @errors.guarded
    def live() -> None:
        job = kind.find(request)
        status = job.status() if job else None
        if is_running != bool(status and status.busy):
            st.rerun()  # begun or ended: the clock of this panel must start or stop
        if job and status and status.busy:
            _progress(job)
        else:
            _start_button(kind, request, job, what, empty)
        if job and job.plan():
            show(job)

    live()


def _start_button(
    kind: type[JobType], request: JobRequest, job: JobType | None, what: str, empty: str
) -> None:
    """The button that begins or goes on, unless everything is measured."""
    status = job.status() if job else None
    if status and status.state == "done":
        return
    if status and status.state == "failed":
        st.error(widgets.escape_markdown(status.message), icon=":material/error:")
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
        on_click=start_job,
        args=(kind, request),
    )
    show_command(request)


def start_job(kind: type[BackgroundJob], request: JobRequest) -> None:
    """Measure in a process of its own."""
    kind.start(request)


def show_command(request: JobRequest) -> None:
    """The same on the command line."""
    with st.expander("The same on the command line", icon=":material/terminal:"):
        words = " ".join(map(shlex.quote, request.command_arguments()))
        st.code(f"python -m peftcore {words}", language="bash", wrap_lines=True)


def _progress(job: BackgroundJob) -> None:
    status = job.status()
    share = status.done / status.of if status.of else 0.0
    left = "" if status.left is None else f", about {widgets.format_duration(status.left)} left"
    words = f"{status.done:,} of {status.of:,} {job.PROGRESS_WORDS}{left}"
    if not status.of:
        words = "Starting"
    if status.message:
        words += f". {status.message}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, share), text=widgets.escape_markdown(words))
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key=f"{job.FOLDER_NAME}.stop.{job.id}",
            on_click=job.stop,
            help="What was measured is kept, and can be gone on with",
        )


def measurement_caption(facts: Mapping[str, Any]) -> None:
    """Where the adapters and data come from, below a figure."""
    st.caption(
        widgets.escape_markdown(
            f"Measured on {facts.get('base')} ({facts.get('fingerprint')}), "
            f"{facts.get('task')} ({facts.get('data_hash')}), adapters "
            f"{', '.join(facts.get('adapters', []))}; the codes are fingerprints of what was read."
        )
    )
