"""Power before the run: how small a difference so many seeds and test examples would show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import streamlit as st

from app.state import cache, run_catalog
from app.ui.widgets import escape_markdown
from peftcore.analysis import judgement, power, run_tables
from peftcore.analysis.inference import Components
from peftcore.data.task import Task
from peftcore.metrics.scores import find_measure
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run

MOST_RUNS = 4  # earlier runs, one a method, whose pairs are looked at


def show_power(task: Task, spec: RunSpec, runs: Sequence[Run]) -> None:
    """Say what can be seen with the seeds and test examples of the form."""
    known = len(cache.split_examples(task.name, spec.evaluation.split).examples)
    items = min(spec.evaluation.limit, known) if known else spec.evaluation.limit
    found = _earlier_components(
        [run for run in runs if run.spec.task == task.name and run.spec.base == spec.base],
        task.main_metric,
    )
    shares = find_measure(task.main_metric).maximum == 1
    if not found and not shares:
        return  # what scores of texts vary by is not to be guessed
    components = power.mean_components(found) if found else power.ASSUMED
    scale = judgement.points_scale(task.main_metric)
    wanted = judgement.DEFAULT_MARGIN / scale
    sentence = power.power_in_words(components, spec.population.seeds, items, wanted, scale)
    basis = (
        f"from {len(found)} {'pair' if len(found) == 1 else 'pairs'} of earlier runs on this base "
        "and task"
        if found
        else "assumed, as there are no two earlier runs on this base and task: differences vary by "
        + _spread_in_words(components, scale)
    )
    title = find_measure(task.main_metric).title
    st.caption(escape_markdown(f"{title}: {sentence} This is {basis}."))


def _spread_in_words(components: Components, scale: float) -> str:
    """Return the standard deviations of the components in words."""
    seed, item, rest = (
        f"{scale * part**0.5:.0f}" for part in (components.seed, components.item, components.rest)
    )
    return f"{seed} points from seed to seed, {item} by example, {rest} by answer"


def _earlier_components(runs: Sequence[Run], metric: str) -> list[Components]:
    """Return the components of differences between comparable earlier runs of several methods."""
    done = [run for run in runs if run.status().state == "done"]
    chosen = [run for run in run_catalog.suggest_runs(done) if run.spec.population.seeds > 1]
    return _components([run.id for run in chosen[:MOST_RUNS]], metric)


@st.cache_data(max_entries=32, ttl=600, show_spinner=False)
def _components(ids: list[str], metric: str) -> list[Components]:
    """Return the components of every pair of runs that have the metric by test example."""
    tables = [run_tables.table_of_run(cache.run_store().open(run), metric) for run in ids]
    whole = [table for table in tables if table is not None and run_tables.has_items(table)]
    pairs = itertools.combinations(whole, 2)
    found = [judgement.pair_components(one, other) for one, other in pairs]
    return [each for each in found if each is not None]
