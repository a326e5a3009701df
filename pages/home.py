"""Home: what this is, where to go, and the latest results."""

import streamlit as st

from app import nav
from app.compare.recent_results import latest_results
from app.ui import widgets

st.title("Adapter Lab", anchor=False)
st.markdown(
    "A large language model is kept frozen, and small sets of extra numbers, called adapters, are "
    "trained to make it do a task. Here you train several kinds of adapter on the same few "
    "examples and see which learns best, with intervals over repeated seeds, on your own machine."
)

other_pages = [entry for entry in nav.page_entries() if entry.name != "home"]
for first in range(0, len(other_pages), 3):
    for column, entry in zip(st.columns(3), other_pages[first : first + 3], strict=False):
        with column, st.container(border=True, height="stretch"):
            widgets.page_link(entry.name, entry.title)
            st.caption(entry.summary)

st.header("Latest results", anchor=False)
latest = latest_results(limit=12)
if latest.empty:
    widgets.empty_state(
        "No results yet",
        "Pick a task and tick a few methods; a small comparison takes a few minutes.",
        "train",
    )
else:
    st.dataframe(
        latest,
        hide_index=True,
        height="content",
        alt="Latest finished runs with their main score, averaged over seeds",
        column_config={
            "Run": st.column_config.LinkColumn(display_text=r"run=(\w+)"),
        },
    )
    widgets.download(latest, key="home.latest", name="latest-results")
    st.caption(
        "Score is the mean over seeds of the task's main measure, the range its lowest and highest "
        "seed. Demo runs come with the app. Compare shows 95 % intervals and what is behind them."
    )
