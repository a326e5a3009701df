"""The server looks after workers itself, whichever page anybody is on, or none."""

from __future__ import annotations

import os
import threading

import streamlit as st

from app.state import cache
from peftcore import paths
from peftcore.jobs.queue import Queue
from peftcore.jobs.queue_list import look_after_workers


def start() -> None:
    """Start the thread that gives waiting jobs their workers, once for the server.

    PEFTCORE_WARM=0 leaves it out, like all work in the background.
    """
    if cache.counts_costs():
        _start(str(paths.workspace_folder()), os.environ.get("PEFTCORE_DATABASE", ""))


@st.cache_resource(max_entries=4, show_spinner=False)
def _start(home: str, database: str) -> threading.Thread:
    queue = cache.job_queue()
    thread = threading.Thread(target=_watch, args=(queue,), daemon=True, name="worker-watch")
    thread.start()
    return thread


def _watch(queue: Queue) -> None:
    """Runs in the thread: no Streamlit call in here."""
    look_after_workers(queue, lambda: True)
