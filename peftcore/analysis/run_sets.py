"""Runs as a set: chosen by what they are and what people call them, and grouped by any setting."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from peftcore.analysis.settings_table import all_settings, group_by_setting
from peftcore.runs.annotation import Annotation
from peftcore.runs.by_spec import remembered
from peftcore.runs.spec import RunSpec

GROUP_COLUMNS = ["value", "runs", "seeds", "metric", "mean", "sd", "low", "high"]


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it; `score` is the mean of its main metric over seeds."""

    id: str
    spec: RunSpec
    state: str
    annotation: Annotation = field(default_factory=Annotation.make)
    metric: str = ""
    score: float | None = None
    shipped: bool = False

    @property
    def setting_texts(self) -> Mapping[str, str]:
        """Dotted name of every setting → its value as text."""
        return _setting_texts(self.spec)

    def manifest(self) -> dict[str, Any]:
        """Return nothing: a list does not say what produced a run."""
        return {}


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted; of several values of one kind any will do, all kinds must fit."""

    text: str = ""  # a part of name, note, tags, id, method, task or base
    tasks: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by dotted name
    archived: bool = False
    shipped: bool = True

    def accepts(self, run: ListedRun) -> bool:
        """Return whether a run is wanted."""
        if (run.annotation.archived and not self.archived) or (run.shipped and not self.shipped):
            return False
        spec = run.spec
        closed = (
            (self.tasks, {spec.task}),
            (self.bases, {spec.base}),
            (self.methods, {spec.method}),
            (self.states, {run.state}),
            (self.tags, set(run.annotation.tags)),
        )
        if any(wanted and not set(wanted) & has for wanted, has in closed):
            return False
        return self._has_settings(run) and self._has_text(run)

    def _has_settings(self, run: ListedRun) -> bool:
        if not self.settings:
            return True
        return all(run.setting_texts.get(name) in wanted for name, wanted in self.settings.items())

    def _has_text(self, run: ListedRun) -> bool:
        words = self.text.casefold().split()
        spec, own = run.spec, run.annotation
        place = " ".join(
            (run.id, spec.task, spec.base, spec.method, own.name, own.note, *own.tags)
        ).casefold()
        return all(word in place for word in words)


@remembered
def _setting_texts(spec: RunSpec) -> Mapping[str, str]:
    return {name: setting_text(value) for name, value in all_settings(spec).items()}


def setting_text(value: object) -> str:
    """Write a setting's value as it is typed into a filter."""
    if isinstance(value, list | tuple):
        return "+".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_that_vary(runs: Sequence[ListedRun]) -> dict[str, list[str]]:
    """Return dotted name → its values as text, the commonest first, of settings that differ."""
    values: dict[str, Counter[str]] = {}
    for run in runs:
        for name, text in run.setting_texts.items():
            values.setdefault(name, Counter())[text] += 1
    return {
        name: [text for text, _ in count.most_common()]
        for name, count in values.items()
        if name not in ("task", "base", "method") and (len(count) > 1 or count.total() < len(runs))
    }


def group_runs(runs: Iterable[ListedRun], setting: str) -> pd.DataFrame:
    """Return one row per value of a setting and main metric, with GROUP_COLUMNS.

    mean, sd, low and high are over runs, each counted once by its mean over seeds; sd is empty
    for one run. Runs without a score count among `runs` only.
    """
    listed = list(runs)
    by_id = {run.id: run for run in listed}
    rows = []
    for value, ids in group_by_setting(listed, setting).items():
        members = [by_id[run] for run in ids]
        for metric in dict.fromkeys(run.metric for run in members):
            same = [run for run in members if run.metric == metric]
            scores = [run.score for run in same if run.score is not None]
            row = {
                "value": setting_text(value),
                "runs": len(same),
                "seeds": sum(run.spec.population.seeds for run in same),
                "metric": metric,
            }
            rows.append(row | _spread(scores))
    return pd.DataFrame(rows, columns=GROUP_COLUMNS)


def _spread(scores: Sequence[float]) -> dict[str, float | None]:
    """Return mean, standard deviation, lowest and highest of scores."""
    if not scores:
        return dict.fromkeys(("mean", "sd", "low", "high"))
    return {
        "mean": statistics.fmean(scores),
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "low": min(scores),
        "high": max(scores),
    }
