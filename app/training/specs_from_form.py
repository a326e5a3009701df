"""From what is chosen on the Train page to specs, what they cost, and the command line for them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.ui import widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Population, RunSpec, Training
from peftcore.settings import Settings
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.runs.store import Run
    from peftcore.training.planning import Estimate


OPTIONS = ("shots", "seeds", "steps")  # have an option of their own on the command line


@dataclass(frozen=True)
class Plans:
    """Specs by method, and for methods that cannot be used the reason."""

    specs: dict[str, RunSpec]
    problems: dict[str, str]


def plans(
    base: str,
    task: str,
    settings: Mapping[str, Settings],
    rates: Mapping[str, float | None],
    population: Population,
    training: Training,
    evaluation: Evaluation,
    starts: Mapping[str, str] | None = None,
) -> Plans:
    """One spec for each method in `settings`, each with its own learning rate if it has one.

    starts: method → run whose adapter it starts from; empty for a start of its own.
    """
    specs: dict[str, RunSpec] = {}
    problems: dict[str, str] = {}
    for method, chosen in settings.items():
        course = training.model_copy(update={"learning_rate": rates.get(method)})
        try:
            specs[method] = planning.build_spec(
                base,
                task,
                method,
                chosen,
                population,
                course,
                evaluation,
                (starts or {}).get(method, ""),
            )
        except BadInput as error:
            problems[method] = str(error)
    return Plans(specs, problems)


def startable(base: str, method: str, runs: Iterable[Run]) -> dict[str, str]:
    """Runs whose adapter a method could start from, with what they are in words.

    Those of the method on the same base, and between plain and scaled prompts either way.
    """
    prompts = {"prompt_tuning", "spt"}
    kin = prompts if method in prompts else {method}
    return {
        run.id: f"{METHODS[run.spec.method].title} on {run.spec.task}, {run.spec.training.shots} "
        f"shots ({run.id})"
        for run in runs
        if run.spec.base == base and run.spec.method in kin and run.status().state == "done"
    }


def grouped(problems: Mapping[str, str]) -> dict[str, list[str]]:
    """Problem → the methods that have it."""
    groups: dict[str, list[str]] = {}
    for method, problem in problems.items():
        groups.setdefault(problem, []).append(method)
    return groups


def costs_table(
    specs: Mapping[str, RunSpec], costs: Sequence[Estimate | BadInput | None]
) -> pd.DataFrame:
    """What each method will cost, in words; methods still being counted say so."""
    return pd.DataFrame(
        [
            {"Method": METHODS[method].title} | _cost(spec, cost)
            for (method, spec), cost in zip(specs.items(), costs, strict=True)
        ]
    )


def rate(spec: RunSpec) -> str:
    """The learning rate as text; specs not made by `plan` may leave it to the method."""
    given = spec.training.learning_rate
    return "the method's own" if given is None else f"{given:g}"


def _cost(spec: RunSpec, cost: Estimate | BadInput | None) -> dict[str, str]:
    names = ("Trained numbers", "Share of the base", "Time", "Memory")
    if cost is None:
        return {"Learning rate": rate(spec)} | dict.fromkeys(names, "counting…")
    if isinstance(cost, BadInput):
        return {"Learning rate": rate(spec)} | dict.fromkeys(names, "cannot run")
    time = "not known" if cost.seconds is None else widgets.duration(cost.seconds)
    values = (f"{cost.trainable:,}", f"{cost.percent:.2g} %", time, widgets.size(cost.memory_bytes))
    return {"Learning rate": rate(spec)} | dict(zip(names, values, strict=True))


def total(costs: Sequence[Estimate | BadInput | None]) -> str:
    """How long all of them take one after the other, as a sentence; empty while unknown."""
    known = [cost for cost in costs if cost is not None and not isinstance(cost, BadInput)]
    seconds = [cost.seconds for cost in known if cost.seconds is not None]
    if not known or len(seconds) < len(costs):
        return ""
    return f"About {widgets.duration(sum(seconds))} in all, from {known[0].basis}."


def command(spec: RunSpec) -> str:
    """The command line that trains the same run."""
    words = ["python", "-m", "peftcore", "train"]
    words += ["--base", spec.base, "--task", spec.task, "--method", spec.method]
    words += ["--shots", str(spec.training.shots), "--seeds", str(spec.population.seeds)]
    words += ["--steps", str(spec.training.steps)]
    if spec.start:
        words += ["--start", spec.start]
    for name, value in _changed(spec):
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def _changed(spec: RunSpec) -> list[tuple[str, Any]]:
    """Settings that are not at their defaults and have no option of their own."""
    try:
        usual = planning.build_spec(spec.base, spec.task, spec.method)
    except BadInput:  # the base, table or method of an old run is gone: say everything
        usual = spec.model_copy(update={"settings": {}})
    changed = _differing(usual.settings, spec.settings)
    for part in ("training", "population", "evaluation"):
        changed += _differing(getattr(usual, part).model_dump(), getattr(spec, part).model_dump())
    return [(name, value) for name, value in changed if name not in OPTIONS]


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in now.items() if value != before.get(name)]
