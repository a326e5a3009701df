"""The point of a landscape that was clicked: it answers a text, and can be taken along."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app.compare import selection
from app.state import cache, wait_for_imports
from app.ui import widgets
from peftcore.labs.landscape.request import LandscapeJob

CHOSEN = "landscape.chosen"  # in the session: id of the landscape, number of the point


def taker(found: LandscapeJob) -> Callable[[int], None]:
    """Remembers the point that was clicked, by its row."""

    def take(point: int) -> None:
        st.session_state[CHOSEN] = (found.id, point)

    return take


def chosen(found: LandscapeJob) -> int | None:
    """The number of the clicked point, if it belongs to this landscape."""
    where, point = st.session_state.get(CHOSEN, ("", -1))
    return point if where == found.id else None


def box(found: LandscapeJob, table: pd.DataFrame) -> None:
    """Ask the clicked adapter, or take it along."""
    point = chosen(found)
    if point is None or point >= len(table):
        st.caption("Click a point of the picture to put a question to the adapter there.")
        return
    row = table.loc[point]
    with st.container(border=True):
        where = row["mark"] or "a point between"
        score = f", score {row['score']:.3f}" if pd.notna(row["score"]) else ""
        st.markdown(
            f"**The adapter at {widgets.escape_markdown(where)}** has a loss of "
            f"{row['loss']:.4f}{score}."
        )
        weights = " · ".join(f"{w:+.2f}" for w in row["weights"])
        st.caption(widgets.escape_markdown(f"Its weights on the corners: {weights}"))
        _ask(found, tuple(row["weights"]))


def _ask(found: LandscapeJob, weights: tuple[float, ...]) -> None:
    run = cache.run_store().open(found.request.adapter_refs()[0].run)
    rows = cache.split_examples(run.spec.task, "test")
    text = st.text_area(
        "Text",
        value=rows.examples[0].source if rows.examples else "",
        key=f"landscape.text.{run.spec.task}",
        height=90,
    )
    if not wait_for_imports.ready_or_wait("landscape"):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Ask this point", key="landscape.ask", icon=":material/send:")
        st.download_button(
            "Take this adapter along",
            lambda: cache.point_adapter_file(found.request, weights),
            file_name=f"adapter-{found.id}-{chosen(found)}.safetensors",
            key="landscape.take",
            icon=":material/download:",
            on_click="ignore",
            help="A safetensors file like that of a run, with effective values and one vertex",
        )
    if pressed and text.strip():
        with st.spinner("Answering…", show_time=True):
            said = cache.point_answer(found.request, weights, text)
        task = selection.find_task(run.spec.task)
        gold = next((e.target for e in rows.examples if e.source == text), "")
        st.markdown(f"**Answer**: {widgets.escape_markdown(said) or 'nothing'}")
        if gold and task:
            st.caption(widgets.escape_markdown(f"Reference: {gold}"))
