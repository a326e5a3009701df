"""What the Compare page is about: which runs, by which metric, and whether they may be compared.

The choice lives in the address (`?runs=…&metric=…&margin=…&population=…`), so a link shows the
same comparison to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import streamlit as st

from app.compare import tables
from app.figures.compare import find_measure
from app.figures.theme import RunStyle
from app.state import cache
from app.state.rating_store import current_experimenter, rating_store
from app.state.run_catalog import find_task, finished_runs, suggest_runs, task_title
from app.ui import pickers, url_state, widgets
from app.ui.pickers import requested_run_ids
from app.ui.run_styles import setting_name, styles_by_run
from app.ui.widgets import escape_markdown
from peftcore import paths, rating
from peftcore.analysis import base_answers, comparability, comparison, judgement, settings_table
from peftcore.analysis.base_answers import BaseReference
from peftcore.analysis.inference import Population
from peftcore.analysis.judgement import JudgedRuns
from peftcore.data.task import Task
from peftcore.metrics import scores
from peftcore.rating import HumanScore
from peftcore.runs import zero_shot
from peftcore.runs.store import Run, RunStore

METRIC_PARAM, MARGIN_PARAM = "metric", "margin"  # in the address, beside runs
MARGIN_KEY = "compare.margin"
FACET_KEY, ONE_PANEL = "compare.facet", "none"
CHOICES = (METRIC_PARAM, MARGIN_PARAM, "population", "pair", "compare.view")
SHIPPED_RUNS = paths.ASSETS / "sweep_runs"


@dataclass(frozen=True)
class Comparison:
    """Runs that may be compared, and how: everything the views need."""

    runs: list[Run]
    styles: dict[str, RunStyle]
    metric: str
    margin: float  # points within which runs count as equal
    population: Population  # whom intervals are about
    table: pd.DataFrame  # one row per run and seed
    facet: str = ""  # setting whose values have a panel each; empty for one picture

    @cached_property
    def judgement(self) -> JudgedRuns:
        """Estimates of all runs that have the metric, and verdicts on their pairs."""
        return tables.judge(self.runs, self.metric, self.margin, self.population)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per run, best first."""
        rows = comparison.summarize_runs(self.table, self.metric)
        return judgement.with_estimates(rows, self.judgement)

    @cached_property
    def names(self) -> dict[str, str]:
        """Run → what it is called."""
        return {run: style.name for run, style in self.styles.items()}

    @cached_property
    def human_scores(self) -> dict[str, HumanScore]:
        """Run → what people gave its explanations; runs nobody has rated are left out."""
        return rating.human_scores(
            rating_store(), current_experimenter(), [run.id for run in self.runs]
        )

    @property
    def task(self) -> Task | None:
        """The task, unless it is an imported table that is gone."""
        return find_task(self.runs[0].spec.task)

    @property
    def chance_levels(self) -> dict[str, float]:
        """The score of guessing, for metrics where it is known."""
        return scores.chance_levels(self.metric, self.task.labels if self.task else ())

    @cached_property
    def untouched(self) -> list[BaseReference]:
        """What the runs' bases score by themselves, where that was measured."""
        return base_answers.references_of(zero_shot.of_runs(self.runs), self.metric)

    @property
    def reference_levels(self) -> dict[str, float]:
        """The scores of guessing and of untouched bases, in words → value."""
        return self.chance_levels | {each.title: each.mean for each in self.untouched}

    @property
    def file_stem(self) -> str:
        """Return the start of the names of saved files."""
        return f"{self.runs[0].spec.task}-{self.metric}"

    def run(self, run_id: str) -> Run:
        """Return the chosen run of this id."""
        return next(run for run in self.runs if run.id == run_id)


def selectable_runs() -> list[Run]:
    """Every finished run, and of the sweep that ships those the address names."""
    runs = finished_runs()
    run_ids, requested = {run.id for run in runs}, requested_run_ids()
    return runs + [
        run for run in shipped_sweep_runs() if run.id in requested and run.id not in run_ids
    ]


