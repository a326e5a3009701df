"""From what is chosen on the Train page to specs, what they cost, and the command line for them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.ui import widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings
from peftcore.training import planning, presets

if TYPE_CHECKING:
    from peftcore.runs.store import Run
    from peftcore.training.planning import CostEstimate


LONGER = 1.5  # times as long as expected, from which runaway answers are worth a word
LONG_SECONDS = 20 * 60  # of all runs, from which the page says what to cut
CUTS = {  # part of an estimate → what makes it shorter
    "training": "fewer steps, a smaller batch or fewer seeds",
    "validation": "fewer validation examples, rarer looks at them, for a simplex fewer copies",
    "answering": "fewer examples answered, or shorter answers",
}
OPTIONS = ("shots", "seeds", "steps")  # have an option of their own on the command line


@dataclass(frozen=True)
class TrainForm:
    """What is chosen on the Train page: a base, a task, methods, and how they are trained."""

    base: str
    task: str
    settings: Mapping[str, Settings]  # by method
    learning_rates: Mapping[str, float | None] = field(default_factory=dict)  # None: its own
    start_runs: Mapping[str, str] = field(default_factory=dict)  # whose adapter a method goes on
    population: Members = field(default_factory=Members)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)
    variants: Sequence[Mapping[str, str]] = ()  # of the training, each a run more for each method


@dataclass(frozen=True)
class FormSpecs:
    """Specs by method, and for methods that cannot be used the reason."""

    specs: dict[str, RunSpec]
    problems: dict[str, str]


def build_specs(form: TrainForm) -> FormSpecs:
    """Build one spec for each method, or keep the reason why it cannot be used."""
    specs: dict[str, RunSpec] = {}
    problems: dict[str, str] = {}
    for method, settings in form.settings.items():
        learning_rate = form.learning_rates.get(method)
        try:
            specs[method] = planning.build_spec(
                form.base,
                form.task,
                method,
                settings,
                form.population,
                form.training.model_copy(update={"learning_rate": learning_rate}),
                form.evaluation,
                form.start_runs.get(method, ""),
            )
        except BadInput as error:
            problems[method] = str(error)
    return FormSpecs(specs, problems)


def startable_runs(base: str, method: str, runs: Iterable[Run]) -> dict[str, str]:
    """Return the runs whose adapter a method can start from, by id, with their titles.

    Those of the method on the same base, and between plain and scaled prompts either way.
    """
    prompts = {"prompt_tuning", "spt"}
    compatible_methods = prompts if method in prompts else {method}
    return {
        run.id: f"{METHODS[run.spec.method].title} on {run.spec.task}, {run.spec.training.shots} "
        f"shots ({run.id})"
        for run in runs
        if run.spec.base == base
        and run.spec.method in compatible_methods
        and run.status().state == "done"
    }


def group_problems(problems: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the methods of each problem."""
    groups: dict[str, list[str]] = {}
    for method, problem in problems.items():
        groups.setdefault(problem, []).append(method)
    return groups


def costs_table(
    specs: Mapping[str, RunSpec], costs: Sequence[CostEstimate | BadInput | None]
) -> pd.DataFrame:
    """Return the cost of each method in words; those still being counted say so."""
    return pd.DataFrame(
        [
            {"Method": METHODS[method].title} | _cost_cells(spec, cost)
            for (method, spec), cost in zip(specs.items(), costs, strict=True)
        ]
    )


def learning_rate_text(spec: RunSpec) -> str:
    """Return the learning rate as text; a spec may leave it to the method."""
    learning_rate = spec.training.learning_rate
    if not METHODS[spec.method].trains():
        return "nothing to train"
    return "the method's own" if learning_rate is None else f"{learning_rate:g}"


