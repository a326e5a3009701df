"""The card in a rater's browser: a component of our own that loses no key (see components/).

Streamlit's own shortcuts lose keys that come fast, so the card numbers what a rater does and keeps
it until `Desk.seen` says that it has arrived.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.rating.session import Desk, apply, payload
from app.ui import errors
from peftcore.rating import Actor, Book

FOLDER = Path(__file__).parents[1] / "frontend"
KEY = "rate.card"
MOUNT = st.components.v2.component(
    "rate_card",
    css=(FOLDER / "rate_card.css").read_text(encoding="utf-8"),
    js=(FOLDER / "rate_card.js").read_text(encoding="utf-8"),
)


def card(book: Book, who: Actor, desk: Desk) -> None:
    """Show the item this rater is at, after doing what the card has sent."""

    @errors.guarded
    def arrived() -> None:
        sent = st.session_state[KEY].get("events") or {}
        acts = sent.get("acts") if isinstance(sent, dict) else None
        apply(book, who, desk, acts if isinstance(acts, list) else [])

    MOUNT(key=KEY, data=payload(book, who, desk), on_events_change=arrived)
