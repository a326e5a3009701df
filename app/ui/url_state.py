"""What is chosen on a page stands in its address, so that the tab can be shared and come back to.

Streamlit's own binding writes the words that a list shows, so a link by id selects nothing.  Here
the address holds the id; words are understood, too, so links of both kinds work.  Use it as a
widget's `on_change`:
`st.selectbox(…, key="data.task", on_change=addresses.follow("Task", "data.task", names))`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from app.state import cache
from app.ui import widgets
from peftcore.errors import BadInput

if TYPE_CHECKING:
    from peftcore.data.task import Task
    from peftcore.models.catalog import BaseInfo

T = TypeVar("T")


def follow(
    what: str,
    key: str,
    options: Sequence[T],
    *,
    name: str = "",
    words: Callable[[T], str] = str,
    first: T | None = None,
    missing: Callable[[str], str] | None = None,
) -> Callable[[], None]:
    """Let the widget `key`, drawn next, show what the address names; returns its `on_change`.

    `name` is the part of the address, the key unless given; `first` is chosen where the address
    names nothing, else the first option.  Where the address asks for something else the page says
    so, in the sentence of `missing` if given.
    """
    name = name or key
    asked = st.query_params.get(name, "")
    found = _among(options, words, asked) if asked else None
    if found is not None:
        if st.session_state.get(key) != found:
            st.session_state[key] = found
    elif asked:
        said = missing(asked) if missing else f"There is no {what.lower()} “{asked[:60]}” here."
        st.warning(
            widgets.plain(f"{said} The address asks for it; another is shown instead."),
            icon=":material/link_off:",
        )
    if options and st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if first is None else first

    def remember() -> None:
        st.query_params[name] = str(st.session_state[key])

    return remember


def follow_several(
    what: str,
    key: str,
    options: Sequence[T],
    *,
    words: Callable[[T], str] = str,
    first: Sequence[T] = (),
) -> Callable[[], None]:
    """Let the widget `key` of several choices, drawn next, show what the address names.

    Ids stand in the address between commas; a part that is there and empty chooses nothing.  What
    is not among the options is left out, and the page says so.  Returns the `on_change`.
    """
    if key in st.query_params:
        named = [part for text in st.query_params.get_all(key) for part in _parts(text)]
        found = {part: _among(options, words, part) for part in named}
        missing = [part for part, option in found.items() if option is None]
        if missing:
            quoted = ", ".join(f"“{part[:60]}”" for part in missing[:5])
            st.warning(
                widgets.plain(
                    f"There is no {what.lower()} {quoted} here; the address asks for it."
                ),
                icon=":material/link_off:",
            )
        chosen = [option for option in dict.fromkeys(found.values()) if option is not None]
        if st.session_state.get(key) != chosen:
            st.session_state[key] = chosen
    else:
        kept = st.session_state.get(key, first)
        st.session_state[key] = [option for option in kept if option in options]

    def remember() -> None:
        st.query_params[key] = ",".join(map(str, st.session_state[key]))

    return remember


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _among(options: Sequence[T], words: Callable[[T], str], asked: str) -> T | None:
    """The option of this id, else the one that reads so."""
    ids = {str(option): option for option in options}
    if asked in ids:
        return ids[asked]
    return next((option for option in options if words(option) == asked), None)


def no_run(needed: str) -> Callable[[str], str]:
    """Why the run that an address asks for cannot be shown; `needed` says which runs can."""

    def why(asked: str) -> str:
        try:
            run = cache.store().open(asked)
        except BadInput as error:  # has the ids that are close
            return widgets.sentence(str(error))
        return f"Run {run.id} ({run.spec.method}, {run.status().state}) does not fit: {needed}."

    return why


def pick_task(key: str) -> Task:
    """A choice among all tasks, in the address too."""
    known = {task.name: task for task in cache.tasks()}
    names = list(known)

    def title(name: str) -> str:
        return known[name].title

    change = follow("Task", key, names, words=title)
    name = st.selectbox("Task", names, format_func=title, key=key, on_change=change)
    return known[name]


def pick_base(key: str) -> BaseInfo:
    """A choice among the base models at hand, in the address too."""
    known = {info.name: info for info in cache.bases()}
    if not known:
        raise BadInput(
            "no base model is at hand: assets/models is empty and PEFTCORE_MODELS names none"
        )
    change = follow("Base model", key, list(known))
    return known[st.selectbox("Base model", list(known), key=key, on_change=change)]
