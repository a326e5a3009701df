"""What the Compare page is about: which runs, by which metric, and whether they may be compared.

The choice lives in the address (`?runs=…`), so a link shows the same comparison to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import streamlit as st

from app.figures.compare import measure
from app.state import cache
from app.state.rating_store import book, me
from app.theme import Look
from app.ui import url_state, widgets
from app.ui.run_styles import looks, title
from app.ui.widgets import plain
from peftcore import paths, rating, tasks
from peftcore.analysis import comparability, comparison
from peftcore.data.task import Task
from peftcore.errors import BadInput
from peftcore.rating import HumanScore
from peftcore.runs.store import Run, RunStore

METRIC = "metric"  # in the address, beside runs
SHIPPED = paths.ASSETS / "sweep_runs"


@dataclass(frozen=True)
class Comparison:
    """Runs that may be compared, and how: everything the views need."""

    runs: list[Run]
    looks: dict[str, Look]
    metric: str
    table: pd.DataFrame  # one row per run and seed

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per run, best first."""
        lowest = measure(self.metric).better == "lower"
        return comparison.summarize_runs(self.table, self.metric, lowest_first=lowest)

    @cached_property
    def human(self) -> dict[str, HumanScore]:
        """Run → what people gave its explanations; runs nobody has rated are left out."""
        return rating.human_scores(book(), me(), [run.id for run in self.runs])

    @property
    def task(self) -> Task | None:
        """The task, unless it is an imported table that is gone."""
        return find_task(self.runs[0].spec.task)

    @property
    def file(self) -> str:
        """How files saved from this page are called."""
        return f"{self.runs[0].spec.task}-{self.metric}"


def find_task(name: str) -> Task | None:
    """The task of a run; None if it is an imported table that is gone."""
    try:
        return tasks.find(name)
    except BadInput:
        return None


def task_title(name: str) -> str:
    """A task's title, or its name if it is gone."""
    task = find_task(name)
    return task.title if task else name


def finished() -> list[Run]:
    """Every finished run, newest first."""
    return [run for run in cache.store().all() if run.status().state == "done"]


def shown() -> list[Run]:
    """Every finished run, and of the sweep that ships those the address names."""
    here = finished()
    known, named = {run.id for run in here}, _named()
    return here + [run for run in shipped() if run.id in named and run.id not in known]


def shipped() -> list[Run]:
    """The runs of the sweep that ships: answers and scores without adapters."""
    return RunStore(SHIPPED, demos=SHIPPED).all()


def offer_shipped(chosen: Sequence[Run]) -> None:
    """A button that shows the sweep that ships, unless it is shown or about another task."""
    runs, seen = shipped(), {run.id for run in chosen}
    if len(runs) < 2 or seen & {run.id for run in runs}:
        return
    if runs[0].spec.task == chosen[0].spec.task:
        st.button(
            f"See {len(runs)} methods over {runs[0].spec.population.seeds} episodes each",
            icon=":material/grid_view:",
            key="compare.shipped",
            on_click=_keep,
            args=(runs,),
        )


def offer_rating(runs: Sequence[Run]) -> None:
    """A link to where a rating project is made of these runs, if they explain anything."""
    task = find_task(runs[0].spec.task)
    if task is not None and task.kind == "explain":
        ids = ",".join(run.id for run in runs)
        widgets.link(
            "rate",
            "Let people rate these explanations",
            **{"rate.view": "New project", "runs": ids},
        )


def _named() -> list[str]:
    """The runs that the address names."""
    return [part for part in st.query_params.get("runs", "").split(",") if part]


def suggested(runs: Sequence[Run], across_bases: bool = False) -> list[Run]:
    """The newest of each method in the newest group of comparable runs that has several methods."""
    groups = [
        _newest(group) for group in comparability.comparable_groups(runs, across_bases=across_bases)
    ]
    return next((group for group in groups if len(group) > 1), groups[0] if groups else [])


def _newest(runs: Sequence[Run]) -> list[Run]:
    """The newest run of each method and base, by title."""
    kept: dict[tuple[str, str], Run] = {}
    for run in runs:
        kept.setdefault((run.spec.method, run.spec.base), run)
    return sorted(kept.values(), key=lambda run: (title(run.spec.method), run.spec.base))


