"""What adapters answered to one test example when they were scored: how the Playground begins.

Nothing is computed for it: the answers of every run are kept beside its scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.ui import answer_html
from app.ui.run_styles import styles_by_run
from peftcore import paths
from peftcore.runs.store import Run
from peftcore.system import atomic_files

SEED = 0  # of which seed answers are shown, by its place in the run


def _version(run: Run) -> tuple[str | int, ...]:
    """Return what tells a run's answers from those that it had before."""
    changed = atomic_files.modified_ns(run.folder / "answers.parquet")
    return str(run.folder), str(paths.data_folder()), changed


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs={Run: _version})
def _answers(run: Run) -> pd.DataFrame:
    """Return the answers of a run's first seed, a row for each example; not to be changed."""
    answers = run.answers(seed=run.spec.population.seed_numbers()[SEED])
    return answers.drop_duplicates("example").set_index("example")


def find_example(runs: Sequence[Run], task: str) -> dict[str, pd.Series]:
    """Return every run's answer to one test example of a task, by run; empty if none is kept.

    The first example on whose label the runs differ, else on its words, else the first of all.
    """
    tables = {run.id: _answers(run) for run in runs if run.spec.task == task}
    tables = {run: table for run, table in tables.items() if not table.empty}
    if not tables:
        return {}
    shared = set.intersection(*(set(table.index) for table in tables.values()))
    first = next(iter(tables.values()))
    examples = [example for example in first.index if example in shared]
    for column in ("predicted", "text"):
        answered = pd.DataFrame({run: table[column] for run, table in tables.items()})
        differ = answered.loc[examples].nunique(axis=1) > 1
        if differ.any():
            examples = [str(differ.index[differ.argmax()])]
            break
    return {run: table.loc[examples[0]] for run, table in tables.items()} if examples else {}


def show(runs: Sequence[Run], found: dict[str, pd.Series]) -> None:
    """Show the example with everybody's answer."""
    styles, first = styles_by_run(runs), next(iter(found.values()))
    gold = answer_html.accepted_answers(
        first["target"], _value_or_none(first["label"]), first["references"]
    )
    cells = [
        answer_html.AnswerCell(
            styles[run], _value_or_none(row["text"]) or "", _value_or_none(row["correct"])
        )
        for run, row in found.items()
    ]
    st.html(answer_html.STYLE)
    st.html(answer_html.example_card(first["source"], gold, cells, None))
    st.caption(
        "A test example and what these adapters answered when they were scored, first seed. "
        "Underlined words are not in the reference, struck words are missing. Change the text and "
        "press Answer: they answer anew, which takes a while the first time."
    )


def _value_or_none(value: Any) -> Any:
    """None for a gap."""
    return None if pd.isna(value) else value
