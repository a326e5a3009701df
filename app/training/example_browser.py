"""Examples of a task on the Data page: one in full, many in a table, all in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import pandas as pd
import streamlit as st

from app.state import cache
from app.ui import errors, permitted, widgets
from peftcore.data.task import Example, Split, Task
from peftcore.tasks import table as tables

SPLITS: tuple[Split, ...] = get_args(Split)
MAX_ROWS = 500  # rows of a table in the browser; search narrows them down
KINDS = {
    "classify": "The model answers with a label.",
    "explain": "The model answers with a label and why.",
    "generate": "The model writes a text.",
}


def show(example: Example, task: Task) -> None:
    """One example as the model reads and should write it, and all accepted answers."""
    st.markdown(f"**{widgets.escape_markdown(task.question_in_words())}**")
    if task.wording.texts and example.parts:
        for title, text in zip(
            task.wording.text_titles(len(example.parts)), example.parts, strict=True
        ):
            st.markdown(f"{widgets.escape_markdown(title)}: {widgets.escape_markdown(text)}")
    left, right = st.columns(2)
    with left:
        st.caption("The model reads")
        st.code(example.source, language=None, wrap_lines=True)
        if task.labels and example.parts:
            st.caption("An encoder reads")
            st.code("\n".join(example.parts), language=None, wrap_lines=True)
    with right:
        st.caption("It should write")
        st.code(example.target, language=None, wrap_lines=True)
        others = [text for text in example.references if text not in example.target]
        if others:
            st.caption("Also accepted")
            st.code("\n".join(others), language=None, wrap_lines=True)


def search_examples(rows: Sequence[Example], query: str) -> list[Example]:
    """The examples that hold the text somewhere, whatever the case."""
    needle = query.strip().casefold()
    if not needle:
        return list(rows)
    return [row for row in rows if needle in _all_text(row).casefold()]


def _all_text(row: Example) -> str:
    return "\n".join([row.id, row.source, row.target, row.label or "", *row.references])


def example_table(rows: Sequence[Example]) -> pd.DataFrame:
    """The examples as a table; columns that would be empty throughout are left out."""
    frame = pd.DataFrame(
        {
            "Example": [row.id for row in rows],
            "Input": [row.source for row in rows],
            "Target": [row.target for row in rows],
            "Label": [row.label or "" for row in rows],
            "References": [len(row.references) for row in rows],
        }
    )
    columns = [name for name in frame if not frame[name].isin(["", 0]).all()] or list(frame)
    return frame[columns]


def select_example(matches: Sequence[Example], rows: Sequence[Example], split: str) -> None:
    """The table of what was found; ticking a row shows that example in full."""
    key = f"data.table.{split}"

    def ticked() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if chosen and chosen[0] < len(matches):
            st.session_state[f"data.example.{split}"] = 1 + rows.index(matches[chosen[0]])

    st.dataframe(
        example_table(matches),
        hide_index=True,
        alt=f"Examples of the {split} split",
        key=key,
        on_select=ticked,
        selection_mode="single-row",
        column_config={
            "Input": st.column_config.TextColumn(width="large"),
            "Target": st.column_config.TextColumn(width="medium"),
        },
    )


def word_counts(rows: Sequence[Example]) -> dict[str, list[int]]:
    """Words of the inputs and of the targets."""
    return {
        "input": [len(row.source.split()) for row in rows],
        "target": [len(row.target.split()) for row in rows],
    }


def word_counts_table(counts: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """The lengths in five numbers each."""
    quantiles = {"Shortest": 0, "Lower quarter": 25, "Median": 50, "Upper quarter": 75}
    return pd.DataFrame(
        [
            {"Text": name}
            | {title: float(np.percentile(found, q)) for title, q in quantiles.items()}
            | {"Longest": float(max(found))}
            for name, found in counts.items()
        ]
    )


def word_counts_alt(counts: Mapping[str, Sequence[int]], split: str) -> str:
    """The histogram in words."""
    parts = [f"{name} median {np.median(found):g} words" for name, found in counts.items()]
    return f"Histogram of lengths in the {split} split: {', '.join(parts)}."


def balance_table(labels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Count the examples of each label in each split."""
    counts = {split: Counter(found) for split, found in labels.items()}
    names = sorted({name for found in counts.values() for name in found})
    columns = {split: [found[name] for name in names] for split, found in counts.items()}
    return pd.DataFrame({"Label": names, **columns})


def balance_alt(labels: Mapping[str, Sequence[str]]) -> str:
    """The bars in words, for the first split."""
    split, found = next(iter(labels.items()))
    shares = [f"{name} {count / len(found):.0%}" for name, count in Counter(found).most_common()]
    return f"Share of each label; in the {split} split: {', '.join(shares)}."


def offer_deletion(task: Task) -> None:
    """The button that forgets an imported table, which asks first."""
    if st.button(
        "Delete this table",
        icon=":material/delete:",
        key="data.delete",
        **permitted.to_change("delete", f"table {task.name}"),
    ):
        _confirm(task)


@st.dialog("Delete this table?")
@errors.guarded
def _confirm(task: Task) -> None:
    """Ask once more before a table is deleted."""
    st.write(
        f"{widgets.escape_markdown(task.title)} will no longer be a task. Runs made with it stay."
    )
    name = task.name
    if st.button("Delete", type="primary", key="data.delete.sure", on_click=_delete, args=(name,)):
        st.rerun()  # closes the dialog


@errors.guarded
def _delete(name: str) -> None:
    tables.delete_table(name)
    cache.forget_examples()
    st.session_state.pop("data.task", None)
