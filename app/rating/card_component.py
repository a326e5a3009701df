"""The card in a rater's browser: a component that loses no key (app/frontend/rate_card.js).

Streamlit's own shortcuts lose keys that come fast, so the card numbers what a rater does and keeps
it until `applied` in its data` says that it has arrived.
"""

from __future__ import annotations

import streamlit as st

from app.rating.session import RaterSession, apply_actions, card_payload
from app.ui import errors
from app.ui.own_components import own_component
from peftcore.rating import RatingStore, RatingUser

CARD_KEY = "rate.card"
RATE_CARD = own_component("rate_card")


def rater_card(store: RatingStore, user: RatingUser, session: RaterSession) -> None:
    """Show the item this rater is at, after doing what the card has sent."""

    @errors.guarded
    def receive_events() -> None:
        event_data = st.session_state[CARD_KEY].get("events") or {}
        actions = event_data.get("acts") if isinstance(event_data, dict) else None
        apply_actions(store, user, session, actions if isinstance(actions, list) else [])

    RATE_CARD(
        key=CARD_KEY, data=card_payload(store, user, session), on_events_change=receive_events
    )
