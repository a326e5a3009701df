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

M = TypeVar("M", bound=BackgroundJob)


def panel(
    kind: type[M], ask: JobRequest, show: Callable[[M], None], what: str, empty: str = ""
) -> None:
    """What is known of a measurement, with the buttons that go on with it or stop it.

    Drawn again every two seconds while it is being measured.
    """
    found = kind.find(ask)
    working = bool(found and found.status().busy)

    @st.fragment(run_every=2.0 if working else None)
    @errors.guarded
    def live() -> None:
        here = kind.find(ask)
        status = here.status() if here else None
        if working != bool(status and status.busy):
            st.rerun()  # begun or ended: the clock of this panel must start or stop
        if here and status and status.busy:
            _progress(here)
        else:
            _start(kind, ask, here, what, empty)
        if here and here.plan():
            show(here)

    live()


def _start(kind: type[M], ask: JobRequest, found: M | None, what: str, empty: str) -> None:
    """The button that begins or goes on, unless everything is measured."""
    status = found.status() if found else None
    if status and status.state == "done":
        return
    if status and status.state == "failed":
        st.error(widgets.plain(status.message), icon=":material/error:")
    begun = bool(status and status.done)
    if status and begun:
        st.caption(
            f"{status.done:,} of {status.of:,} {kind.PROGRESS_WORDS}, then it was stopped; what is "
            "known is kept."
        )
    elif empty:
        st.caption(empty)
    st.button(
        f"Go on with {what}" if begun else f"{kind.START_VERB} {what}",
        type="primary",
        icon=":material/play_arrow:",
        key=f"{kind.FOLDER_NAME}.start.{ask.id}",
        on_click=begin,
        args=(kind, ask),
    )
    command(ask)


def begin(kind: type[BackgroundJob], ask: JobRequest) -> None:
    """Measure in a process of its own."""
    kind.start(ask)


def command(ask: JobRequest) -> None:
    """The same on the command line."""
    with st.expander("The same on the command line", icon=":material/terminal:"):
        words = " ".join(map(shlex.quote, ask.command_arguments()))
        st.code(f"python -m peftcore {words}", language="bash", wrap_lines=True)


def _progress(found: BackgroundJob) -> None:
    status = found.status()
    share = status.done / status.of if status.of else 0.0
    left = "" if status.left is None else f", about {widgets.duration(status.left)} left"
    words = f"{status.done:,} of {status.of:,} {found.PROGRESS_WORDS}{left}"
    if not status.of:
        words = "Starting"
    if status.message:
        words += f". {status.message}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, share), text=widgets.plain(words))
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key=f"{found.FOLDER_NAME}.stop.{found.id}",
            on_click=found.stop,
            help="What was measured is kept, and can be gone on with",
        )


def caption(facts: Mapping[str, Any]) -> None:
    """Where the adapters and data come from, below a figure."""
    st.caption(
        widgets.plain(
            f"Measured on {facts.get('base')} ({facts.get('fingerprint')}), "
            f"{facts.get('task')} ({facts.get('data_hash')}), adapters "
            f"{', '.join(facts.get('adapters', []))}; the codes are fingerprints of what was read."
        )
    )
