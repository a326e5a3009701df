"""Waiting for the heavy packages: a page draws at once, and goes on when they are there."""

from __future__ import annotations

import streamlit as st

from app.state import cache, heavy_imports

LOADING = "The models' libraries are being loaded in the background; this takes a while once."
RECORDED = (
    "This is a recording that comes with the project, until the models' libraries are loaded."
)


class NotRecorded(Exception):
    """What is asked for does not ship, so it waits for the packages."""


def is_waiting(name: str) -> bool:
    """Return whether heavy work would have to wait, so that a page shows what is recorded."""
    return not (cache.imports_ready() or st.session_state.get(f"{name}.started"))


def say_recorded(name: str) -> None:
    """Say that a recording is shown, and draw the page again once it can be measured."""
    _show_wait(f"{name}.start", RECORDED)


def ready_or_wait(name: str) -> bool:
    """Return whether a page may start heavy work; say why not, and go on by itself.

    The button starts it at once, which makes the page wait for the imports.
    """
    key = f"{name}.start"
    if cache.imports_ready():
        return True
    if st.session_state.get(f"{key}ed"):
        with st.spinner("Loading the models' libraries…", show_time=True):
            heavy_imports.import_all()
        return True
    _show_wait(key, LOADING)
    return False


@st.fragment(run_every=1.0)
def _show_wait(key: str, words: str) -> None:
    """Say what is loading, and draw the page again when it is done."""
    if cache.imports_ready():
        st.rerun()
    st.caption(words)
    if st.button("Start now", key=key, icon=":material/play_arrow:"):
        st.session_state[f"{key}ed"] = True
        st.rerun()
