"""Runs that may be compared, with their estimates and verdicts: all that a report says of them.

A report may be about many runs; those of one task and one protocol make a group, and only within a
group are runs judged. A metric whose values are no function of single answers (rank correlation,
scores by neural networks) has no items: it is estimated over seeds, for the very examples answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from peftcore import tasks
from peftcore.analysis import comparability, judgement, run_tables
from peftcore.analysis.inference import Population, SeedItemTable
from peftcore.analysis.judgement import JudgedRuns
from peftcore.analysis.verdicts import VERDICT_COLUMNS
from peftcore.data.task import Task
from peftcore.errors import BadInput, unknown_name
from peftcore.metrics.scores import chance_levels
from peftcore.reports.run_styles import styles_by_run, task_title
from peftcore.reports.styles import RunStyle
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run

ESTIMATE_COLUMNS = [
    *("run", "mean", "low", "high", "seeds", "items", "reason"),
    *("smallest", "largest", "trainable", "seconds"),
]


@dataclass(frozen=True)
class ReportOptions:
    """Choices of a report.

    metric: empty takes each task's own first. margin: the largest difference that counts as none,
    in points (hundredths of the metric's largest value); None takes the usual. with_texts: whether
    examples and answers are quoted, which may be somebody else's. made: when, in words; empty says
    nothing.
    """

    metric: str = ""
    margin: float | None = None
    population: Population = "this task"
    title: str = ""
    with_texts: bool = True
    across_bases: bool = False
    made: str = ""


@dataclass(frozen=True)
class _LoadedRun:
    """A run whose answers are in memory, since each metric reads them."""

    run: Run
    frame: pd.DataFrame

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.run.id

    @property
    def spec(self) -> RunSpec:
        """Spec of the run."""
        return self.run.spec

    def manifest(self) -> dict[str, Any]:
        """Return what the run was made from."""
        return self.run.manifest()

    def scores(self) -> dict[str, list[float]]:
        """Return metric → one value per seed."""
        return self.run.scores()

    def answers(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return every answer, with all columns: they are here."""
        return self.frame


@dataclass(frozen=True)
class RunGroup:
    """Comparable runs of one task."""

    runs: tuple[Run, ...]
    metric: str
    options: ReportOptions = field(default_factory=ReportOptions)

    @cached_property
    def styles(self) -> dict[str, RunStyle]:
        """Run id → name and drawing."""
        return styles_by_run(self.runs)

    @cached_property
    def answers(self) -> dict[str, pd.DataFrame]:
        """Run id → every answer."""
        return {run.id: _with_plain_texts(run.answers()) for run in self.runs}

    @cached_property
    def scores(self) -> dict[str, dict[str, list[float]]]:
        """Run id → metric → value of each seed."""
        return {run.id: run.scores() for run in self.runs}

    @cached_property
    def histories(self) -> dict[str, pd.DataFrame]:
        """Run id → losses, the best mean first."""
        order = list(self.estimates(self.metric)["run"])
        return {run.id: run.history() for run in sorted(self.runs, key=lambda r: order.index(r.id))}

    @cached_property
    def task(self) -> Task | None:
        """The task; None if it is a table that is gone."""
        return _find_task(self.runs[0].spec.task)

    @property
    def title(self) -> str:
        """The task's title and what tells the group from others: base, examples of a seed."""
        spec = self.runs[0].spec
        bases = ", ".join(dict.fromkeys(run.spec.base for run in self.runs))
        return f"{task_title(spec.task)} on {bases}, {spec.training.shots} training examples"

    def name(self, run: str) -> str:
        """Return what a run is called within the group."""
        return self.styles[run].name

    def metrics(self) -> list[str]:
        """List the metrics that every run has, the group's own first."""
        shared = [m for m in self.scores[self.runs[0].id] if all(m in s for s in self._all())]
        return [self.metric, *(name for name in shared if name != self.metric)]

    def _all(self) -> Iterable[dict[str, list[float]]]:
        return self.scores.values()

    def tables(self, metric: str) -> Mapping[str, SeedItemTable]:
        """Return run id → table seeds × items of a metric; of a metric without items seeds × 1."""
        return self.judgement(metric).tables

    def judgement(self, metric: str) -> JudgedRuns:
        """Estimate every run by a metric and judge every pair; done once for each metric."""
        if metric not in self._judgements:
            margin = self.options.margin if metric == self.metric else None
            self._judgements[metric] = judgement.judge(
                {run.id: self._table(run, metric) for run in self.runs},
                metric,
                judgement.DEFAULT_MARGIN if margin is None else margin,
                self.options.population,
            )
        return self._judgements[metric]

    @cached_property
    def _judgements(self) -> dict[str, JudgedRuns]:
        return {}

    def _table(self, run: Run, metric: str) -> SeedItemTable:
        """Return a run's table; of a metric that no seed has a value of, one without values."""
        found = run_tables.table_of_run(_LoadedRun(run, self.answers[run.id]), metric)
        numbers = run.spec.population.seed_numbers()
        return found or run_tables.table_of_seeds(numbers, self.scores[run.id][metric])

    def has_items(self, metric: str) -> bool:
        """Return whether a metric has values of single items."""
        return all(map(run_tables.has_items, self.tables(metric).values()))

    def population(self, metric: str) -> Population:
        """Return whom intervals of a metric speak of: the choice, or what the metric allows."""
        return self.judgement(metric).population

    def estimates(self, metric: str) -> pd.DataFrame:
        """Return one row per run with ESTIMATE_COLUMNS, the best mean first."""
        runs = {run.id: run for run in self.runs}
        rows = []
        for run, found in self.judgement(metric).estimates.items():
            values = self.tables(metric)[run].seed_values()
            finite = values[np.isfinite(values)]
            ends = (finite.min(), finite.max()) if len(finite) else (None, None)
            status = runs[run].status()
            shown = (found.mean, found.low, found.high, found.seeds, found.items, found.reason)
            rows.append((run, *shown, *ends, status.trainable, status.seconds))
        frame = pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)
        numbers = ("mean", "low", "high", "smallest", "largest", "trainable", "seconds")
        return frame.astype(dict.fromkeys(numbers, float))

    def verdicts(self, metric: str) -> pd.DataFrame:
        """Return every pair with VERDICT_COLUMNS, the verdict being on the first of a pair.

        The first is never worse than the second; rows of a judgement are turned round for it.
        """
        pairs = self.judgement(metric).verdicts
        turned = [judgement.turn_pair(row) for row in pairs.to_dict("records")]
        ends = {"first": "second", "second": "first"}
        frame = pd.DataFrame(turned, columns=VERDICT_COLUMNS).rename(columns=ends)
        return frame.astype(pairs.rename(columns=ends).dtypes.to_dict())

    def chance_levels(self) -> dict[str, float]:
        """Return the score of guessing, where it is known for the group's metric."""
        return chance_levels(self.metric, self.task.labels if self.task else ())

    def seed_table(self, metric: str) -> pd.DataFrame:
        """Return every seed's value: columns run, seed, value."""
        rows = [
            (run, seed, value)
            for run, table in self.tables(metric).items()
            for seed, value in zip(table.seeds, table.seed_values(), strict=True)
        ]
        return pd.DataFrame(rows, columns=["run", "seed", "value"])