def pick_task(runs: Sequence[Run], asked: Sequence[Run]) -> list[Run]:
    """A choice of task among those with finished runs; the runs of the chosen one."""
    names = list(dict.fromkeys(run.spec.task for run in runs))
    start = (asked or suggested(runs))[0].spec.task
    name = st.selectbox(
        "Task",
        names,
        index=names.index(start),
        format_func=task_title,
        key="compare.task",
        on_change=_forget_address,
    )
    return [run for run in runs if run.spec.task == name]


def asked_for(runs: Sequence[Run]) -> list[Run]:
    """The finished runs that the address names; says so if it names others."""
    named = _named()
    known = {run.id: run for run in runs}
    missing = [part[:40] for part in named if part not in known]
    if missing:
        st.warning(
            f"The address asks for runs that are not here or not finished: "
            f"{plain(', '.join(missing))}. The rest is shown.",
            icon=":material/link_off:",
        )
    return [known[part] for part in named if part in known]


def pick_across(runs: Sequence[Run], asked: Sequence[Run]) -> bool:
    """Whether runs on other bases are welcome; only asked if there are any."""
    if len({run.spec.base for run in runs}) < 2:
        return False
    return st.toggle(
        "Compare across bases",
        value=len({run.spec.base for run in asked}) > 1,
        key="compare.across",
        help="Another base is another question, so this is off unless you ask for it.",
        persist_state="session",
    )


def pick_runs(runs: Sequence[Run], asked: Sequence[Run], across: bool) -> list[Run]:
    """A choice among the finished runs of a task, kept in the address."""
    names, known = looks(runs), {run.id: run for run in runs}
    start = [run.id for run in asked if run.id in known]
    start = start or [run.id for run in suggested(runs, across)]
    key = _key(runs)
    chosen = st.multiselect(
        "Runs",
        list(known),
        default=start,
        format_func=lambda run: names[run].name,
        key=key,
        on_change=lambda: _remember(st.session_state[key]),
        placeholder="Choose two or more",
    )
    return [known[run] for run in chosen]


def pick_metric(runs: Sequence[Run]) -> str:
    """A choice among the metrics that any of the runs has, the task's main one first."""
    found = list(dict.fromkeys(name for run in runs for name in run.scores()))
    task = find_task(runs[0].spec.task)
    if task and task.main_metric in found:
        found.insert(0, found.pop(found.index(task.main_metric)))
    key = f"compare.metric.{runs[0].spec.task}"

    def words(name: str) -> str:
        return measure(name).title

    chosen: str = st.selectbox(
        "Metric",
        found,
        format_func=words,
        key=key,
        on_change=url_state.follow("Metric", key, found, name=METRIC, words=words),
        persist_state="session",
    )
    return chosen


def scores_of(runs: Sequence[Run], metric: str) -> pd.DataFrame:
    """One row per run and seed; a metric that no run has is a column of gaps."""
    table = cache.store().table(runs)
    return table if metric in table else table.assign(**{metric: float("nan")})


def refuse(reasons: Sequence[str], runs: Sequence[Run], across: bool) -> None:
    """Say why these runs are not compared, and offer what can be."""
    st.error(
        "These runs cannot be compared:\n\n" + "\n".join(f"- {plain(text)}" for text in reasons),
        icon=":material/block:",
    )
    groups = sorted(
        comparability.comparable_groups(runs, across_bases=across), key=len, reverse=True
    )
    names = looks(runs)
    st.markdown("Runs that do go together:")
    for number, group in enumerate(groups[:5]):
        st.button(
            plain(", ".join(names[run.id].name for run in group)),
            key=f"compare.keep.{number}",
            icon=":material/filter_alt:",
            on_click=_keep,
            args=(group,),
        )


def _keep(group: Sequence[Run]) -> None:
    st.session_state[_key(group)] = [run.id for run in group]
    _remember([run.id for run in group])


def _key(runs: Sequence[Run]) -> str:
    """Each task has a choice of its own."""
    return f"compare.runs.{runs[0].spec.task}"


def _remember(ids: Sequence[str]) -> None:
    if ids:
        st.query_params["runs"] = ",".join(ids)
    else:
        _forget_address()


def _forget_address() -> None:
    st.query_params.pop("runs", None)
    st.query_params.pop(METRIC, None)
