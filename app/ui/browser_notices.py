"""Word from the browser when a run, sweep or rating project is done or failed, while a tab is open.

A click on the Runs page asks for it; from then on this session looks for new notices on every page.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from app.ui.own_components import own_component
from peftcore.errors import BadInput
from peftcore.system import notices, people

SINCE = "notices.since"  # in the session: when word was asked for, in epoch seconds
CONTROL = "notices.control"  # the component on the Runs page
LOOK_SECONDS = 5
NOTICES = own_component("notices", '<div class="notices"></div>')


def show_control() -> None:
    """Offer word in this browser, and say which other ways the server has."""
    st.subheader("Word when it is done", anchor=False)
    NOTICES(
        key=CONTROL,
        data={"control": True, "on": SINCE in st.session_state, "notices": []},
        on_wanted_change=_switch,
    )
    try:
        channels = notices.channels()
    except BadInput:
        st.caption("The server's settings for other ways are at fault: `notices` says how.")
        return
    if channels:
        st.caption(f"The server also sends word by {' and '.join(channels)}.")
    else:
        st.caption("Webhook and e-mail are settings of the server: `python -m peftcore notices`.")


def _switch() -> None:
    """Take over whether word is wanted."""
    if (st.session_state.get(CONTROL) or {}).get("wanted"):
        st.session_state[SINCE] = time.time()
    else:
        st.session_state.pop(SINCE, None)


def listen() -> None:
    """Look for new notices every few seconds, if word was asked for; on any page."""
    if SINCE in st.session_state:
        with st.container(height=1, border=False):
            st.fragment(_hand_over, run_every=LOOK_SECONDS)()


def _hand_over() -> None:
    """Hand the browser what ended since; it knows what it has shown."""
    if since := st.session_state.get(SINCE):
        NOTICES(key="notices.listener", data={"control": False, "notices": for_browser(since)})


def for_browser(since: float) -> list[dict[str, Any]]:
    """Return what ended since a moment, of this person and of nobody, as the browser shows it."""
    mine = ("", people.who().name)
    return [
        {
            "key": f"{notice.kind} {notice.id} {notice.at}",
            "title": notice.title,
            "body": notice.message,
        }
        for notice in notices.recent(since)
        if notice.owner in mine
    ]
