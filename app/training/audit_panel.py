"""Who did what, for admins: the latest acts of people with a name, from a log only added to."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from peftcore.system import people, rights

SHOWN_AT_MOST = 200  # the latest acts; `audit` lists more


def show() -> None:
    """Show the log folded; nothing to who may not read it, or where nobody with a name acted."""
    if people.who().role != "admin":
        return
    acts = rights.acts(SHOWN_AT_MOST)
    if not acts:
        return
    with st.expander("Who did what", icon=":material/history:"):
        st.dataframe(acts_table(acts), hide_index=True, width="stretch", key="runs.queue.acts")
        st.caption(
            f"The latest {SHOWN_AT_MOST} acts at most, in UTC; `python -m peftcore audit` lists "
            "more, also of one person or one object."
        )


def acts_table(acts: list[rights.Act]) -> pd.DataFrame:
    """Return a row for each act, in the order given."""
    return pd.DataFrame(
        {
            "When": [f"{datetime.fromtimestamp(act.at, UTC):%Y-%m-%d %H:%M:%S}" for act in acts],
            "Who": [act.person for act in acts],
            "Role": [act.role for act in acts],
            "Did": [act.act for act in acts],
            "To": [act.object for act in acts],
            "Outcome": ["allowed" if act.allowed else "refused" for act in acts],
        }
    )
