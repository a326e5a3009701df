"""The Ladder page: what is new on each rung, the picture of all methods, and how it came about."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.figures import ladder as figures
from app.state import cache
from app.ui import charts, population, widgets
from peftcore import paths, tasks
from peftcore.analysis.inference import Population
from peftcore.experiments import ladder
from peftcore.experiments.ladder import LadderCell
from peftcore.experiments.ladder_results import LadderResult, judge_ladder, listed
from peftcore.system import atomic_files


@st.cache_resource(max_entries=2, ttl=60, show_spinner="Reading the runs of the ladder…")
def _cells(home: str) -> list[LadderCell]:
    """Find the run of every cell, which takes seconds; what is trained meanwhile is seen later."""
    return ladder.ladder_cells(cache.run_store())


def _versions(cells: list[LadderCell]) -> tuple[tuple[str, int], ...]:
    """Return what tells these runs' answers from others."""
    folders = [cell.run.folder for cell in cells if cell.run]
    return tuple(
        (str(folder), atomic_files.modified_ns(folder / "answers.parquet")) for folder in folders
    )


@st.cache_resource(
    max_entries=4,
    show_spinner="Judging every method on every rung…",
    hash_funcs={list: _versions},
)
def _judge(cells: list[LadderCell], about: Population) -> LadderResult:
    """Judge the cells once for a population."""
    return judge_ladder(cells, about)


def show_ladder() -> None:
    """The finding, the matrix, what each rung asks, and the tries."""
    about = population.pick_population("ladder.population")
    found = _judge(_cells(str(paths.workspace_folder())), about)
    if not found.arms:
        widgets.empty_state(
            "The ladder has not been trained",
            "`python -m peftcore experiment ladder` trains every method on six small tasks.",
            "train",
        )
        return
    st.subheader(f"{found.in_words()}.", anchor=False)
    charts.chart(
        figures.ladder_matrix(found),
        key="ladder.matrix",
        name="ladder-of-novelty",
        alt=figures.ladder_matrix_alt(found),
        table=found.table(),
    )
    st.caption(f"{figures.LEGEND}. {_facts(found)}")
    st.subheader("What is new on each rung", anchor=False)
    st.dataframe(_rung_table(), hide_index=True, alt="The rungs with an example of each")
    missing = [s.cell for s in found.scores if s.estimate is None]
    if missing:
        letters: dict[str, list[str]] = {}
        for cell in missing:
            letters.setdefault(cell.arm.label, []).append(cell.rung.letter)
        words = "; ".join(f"{arm} on {listed(rungs)}" for arm, rungs in letters.items())
        st.caption(widgets.escape_markdown(f"Not run: {words}."))


def _facts(found: LadderResult) -> str:
    """Say what the numbers rest on."""
    estimates = [s.estimate for s in found.scores if s.estimate]
    caption = population.population_caption(
        found.population, {e.seeds for e in estimates}, {e.items for e in estimates}
    )
    late = sum(s.at_end > 0 for s in found.scores)
    ends = f" In {late} cells some seed was best at the last step." if late else ""
    training = ladder.TRAINING
    return (
        f"{caption} Verdicts have a margin of {found.margin:g} points and Holm's correction over "
        f"all pairs. {ladder.BASE}, {training['shots']} training examples of a seed, at most "
        f"{training['steps']} steps, {len(ladder.RATE_FACTORS)} learning rates tried for each "
        f"method and chosen by dev loss.{ends}"
    )


def _rung_table() -> pd.DataFrame:
    """Return the rungs with what is new, and an example of the test split."""
    rows = []
    for rung in ladder.RUNGS:
        example = tasks.find_task(rung.task).load("test")[0]
        rows.append(
            {
                "Rung": rung.letter,
                "What is new": rung.title,
                "The base reads": example.source,
                "And should write": example.target,
            }
        )
    return pd.DataFrame(rows)
