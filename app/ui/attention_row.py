"""The moving attention row: one query's shares as bars, and what a prefix or LoRA does to them.

The browser computes what it draws (app/frontend/attention_row.js) by the formulas of
`peftcore.analysis.attention_row`, so that a slider needs no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from app.ui.own_components import own_component
from peftcore.analysis import attention_row
from peftcore.stories import recordings
from peftcore.stories.recordings import HeadRecording

RowMode = Literal["frozen", "prefix", "renormalised", "lora"]
ALL_MODES: tuple[RowMode, ...] = ("frozen", "prefix", "renormalised", "lora")
LONGEST_TOKEN = 12  # characters of a word below its bar
LARGE = 450  # pixels of the tallest bar, as in a lecture
ATTENTION_ROW = own_component("attention_row", '<div class="attention-row"></div>')


@st.cache_resource(max_entries=1, show_spinner=False)
def recorded_head() -> HeadRecording:
    """Return the head that stories, Home and labs show, read once."""
    return recordings.head_recording()


def show_attention_row(
    head: HeadRecording,
    *,
    key: str,
    query: int | None = None,
    modes: Sequence[RowMode] = ALL_MODES,
    plays: bool = False,
    high: int = 250,
) -> None:
    """Put a row on the page, in the first of these modes; with `plays` it goes through all once.

    high: pixels of the tallest bar; from LARGE on, type is larger, too.
    """
    look = {"plays": plays, "high": high, "large": high >= LARGE}
    ATTENTION_ROW(key=key, data=row_data(head, query, modes) | look)


def row_data(
    head: HeadRecording, query: int | None = None, modes: Sequence[RowMode] = ALL_MODES
) -> dict[str, Any]:
    """Return what the browser draws of one query: words, shares and the prefix's score."""
    chosen = head.query if query is None else query
    tokens = [_short(token) for token in head.tokens[: chosen + 1]]
    return {
        "title": f"What “{tokens[-1]}” looks at",
        "tokens": tokens,
        "before": attention_row.normalise(head.row_before(chosen)).tolist(),
        "after": attention_row.normalise(head.row_with_lora(chosen)).tolist(),
        "score": attention_row.score_of_share(head.share(chosen)),
        "modes": [mode for mode in ALL_MODES if mode in modes],
        "first": modes[0],
    }


def _short(token: str) -> str:
    """Return a token as it stands below its bar; a special one in words."""
    text = "start" if token.startswith("<|") else token
    return text if len(text) <= LONGEST_TOKEN else f"{text[: LONGEST_TOKEN - 1]}…"
