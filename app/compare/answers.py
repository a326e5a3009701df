"""Answers side by side: one card per example, filtered and paged."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.compare import tables
from app.compare.selection import Comparison
from app.state import run_catalog
from app.ui import answer_html, pickers, widgets
from app.ui.widgets import download

PAGE_SIZE = 8  # examples on one page
EVERY, DISAGREE, WRONG, SPLIT = "All", "Answers differ", "Someone is wrong", "Only some are right"
REFERENCES = "the references"


def show_answers(chosen: Comparison) -> None:
    """Every run's answer to the same examples, differences marked."""
    if not any((run.folder / "answers.parquet").is_file() for run in chosen.runs):
        st.info("These runs kept no answers.")
        return
    # Of labelled runs the first is read, and no other.
    labelled = any(tables.label_answers(run)["label"].notna().any() for run in chosen.runs)
    seeds = sorted({seed for run in chosen.runs for seed in run.spec.population.seed_numbers()})
    seed, answer_filter, reference_run = _controls(chosen, seeds, labelled)
    answers = pd.concat(
        [tables.answers_of_seed(run, seed).assign(run=run.id) for run in chosen.runs],
        ignore_index=True,
    )
    picked = filter_examples(answers, answer_filter)
    task_words = run_catalog.task_in_words(chosen.runs[0].spec.task)
    st.caption(
        f"{len(picked)} of {answers['example'].nunique()} examples, seed {seed}. "
        f"{widgets.escape_markdown(task_words)}"
    )
    if not picked:
        st.info("No example of this seed is like that; show all, or choose another seed.")
        return
    pages = -(-len(picked) // PAGE_SIZE)
    page = pickers.pick_page(pages, f"compare.page.{answer_filter}")
    st.html(answer_html.STYLE)
    for example in picked[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
        st.html(_example_html(answers[answers["example"] == example], chosen, reference_run))
    download(
        partial(_answer_table, answers, chosen),
        key="compare.answers",
        name=f"{chosen.file_stem}-answers",
    )


def _controls(chosen: Comparison, seeds: list[int], labelled: bool) -> tuple[int, str, str | None]:
    """Seed, filter, and the run differences are marked against (None: the references)."""
    choices = [EVERY, DISAGREE, *([WRONG, SPLIT] if labelled else [])]
    answer_filter = pickers.pick_in_url("Examples", choices, "compare.filter")
    left, right = st.columns([1, 3])
    with left:
        seed = pickers.pick_from_list("Seed", seeds, "compare.seed")
    with right:
        reference_run = pickers.pick_from_list(
            "Mark differences from",
            ["references", *(run.id for run in chosen.runs)],
            "compare.against",
            lambda run: chosen.styles[run].name if run in chosen.styles else REFERENCES,
            help="Words only the answer has are underlined; words it lacks are struck through.",
        )
    return seed, answer_filter, reference_run if reference_run in chosen.styles else None


def filter_examples(answers: pd.DataFrame, answer_filter: str) -> list[str]:
    """The examples that fit a filter, in their own order; `answers` are those of one seed."""
    groups = answers.groupby("example", sort=False)
    every = groups.size()
    if answer_filter == EVERY:
        return [str(example) for example in every.index]
    if answer_filter == DISAGREE:
        labelled = groups["label"].count() == every
        words, labels = (groups[name].nunique(dropna=False) for name in ("text", "predicted"))
        fits = labels.where(labelled, words) > 1
    else:
        known = answers.dropna(subset=["correct"]).astype({"correct": bool})
        right = known.groupby("example", sort=False)["correct"]
        fits = ~right.all().reindex(every.index, fill_value=True)
        if answer_filter == SPLIT:
            fits &= right.any().reindex(every.index, fill_value=False)
    return [str(example) for example in every.index[fits.to_numpy(dtype=bool)]]


def _example_html(rows: pd.DataFrame, chosen: Comparison, reference_run: str | None) -> str:
    """Return one example with the answers of every run as HTML."""
    first = rows.iloc[0]
    gold = answer_html.accepted_answers(
        first["target"], _value_or_none(first["label"]), first["references"]
    )
    by_run = {row["run"]: row for _, row in rows.iterrows()}
    cells = [
        answer_html.AnswerCell(chosen.styles[run], row["text"], _value_or_none(row["correct"]))
        for run in chosen.styles
        if (row := by_run.get(run)) is not None
    ]
    against = by_run[reference_run]["text"] if reference_run in by_run else None
    return answer_html.example_card(first["source"], gold, cells, against)


def _value_or_none(value: Any) -> Any:
    """None for a gap."""
    return None if pd.isna(value) else value


def _answer_table(answers: pd.DataFrame, chosen: Comparison) -> pd.DataFrame:
    """One row per example and run, for a spreadsheet."""
    names = [chosen.styles[run].name for run in answers["run"]]
    columns = ["example", "seed", "source", "target", "label", "text", "predicted", "correct"]
    table = answers[columns].copy()
    table.insert(0, "method", names)
    return table.sort_values("example", kind="stable")
