"""What is chosen on a page stands in its address, so that the tab can be shared and come back to.

Streamlit's own binding writes the words that a list shows, so a link by id selects nothing.  Here
the address holds the id; words are understood, too, so links of both kinds work.  Use it as a
widget's `on_change`:
`st.selectbox(…, key="data.task", on_change=addresses.follow("Task", "data.task", names))`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from app.ui import widgets

T = TypeVar("T")
RENAMED_VIEWS = {  # key and old value → value of today
    ("landscape.view", "Ground"): "Loss surface",
    ("compare.view", "Scores"): "Table",
    ("compare.view", "Size"): "Pareto",
    ("compare.view", "Tests"): "Against one",
    ("compare.view", "Settings"): "All settings",
}


def open_renamed_views() -> None:
    """Let an address with a view's old name open the view of today; call before the page runs."""
    for (key, old), new in RENAMED_VIEWS.items():
        if st.query_params.get(key) == old:
            st.session_state[key] = new


def sync_with_url(
    what: str | Callable[[str], str],
    key: str,
    options: Sequence[T],
    *,
    name: str = "",
    format_option: Callable[[T], str] = str,
    first: T | None = None,
) -> Callable[[], None]:
    """Let the widget `key`, drawn next, show what the address names; returns its `on_change`.

    `name` is the part of the address, the key unless given; `first` is chosen where the address
    names nothing, else the first option.  Where the address asks for something else the page says
    so: `what` is a noun for the options, or makes the whole sentence of what was asked for.
    """
    name = name or key
    requested = st.query_params.get(name, "")
    requested = RENAMED_VIEWS.get((name, requested), requested)
    option = find_option(options, format_option, requested) if requested else None
    if option is not None:
        if st.session_state.get(key) != option:
            st.session_state[key] = option
    elif requested:
        message = (
            f"There is no {what.lower()} “{requested[:60]}” here."
            if isinstance(what, str)
            else what(requested)
        )
        st.warning(
            widgets.escape_markdown(
                f"{message} The address asks for it; another is shown instead."
            ),
            icon=":material/link_off:",
        )
    if options and st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if first is None else first

    def write_url() -> None:
        st.query_params[name] = str(st.session_state[key])

    return write_url


def sync_several_with_url(
    what: str,
    key: str,
    options: Sequence[T],
    *,
    format_option: Callable[[T], str] = str,
    first: Sequence[T] = (),
) -> Callable[[], None]:
    """Let the widget `key` of several choices, drawn next, show what the address names.

    Ids stand in the address between commas; a part that is there and empty chooses nothing.  What
    is not among the options is left out, and the page says so.  Returns the `on_change`.
    """
    if key in st.query_params:
        requested = [part for text in st.query_params.get_all(key) for part in _split_ids(text)]
        option_by_text = {part: find_option(options, format_option, part) for part in requested}
        missing = [part for part, option in option_by_text.items() if option is None]
        if missing:
            quoted = ", ".join(f"“{part[:60]}”" for part in missing[:5])
            st.warning(
                widgets.escape_markdown(
                    f"There is no {what.lower()} {quoted} here; the address asks for it."
                ),
                icon=":material/link_off:",
            )
        chosen = [option for option in dict.fromkeys(option_by_text.values()) if option is not None]
        if st.session_state.get(key) != chosen:
            st.session_state[key] = chosen
    else:
        stored = st.session_state.get(key, first)
        st.session_state[key] = [option for option in stored if option in options]

    def write_url() -> None:
        st.query_params[key] = ",".join(map(str, st.session_state[key]))

    return write_url


def _split_ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def find_option(
    options: Sequence[T], format_option: Callable[[T], str], requested: str
) -> T | None:
    """Return the option of this id, else the one that reads so."""
    ids = {str(option): option for option in options}
    if requested in ids:
        return ids[requested]
    return next((option for option in options if format_option(option) == requested), None)
