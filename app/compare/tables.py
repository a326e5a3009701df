"""What Compare remembers of runs: tables seeds × items, answers, verdicts.

Keys are the runs' folders and the versions of their results, so that nothing stale is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.figures import labels
from app.state import cache
from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.analysis import draws, flips, fronts, judgement, run_tables, settings_table, slices
from peftcore.analysis.flips import Flips
from peftcore.analysis.forgetting import forgetting_table
from peftcore.analysis.inference import Population, SeedItemTable
from peftcore.analysis.judgement import JudgedRuns
from peftcore.analysis.resampling import Array
from peftcore.data.task import Task
from peftcore.runs.forgetting import Forgetting
from peftcore.runs.store import Run
from peftcore.sweeps import tuning_budget
from peftcore.system import atomic_files


def results_version(run: Run) -> tuple[str | int, ...]:
    """Return what tells a run's results from those that it had before."""
    files = [run.folder / "answers.parquet", run.folder / "scores.json", run.forgetting_file()]
    return str(run.folder), str(paths.data_folder()), *map(atomic_files.modified_ns, files)


BY_RESULTS: dict[str | type, Callable[[Any], Any]] = {Run: results_version}


@st.cache_resource(
    max_entries=96, show_spinner="Reading the answers of every seed…", hash_funcs=BY_RESULTS
)
def seed_item_table(run: Run, metric: str) -> SeedItemTable | None:
    """Return the table of a run's metric, or of what it forgot; None if it has no score of it."""
    found = _forgetting(run)
    if found is not None and metric in found.seed_values():
        return forgetting_table(found, metric, run.spec.population.seed_numbers())
    return run_tables.table_of_run(run, metric)


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def _forgetting(run: Run) -> Forgetting | None:
    """Read what a run forgot."""
    return run.forgetting()


def known_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the metrics of which any run has scores, then what any was found to forget.

    What was forgotten compares where it was measured on equal texts.
    """
    scored = [name for run in runs for name in run.scores()]
    measured = [found for run in runs if (found := _forgetting(run)) is not None]
    alike = len({found.digest for found in measured}) == 1
    forgotten = [name for found in measured if alike for name in found.seed_values()]
    return list(dict.fromkeys([*scored, *forgotten]))


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def judge(runs: list[Run], metric: str, margin: float, population: Population) -> JudgedRuns:
    """Judge runs by a metric; those without a score of it are left out."""
    tables = {run.id: seed_item_table(run, metric) for run in runs}
    scored = {run: table for run, table in tables.items() if table is not None}
    return judgement.judge(scored, metric, margin, population)


@st.cache_resource(max_entries=48, show_spinner="Reading the answers…", hash_funcs=BY_RESULTS)
def answers_of_seed(run: Run, seed: int) -> pd.DataFrame:
    """Return every answer of a seed with all texts; not to be changed."""
    return run.answers(seed=seed)


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def label_answers(run: Run) -> pd.DataFrame:
    """Return seed, example, label and what was answered; not to be changed."""
    return run.answers(run_tables.LABEL_COLUMNS)


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def confusion_counts(run: Run, label_names: tuple[str, ...]) -> pd.DataFrame:
    """Return how often each gold label got each answer; not to be changed."""
    return labels.confusion_counts(label_answers(run), label_names)


@st.cache_resource(max_entries=96, show_spinner=False, hash_funcs=BY_RESULTS)
def confusion_figure(
    run: Run, label_names: tuple[str, ...], name: str, colour: str, theme: str
) -> go.Figure:
    """Draw the counts; for each theme anew, as the page puts its colours into what it shows."""
    return labels.confusion_heatmap(confusion_counts(run, label_names), name, colour)


def confusion_table(run: Run, label_names: tuple[str, ...]) -> pd.DataFrame:
    """Return the counts with the gold labels as a column of their own."""
    return confusion_counts(run, label_names).rename_axis("gold").reset_index()


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs=BY_RESULTS)
def judge_groups(
    runs: list[Run], metric: str, margin: float, population: Population, setting: str
) -> JudgedRuns:
    """Judge groups of runs with equal values of a setting as if each were one run.

    Groups are named by their values as Python writes them.
    """
    known, means = judge(runs, metric, margin, population).tables, {}
    for value, ids in settings_table.group_by_setting(runs, setting).items():
        own = [known[run] for run in ids if run in known]
        if own:
            means[repr(value)] = settings_table.mean_table(own)
    return judgement.judge(means, metric, margin, population)


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs=BY_RESULTS)
def asked_examples(run: Run) -> pd.DataFrame:
    """Return each example that was answered once, with its texts; not to be changed."""
    return run.asked()


@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def drawn_means(runs: list[Run], metric: str, population: Population) -> dict[str, Array]:
    """Return each run's mean of a metric in draws of seeds and items."""
    tables = {run.id: seed_item_table(run, metric) for run in runs}
    return fronts.draw_means({run: t for run, t in tables.items() if t is not None}, population)


@st.cache_data(max_entries=32, ttl=60, show_spinner=False, hash_funcs=BY_RESULTS)
def tries_in_words(runs: list[Run], names: dict[str, str]) -> str:
    """Say how many learning rates each run's method was tried at; empty where a rate is unknown."""
    kept = [run for run in cache.run_store().all() if run.spec.training.learning_rate is not None]
    tuned = [run for run in runs if METHODS[run.spec.method].trains()]
    if not tuned or any(run.spec.training.learning_rate is None for run in tuned):
        return ""
    return tuning_budget.describe_tries([tuning_budget.find_budget(r, kept) for r in tuned], names)


def training_overlap(task: Task | None, shots: int) -> tuple[float, int] | None:
    """Return the share of training rows that two seeds have in common, and all rows' number.

    None where the training split is not on this machine.
    """
    if task is None or not task.available():
        return None
    rows = cache.split_examples(task.name, "train").examples
    if len(rows) < shots:
        return None
    sizes = [sum(row.label == label for row in rows) for label in task.labels] or [len(rows)]
    return draws.expected_overlap(shots, sizes), len(rows)


@st.cache_resource(max_entries=24, show_spinner=False, hash_funcs=BY_RESULTS)
def flips_between(first: Run, second: Run) -> Flips | None:
    """Return what changes from one run to another; None where answers were not kept."""
    found = [seed_item_table(run, "accuracy") for run in (first, second)]
    tables = [table for table in found if table is not None and run_tables.has_items(table)]
    return flips.find_flips(*tables) if len(tables) == 2 else None


@st.cache_resource(max_entries=24, show_spinner="Reading the answers…", hash_funcs=BY_RESULTS)
def given_answers(run: Run) -> pd.DataFrame:
    """Return seed, example, text and correct of every answer; not to be changed."""
    answers = run.answers(("seed", "example", "text", "correct"))
    return answers.drop_duplicates(["seed", "example"], keep="last")


@st.cache_data(max_entries=48, show_spinner=False, hash_funcs=BY_RESULTS)
def slices_between(
    first: Run,
    second: Run,
    words: tuple[str, ...],
    metric: str,
    margin: float,
    population: Population,
    agreement: dict[str, bool],
) -> pd.DataFrame:
    """Judge second against first on slices of their examples; margin in points.

    agreement: of examples that several people rated, whether they agreed.
    """
    one, other = seed_item_table(first, metric), seed_item_table(second, metric)
    assert one is not None
    assert other is not None
    found = slices.find_slices(asked_examples(first), words, agreement)
    unit_margin = margin / judgement.points_scale(metric)
    return slices.judge_slices(one, other, found, metric, unit_margin, population)
