"""The point of a landscape that was clicked: its answers, and its adapter as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.state import cache, run_catalog, wait_for_imports
from app.ui import widgets
from peftcore.labs.landscape.request import LandscapeJob

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

CHOSEN_KEY = "landscape.chosen"  # in the session: id of the landscape, number of the point


def point_setter(landscape: LandscapeJob) -> Callable[[int], None]:
    """Remembers the point that was clicked, by its row."""

    def remember(point: int) -> None:
        st.session_state[CHOSEN_KEY] = (landscape.id, point)
        st.query_params["point"] = f"{landscape.id}-{point}"

    return remember


def chosen_point(landscape: LandscapeJob) -> int | None:
    """The number of the clicked point, if it belongs to this landscape."""
    landscape_id, _, number = st.query_params.get("point", "").rpartition("-")
    if landscape_id == landscape.id and number.isdecimal():
        return int(number)
    landscape_id, point = st.session_state.get(CHOSEN_KEY, ("", -1))
    return point if landscape_id == landscape.id else None


def show_chosen_point(landscape: LandscapeJob, table: pd.DataFrame) -> None:
    """Offer a question to the clicked adapter, and its file."""
    point = chosen_point(landscape)
    if point is None or point >= len(table):
        st.caption("Click a point of the picture to put a question to the adapter there.")
        return
    row = table.loc[point]
    with st.container(border=True):
        point_name = row["mark"] or "a point between"
        score = f", score {row['score']:.3f}" if pd.notna(row["score"]) else ""
        st.markdown(
            f"**The adapter at {widgets.escape_markdown(point_name)}** has a loss of "
            f"{row['loss']:.4f}{score}."
        )
        weights = " · ".join(f"{weight:+.2f}" for weight in row["weights"])
        st.caption(widgets.escape_markdown(f"Its weights on the corners: {weights}"))
        _show_question_form(landscape, tuple(row["weights"]))


def _show_question_form(landscape: LandscapeJob, weights: tuple[float, ...]) -> None:
    """Offer a text to answer, and the adapter as a file."""
    run = cache.run_store().open(landscape.request.adapter_refs()[0].run)
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
            "Download this adapter",
            lambda: _point_adapter_file(landscape, weights),
            file_name=f"adapter-{landscape.id}-{chosen_point(landscape)}.safetensors",
            key="landscape.take",
            icon=":material/download:",
            on_click="ignore",
            help="A safetensors file like that of a run, with effective values and one vertex",
        )
    if pressed and text.strip():
        with st.spinner("Answering…", show_time=True):
            answer = point_answer(landscape, weights, text)
        task = run_catalog.find_task(run.spec.task)
        gold = next((example.target for example in rows.examples if example.source == text), "")
        st.markdown(f"**Answer**: {widgets.escape_markdown(answer) or 'nothing'}")
        if gold and task:
            st.caption(widgets.escape_markdown(f"Reference: {gold}"))


def _base_of(landscape: LandscapeJob) -> BaseModel:
    run = cache.run_store().open(landscape.request.adapter_refs()[0].run)
    return cache.base_model(run.spec.base)


@st.cache_data(
    max_entries=256, show_spinner=False, hash_funcs={LandscapeJob: lambda job: str(job.folder)}
)
def point_answer(landscape: LandscapeJob, weights: tuple[float, ...], text: str) -> str:
    """Return the answer of the adapter at a point to a text."""
    from peftcore.labs.landscape import compute

    return compute.answer_at_point(landscape.request, weights, _base_of(landscape), text)


def _point_adapter_file(landscape: LandscapeJob, weights: tuple[float, ...]) -> bytes:
    from peftcore.labs.landscape import compute

    return compute.export_point(landscape.request, weights, _base_of(landscape))
