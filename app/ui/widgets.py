"""Small shared pieces of pages: escaped text, durations, states, tables with a download.

Nothing here computes results; what is shown comes from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import pandas as pd
import streamlit as st

from app import nav
from peftcore.models.catalog import BaseInfo

Colour = Literal["blue", "green", "gray", "orange", "red", "violet"]

STATES: dict[str, tuple[str, Colour, str]] = {
    "queued": ("Queued", "gray", "schedule"),
    "running": ("Running", "blue", "play_circle"),
    "training": ("Training", "blue", "model_training"),
    "answering": ("Answering", "violet", "edit_note"),
    "done": ("Done", "green", "check_circle"),
    "cancelled": ("Cancelled", "orange", "cancel"),
    "failed": ("Failed", "red", "error"),
    "lost": ("Lost, can be resumed", "orange", "history"),
}


def escape_markdown(text: str) -> str:
    """The text with everything Markdown would act on escaped, so that it reads as it was typed."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~:$])", r"\\\1", text)


def as_sentence(text: str) -> str:
    """An error's words as a sentence; a name or a quote at the front stays as it is."""
    first = text.partition(" ")[0]
    if re.fullmatch(r"[a-z]+,?", first):
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def format_duration(seconds: float) -> str:
    """Seconds in words: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return f"{minutes} min {rest} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_bytes(count: float) -> str:
    """Bytes in words: 512 B, 1.5 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def state_name(state: str) -> str:
    """A run's state in words."""
    return STATES[state][0]


def state_badge(state: str) -> None:
    """A run's state as a coloured badge; the words carry it, the colour only helps."""
    name, colour, icon = STATES[state]
    st.badge(name, color=colour, icon=f":material/{icon}:")


def format_metric(value: float) -> str:
    """A metric to the digits worth reading: 0.713, 34.2."""
    return f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


def spreadsheet_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy in which no text cell starts like a formula: a quote precedes = + - @ tab CR."""
    safe = frame.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = [_quote_formula(value) for value in safe[column]]
    return safe


def _quote_formula(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV that a spreadsheet opens without running anything."""
    return spreadsheet_safe(frame).to_csv(index=False).encode()


def table_with_download(
    frame: pd.DataFrame,
    *,
    key: str,
    name: str,
    alt: str,
    column_config: Mapping[str, Any] | None = None,
) -> None:
    """A table with its download below; `name` is the file's name, `alt` says what it shows."""
    st.dataframe(frame, hide_index=True, alt=alt, column_config=column_config, placeholder="–")
    download(frame, key=key, name=name)


def download(
    frame: pd.DataFrame | Callable[[], pd.DataFrame],
    *,
    key: str,
    name: str,
    label: str = "Download as CSV",
) -> None:
    """The button that saves a table; one given as a function is made once it is wanted."""
    st.download_button(
        label,
        (lambda: csv_bytes(frame())) if callable(frame) else csv_bytes(frame),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"{key}.download",
        on_click="ignore",
        icon=":material/download:",
    )


def view_switch(page: str, views: Iterable[str]) -> str:
    """Offer a page's views, the first unless the address names another; return the chosen one."""
    options = list(views)
    view: str = st.segmented_control(
        "View",
        options,
        default=options[0],
        required=True,
        key=f"{page}.view",
        label_visibility="collapsed",
        bind="query-params",
    )
    return view


def page_link(page: str, label: str, **query: str) -> None:
    """A link to another page of the app, with what it should show."""
    entry = nav.find_page(page)
    st.page_link(
        entry.script_path, label=label, icon=f":material/{entry.icon}:", query_params=query
    )


def empty_state(title: str, advice: str, page: str | None = None) -> None:
    """Show a heading, what to do next, and where, on a page that has nothing yet."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.caption(advice)
        if page:
            page_link(page, f"Go to {nav.find_page(page).title}")


def missing_base(title: str) -> None:
    """Say that no base of some kind is there, and link to where one is added."""
    with st.container(border=True):
        st.markdown(f"**{escape_markdown(title)}**")
        st.caption("A pretrained base can be added with one button, or from a file of your own.")
        page_link("models", "Add a base", **{"models.view": "Add a base"})


def describe_base(info: BaseInfo) -> str:
    """A base's kind and size, as one line."""
    million = info.parameter_count >= 1e5
    count = f"{info.parameter_count / 1e6:.1f} million" if million else f"{info.parameter_count:,}"
    words = f"{info.kind.capitalize()}, {count} parameters"
    return f"{words}, {info.layers} layers, width {info.width}"