def shipped_sweep_runs() -> list[Run]:
    """The runs of the sweep that ships: answers and scores without adapters."""
    return RunStore(SHIPPED_RUNS).all(include_demos=False)


def offer_shipped(chosen: Sequence[Run]) -> None:
    """A button that shows the sweep that ships, unless it is shown or about another task."""
    runs, chosen_ids = shipped_sweep_runs(), {run.id for run in chosen}
    if len(runs) < 2 or chosen_ids & {run.id for run in runs}:
        return
    if runs[0].spec.task == chosen[0].spec.task:
        st.button(
            f"See {len(runs)} methods over {runs[0].spec.population.seeds} episodes each",
            icon=":material/grid_view:",
            key="compare.shipped",
            on_click=_select_runs,
            args=(runs,),
        )


def explains(runs: Sequence[Run]) -> bool:
    """Return whether the runs' task has explanations, which people can rate."""
    task = find_task(runs[0].spec.task)
    return task is not None and task.kind == "explain"


def offer_rating(runs: Sequence[Run], words: str = "Let people rate these explanations") -> None:
    """A link to where a rating project is made of these runs, if they explain anything."""
    if explains(runs):
        ids = ",".join(run.id for run in runs)
        widgets.page_link(
            "rate",
            words,
            **{"rate.view": "New project", "runs": ids},
        )


def pick_compared_task(runs: Sequence[Run], requested: Sequence[Run]) -> list[Run]:
    """A choice of task among those with finished runs; the runs of the chosen one."""
    names = list(dict.fromkeys(run.spec.task for run in runs))
    start = (requested or suggest_runs(runs))[0].spec.task
    name = st.selectbox(
        "Task",
        names,
        index=names.index(start),
        format_func=task_title,
        key="compare.task",
        on_change=_clear_url,
    )
    return [run for run in runs if run.spec.task == name]


def pick_across_bases(runs: Sequence[Run], requested: Sequence[Run]) -> bool:
    """Offer runs on other bases too, if there are any; return whether they are wanted."""
    if len({run.spec.base for run in runs}) < 2:
        return False
    return st.toggle(
        "Compare across bases",
        value=len({run.spec.base for run in requested}) > 1,
        key="compare.across",
        help="Another base is another question, so this is off unless you ask for it.",
        persist_state="session",
    )


def pick_runs(runs: Sequence[Run], requested: Sequence[Run], across: bool) -> list[Run]:
    """A choice among the finished runs of a task, kept in the address."""
    styles, runs_by_id = styles_by_run(runs), {run.id: run for run in runs}
    default_ids = [run.id for run in requested if run.id in runs_by_id]
    default_ids = default_ids or [run.id for run in suggest_runs(runs, across)]
    key = _widget_key(runs)
    chosen = st.multiselect(
        "Runs",
        list(runs_by_id),
        default=default_ids,
        format_func=lambda run: styles[run].name,
        key=key,
        on_change=lambda: _write_url(st.session_state[key]),
        placeholder="Choose two or more",
    )
    return [runs_by_id[run] for run in chosen]


def keep_runs_in_url(runs: Sequence[Run]) -> None:
    """Write the runs beside what else the address has, so that a link is whole."""
    if "runs" not in st.query_params and set(st.query_params) & set(CHOICES):
        _write_url([run.id for run in runs])


def pick_facet(runs: Sequence[Run]) -> str:
    """A setting whose values have a panel of the dot plot each, kept in the address."""
    table = settings_table.tabulate_settings(list(runs))
    differing = [name for name in table.loc[table["differs"], "setting"] if name != "method"]
    if not differing:
        return ""
    chosen = pickers.pick_from_list(
        "Panels by",
        [ONE_PANEL, *differing],
        FACET_KEY,
        lambda name: "one picture" if name == ONE_PANEL else setting_name(name).capitalize(),
        help="Runs with equal values of this setting stand together in a panel.",
    )
    return "" if chosen == ONE_PANEL else chosen