def _cost_cells(spec: RunSpec, cost: CostEstimate | BadInput | None) -> dict[str, str]:
    """Return the cells of one method in the table of costs."""
    names = ("Trainable parameters", "Share of the base", "Time", "Memory")
    if cost is None:
        return {"Learning rate": learning_rate_text(spec)} | dict.fromkeys(names, "counting…")
    if isinstance(cost, BadInput):
        return {"Learning rate": learning_rate_text(spec)} | dict.fromkeys(names, "cannot run")
    values = (
        f"{cost.trainable:,}",
        f"{cost.percent:.2g} %",
        _time_cell(cost),
        widgets.format_bytes(cost.memory_bytes),
    )
    return {"Learning rate": learning_rate_text(spec)} | dict(zip(names, values, strict=True))


def _time_cell(cost: CostEstimate) -> str:
    """Return the time a run takes, with that of runaway answers where they would matter."""
    if cost.seconds is None:
        return "not known"
    expected, longest = cost.seconds, cost.longest_seconds or 0.0
    if longest < LONGER * expected:
        return widgets.format_duration(expected)
    return f"{widgets.format_duration(expected)} to {widgets.format_duration(longest)}"


def total_time_text(costs: Sequence[CostEstimate | BadInput | None]) -> str:
    """Say in a sentence how long all take, one after the other; empty while unknown."""
    known = [cost for cost in costs if cost is not None and not isinstance(cost, BadInput)]
    seconds = [cost.seconds for cost in known if cost.seconds is not None]
    if not known or len(seconds) < len(costs):
        return ""
    start = max(cost.start_seconds for cost in known)
    first = f", and up to {widgets.format_duration(start)} before the first" if start >= 1 else ""
    longest = sum(cost.longest_seconds or cost.seconds or 0.0 for cost in known)
    most = ""
    if longest >= LONGER * sum(seconds):
        most = f", and {widgets.format_duration(longest)} if answers run to their limit"
    return (
        f"About {widgets.format_duration(sum(seconds))} in all, from {known[0].basis}{most}{first}."
    )


def long_time_text(costs: Sequence[CostEstimate | BadInput | None]) -> str:
    """Say what to cut where all together take long; empty where they do not."""
    known = [cost for cost in costs if cost is not None and not isinstance(cost, BadInput)]
    seconds = sum(cost.seconds or 0.0 for cost in known)
    if seconds < LONG_SECONDS:
        return ""
    by_part = {name: sum(cost.parts.get(name, 0.0) for cost in known) for name in CUTS}
    parts = sorted(by_part, key=by_part.__getitem__, reverse=True)
    worth_cutting = [name for name in parts if by_part[name] >= seconds / 5]
    cuts = "; ".join(
        f"{name} takes {widgets.format_duration(by_part[name])}: {CUTS[name]}"
        for name in worth_cutting
    )
    return (
        f"This takes long: {widgets.format_duration(seconds)}. A smaller size above shows an "
        f"effect sooner{'. ' if cuts else ''}{cuts[:1].upper()}{cuts[1:]}."
    )


def training_command(spec: RunSpec) -> str:
    """Return the command line that trains the same run."""
    words = ["python", "-m", "peftcore", "train"]
    words += ["--base", spec.base, "--task", spec.task, "--method", spec.method]
    words += ["--shots", str(spec.training.shots), "--seeds", str(spec.population.seeds)]
    words += ["--steps", str(spec.training.steps)]
    if spec.start:
        words += ["--start", spec.start]
    for name, value in _changed_settings(spec):
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def _changed_settings(spec: RunSpec) -> list[tuple[str, Any]]:
    """Settings that are not at their defaults and have no option of their own."""
    try:
        size = presets.find_preset(presets.USUAL, planning.parameters_of_base(spec.base))
        parts: dict[str, Any] = {part: size.section(part) for part in presets.SECTIONS}
        defaults = planning.build_spec(spec.base, spec.task, spec.method, **parts)
    except BadInput:  # the base, table or method of an old run is gone: say everything
        defaults = spec.model_copy(update={"settings": {}})
    changed = _differing_items(defaults.settings, spec.settings)
    for part in ("training", "population", "evaluation"):
        changed += _differing_items(
            getattr(defaults, part).model_dump(), getattr(spec, part).model_dump()
        )
    return [(name, value) for name, value in changed if name not in OPTIONS]


def _differing_items(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in now.items() if value != before.get(name)]
