"""What each run of a set is called and drawn with, everywhere on a page.

A run is called by its method; where that leaves two alike, settings they differ in are added, as
few as tell them apart where there are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.theme import Look, look
from peftcore.adapters.base import METHODS
from peftcore.analysis.comparability import Comparable
from peftcore.runs.spec import RunSpec

MOST = 3  # settings in a name, and values of one that has several


def looks(runs: Sequence[Comparable]) -> dict[str, Look]:
    """Run id → name, colour, symbol and dash, in the order of the runs."""
    groups: dict[str, list[Comparable]] = {}
    for run in runs:
        groups.setdefault(run.spec.method, []).append(run)
    several_tasks = len({run.spec.task for run in runs}) > 1
    several_bases = len({run.spec.base for run in runs}) > 1
    found: dict[str, Look] = {}
    for method, same in groups.items():
        extras = _extras([run.spec for run in same])
        for nth, (run, extra) in enumerate(zip(same, extras, strict=True)):
            parts = [title(method), *extra]
            parts += [run.spec.base] * several_bases + [run.spec.task] * several_tasks
            found[run.id] = look(method, "").again(nth, " · ".join(parts))
    names = Counter(each.name for each in found.values())
    return {
        run.id: replace(found[run.id], name=f"{found[run.id].name} · {run.id}")
        if names[found[run.id].name] > 1
        else found[run.id]
        for run in runs
    }


def title(method: str) -> str:
    """A method's name in words; methods that are gone keep the name they were run under."""
    return METHODS[method].title if method in METHODS else method


def _extras(specs: Sequence[RunSpec]) -> list[list[str]]:
    """For each spec the settings, as words, in which it differs from any of the others."""
    flat = [_flat(spec) for spec in specs]
    names = list(dict.fromkeys(name for values in flat for name in values))
    differing = [name for name in names if _kinds(flat, [name]) > 1]
    shown = differing if len(differing) <= MOST else _enough(flat, differing)
    more = ["…"] * (len(shown) < len(differing))
    return [
        [f"{_words(name)} {_value(values[name])}" for name in shown if name in values] + more
        for values in flat
    ]


def _enough(flat: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """As few of the names as tell everything apart that all of them do, single values first."""
    plain = [name for name in names if not any(_long(values.get(name)) for values in flat)]
    chosen: list[str] = []
    for offered in (plain, names):
        while _kinds(flat, chosen) < _kinds(flat, offered):
            best = max(offered, key=lambda name: _kinds(flat, [*chosen, name]))
            if _kinds(flat, [*chosen, best]) == _kinds(flat, chosen):
                break
            chosen.append(best)
    return [name for name in names if name in chosen]


def _kinds(flat: Sequence[dict[str, Any]], names: Sequence[str]) -> int:
    """How many different runs there are as far as these settings say."""
    return len({tuple(repr(values.get(name)) for name in names) for values in flat})


def _long(value: object) -> bool:
    return isinstance(value, list | tuple)


def _flat(spec: RunSpec) -> dict[str, Any]:
    """Everything but base, task and method by dotted name."""
    sections = {
        "settings": spec.settings,
        "training": spec.training.model_dump(),
        "population": spec.population.model_dump(),
        "evaluation": spec.evaluation.model_dump(),
    }
    return {
        f"{part}.{key}": value for part, values in sections.items() for key, value in values.items()
    }


def _words(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        few = " + ".join(map(str, value[:MOST]))
        return few if len(value) <= MOST else f"{few} and {len(value) - MOST} more"
    return str(value).replace("_", " ")
