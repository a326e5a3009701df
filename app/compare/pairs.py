"""Two of the chosen runs, kept in the address for every view that looks at a pair."""

from __future__ import annotations

import streamlit as st

from app.compare.selection import Comparison

PARAM = "pair"
KEYS = ("compare.from", "compare.to")


def pick_pair(chosen: Comparison) -> tuple[str, str] | None:
    """Offer a run to start from and one to go to; None where there are not two with the metric."""
    runs = list(chosen.judgement.tables)
    if len(runs) < 2:
        st.info("Choose a second run, to see what changes from one to the other.")
        return None
    requested = st.query_params.get(PARAM, "").split(",")
    valid = len(requested) == 2 and set(requested) <= set(runs) and requested[0] != requested[1]
    for key, run, first in zip(KEYS, requested if valid else ("", ""), runs[1::-1], strict=True):
        if run:
            st.session_state[key] = run
        elif st.session_state.get(key) not in runs:
            st.session_state[key] = first

    def write_url() -> None:
        st.query_params[PARAM] = ",".join(st.session_state[key] for key in KEYS)

    places = st.columns(2)
    for place, key, label in zip(places, KEYS, ("From", "To"), strict=True):
        place.selectbox(
            label, runs, format_func=chosen.names.__getitem__, key=key, on_change=write_url
        )
    before, after = (str(st.session_state[key]) for key in KEYS)
    if before == after:
        st.info("Choose two different runs.")
        return None
    return before, after
