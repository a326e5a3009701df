"""From what is chosen on the Train page to specs, what they cost, and the command line for them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import cache, widgets
from peftcore import planning
from peftcore.errors import BadInput
from peftcore.methods.base import METHODS
from peftcore.settings import Settings
from peftcore.spec import Evaluation, Population, RunSpec, Training

if TYPE_CHECKING:
    from peftcore.planning import Estimate

SWEEP = (1 / 3, 1.0, 3.0)  # factors on the learning rate


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
) -> Plans:
    """One spec for each method in `settings`, each with its own learning rate if it has one."""
    specs: dict[str, RunSpec] = {}
    problems: dict[str, str] = {}
    for method, chosen in settings.items():
        course = training.model_copy(update={"learning_rate": rates.get(method)})
        try:
            specs[method] = planning.plan(
                base, task, method, chosen, population, course, evaluation
            )
        except BadInput as error:
            problems[method] = str(error)
    return Plans(specs, problems)


def sweep(spec: RunSpec) -> list[RunSpec]:
    """The spec at a third of its learning rate, at it, and at three times it."""
    rate = spec.training.learning_rate
    assert rate is not None  # a plan always has one
    limit = 10.0  # of the field
    tried = dict.fromkeys(min(limit, float(f"{rate * factor:.2g}")) for factor in SWEEP)
    training = [spec.training.model_copy(update={"learning_rate": value}) for value in tried]
    return [spec.model_copy(update={"training": each}) for each in training]


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


def _cost(spec: RunSpec, cost: Estimate | BadInput | None) -> dict[str, str]:
    rate = f"{spec.training.learning_rate:g}"
    names = ("Trained numbers", "Share of the base", "Time", "Memory")
    if cost is None:
        return {"Learning rate": rate} | dict.fromkeys(names, "counting…")
    if isinstance(cost, BadInput):
        return {"Learning rate": rate} | dict.fromkeys(names, "cannot run")
    time = "not known" if cost.seconds is None else f"about {widgets.duration(cost.seconds)}"
    values = (f"{cost.trainable:,}", f"{cost.percent:.2g} %", time, widgets.size(cost.memory_bytes))
    return {"Learning rate": rate} | dict(zip(names, values, strict=True))


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
    for name, value in _changed(spec):
        words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def _changed(spec: RunSpec) -> list[tuple[str, Any]]:
    """Settings that are not at their defaults, by the name the command line gives them."""
    usual = planning.plan(spec.base, spec.task, spec.method)
    changed = _differing("", usual.settings, spec.settings)
    for part, said in (
        ("training", ("shots", "steps")),
        ("population", ("seeds",)),
        ("evaluation", ()),
    ):
        before, now = getattr(usual, part).model_dump(), getattr(spec, part).model_dump()
        changed += [
            pair
            for pair in _differing(f"{part}.", before, now)
            if pair[0].partition(".")[2] not in said
        ]
    return changed


def _differing(
    prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    return [(prefix + name, value) for name, value in now.items() if value != before.get(name)]


def show_submitted(submitted: Sequence[tuple[str, str]]) -> None:
    """Links to the runs that were started, or had been done before."""
    done = sum(state == "done" for _, state in submitted)
    words = f"{len(submitted) - done} in the queue" + (f", {done} done before" if done else "")
    st.success(f"{words}. Training goes on if you close the page.", icon=":material/check_circle:")
    with st.container(horizontal=True):
        for run_id, _ in submitted:
            spec = cache.store().open(run_id).spec
            rate = f" at {spec.training.learning_rate:g}" if len(submitted) > 4 else ""
            widgets.link("runs", f"{METHODS[spec.method].title}{rate}", run=run_id)