def pick_margin() -> float:
    """The difference that counts as none, in points, kept in the address."""
    requested = st.query_params.get(MARGIN_PARAM, "")
    if requested:
        margin = _parse_margin(requested)
        if margin is None:
            st.warning(
                f"The address asks for a margin of {escape_markdown(requested[:20])}, which is no "
                f"number of points up to {judgement.MAX_MARGIN:g}.",
                icon=":material/link_off:",
            )
        elif st.session_state.get(MARGIN_KEY) != margin:
            st.session_state[MARGIN_KEY] = margin
    st.session_state.setdefault(MARGIN_KEY, judgement.DEFAULT_MARGIN)

    def write_url() -> None:
        st.query_params[MARGIN_PARAM] = f"{st.session_state[MARGIN_KEY]:g}"

    return st.number_input(
        "Equal within (points)",
        min_value=0.1,
        max_value=judgement.MAX_MARGIN,
        step=0.5,
        format="%.1f",
        key=MARGIN_KEY,
        on_change=write_url,
        help="The largest difference that makes no difference to you, in hundredths of the "
        "metric's largest value. Runs are equal where they differ by less than that for sure.",
    )


def _parse_margin(text: str) -> float | None:
    """Return a margin that can be used, else None."""
    try:
        margin = float(text)
    except ValueError:
        return None
    return margin if 0.1 <= margin <= judgement.MAX_MARGIN else None


def pick_metric(runs: Sequence[Run]) -> str:
    """A choice among the metrics that any of the runs has, the task's main one first."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.scores()))
    task = find_task(runs[0].spec.task)
    if task and task.main_metric in metrics:
        metrics.insert(0, metrics.pop(metrics.index(task.main_metric)))
    key = f"compare.metric.{runs[0].spec.task}"

    def words(name: str) -> str:
        return find_measure(name).title

    chosen: str = st.selectbox(
        "Metric",
        metrics,
        format_func=words,
        key=key,
        on_change=url_state.sync_with_url(
            "Metric", key, metrics, name=METRIC_PARAM, format_option=words
        ),
        persist_state="session",
    )
    return chosen


def table_with_metric(runs: Sequence[Run], metric: str) -> pd.DataFrame:
    """One row per run and seed; a metric that no run has is a column of gaps."""
    table = cache.run_store().table(runs)
    return table if metric in table else table.assign(**{metric: float("nan")})


def show_refusal(reasons: Sequence[str], runs: Sequence[Run], across: bool) -> None:
    """Say why these runs are not compared, and offer what can be."""
    st.error(
        "These runs cannot be compared:\n\n"
        + "\n".join(f"- {escape_markdown(text)}" for text in reasons),
        icon=":material/block:",
    )
    groups = sorted(
        comparability.comparable_groups(runs, across_bases=across), key=len, reverse=True
    )
    styles = styles_by_run(runs)
    st.markdown("Runs that do go together:")
    for number, group in enumerate(groups[:5]):
        st.button(
            escape_markdown(", ".join(styles[run.id].name for run in group)),
            key=f"compare.keep.{number}",
            icon=":material/filter_alt:",
            on_click=_select_runs,
            args=(group,),
        )


def _select_runs(group: Sequence[Run]) -> None:
    st.session_state[_widget_key(group)] = [run.id for run in group]
    _write_url([run.id for run in group])


def _widget_key(runs: Sequence[Run]) -> str:
    """Each task has a choice of its own."""
    return f"compare.runs.{runs[0].spec.task}"


def _write_url(ids: Sequence[str]) -> None:
    """Write the ids into the address, or take them out if there are none."""
    if ids:
        st.query_params["runs"] = ",".join(ids)
    else:
        _clear_url()


def _clear_url() -> None:
    for name in ("runs", METRIC_PARAM, "pair"):
        st.query_params.pop(name, None)