def _with_plain_texts(answers: pd.DataFrame) -> pd.DataFrame:
    """Return answers with texts as Python objects: metrics read each, which Arrow makes slow."""
    texts = answers.select_dtypes("string").columns
    return answers.astype(dict.fromkeys(texts, object))


def _find_task(name: str) -> Task | None:
    try:
        return tasks.find_task(name)
    except BadInput:
        return None


@dataclass(frozen=True)
class GroupedRuns:
    """Runs of a report: in groups, those without scores apart, and why there are several groups."""

    groups: tuple[RunGroup, ...]
    unscored: tuple[Run, ...]
    reasons: tuple[str, ...]  # why runs of one task are in different groups

    @property
    def runs(self) -> list[Run]:
        """List every run that has scores."""
        return [run for group in self.groups for run in group.runs]


def group_runs(runs: Sequence[Run], options: ReportOptions) -> GroupedRuns:
    """Sort runs into groups that may be compared; BadInput if none has scores."""
    chosen = list({run.id: run for run in runs}.values())
    scored = [run for run in chosen if run.scores()]
    if not scored:
        raise BadInput(
            "no run here has scores; a report needs at least one run that is done"
            if chosen
            else "a report needs at least one run"
        )
    across = options.across_bases
    sorted_groups = comparability.comparable_groups(scored, across_bases=across)
    sorted_groups.sort(key=len, reverse=True)  # stable: groups of one size as they came
    groups = [RunGroup(tuple(g), _group_metric(g, options.metric), options) for g in sorted_groups]
    reasons = []
    for task in dict.fromkeys(run.spec.task for run in scored):
        of_task = [run for run in scored if run.spec.task == task]
        names = {run: style.name for run, style in styles_by_run(of_task).items()}
        reasons += comparability.reasons_not_comparable(of_task, across_bases=across, names=names)
    unscored = tuple(run for run in chosen if run not in scored)
    return GroupedRuns(tuple(groups), unscored, tuple(reasons))


def _group_metric(runs: Sequence[Run], requested: str) -> str:
    """Return the metric that was asked for, else the task's own; one that every run has."""
    scores = [run.scores() for run in runs]
    common = [name for name in scores[0] if all(name in each for each in scores)]
    if requested:
        if requested not in common:
            raise unknown_name("metric", requested, common)
        return requested
    task: Any = _find_task(runs[0].spec.task)
    first = task.main_metric if task else ""
    if not common:
        raise BadInput(f"runs {' and '.join(run.id for run in runs)} have no metric in common")
    return first if first in common else common[0]
