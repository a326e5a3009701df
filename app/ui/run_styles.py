"""What each run of a set is called and drawn with, everywhere on a page.

A run is called by its method; where that leaves two alike, settings they differ in are added, as
few as tell them apart where there are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.state.run_catalog import method_title
from app.theme import RunStyle, style_of_method
from peftcore.analysis.comparability import Comparable
from peftcore.runs.spec import RunSpec

MAX_SHOWN = 3  # settings in a name, and values of one that has several


def styles_by_run(runs: Sequence[Comparable]) -> dict[str, RunStyle]:
    """Run id → name, colour, symbol and dash, in the order of the runs."""
    groups: dict[str, list[Comparable]] = {}
    for run in runs:
        groups.setdefault(run.spec.method, []).append(run)
    several_tasks = len({run.spec.task for run in runs}) > 1
    several_bases = len({run.spec.base for run in runs}) > 1
    styles: dict[str, RunStyle] = {}
    for method, method_runs in groups.items():
        extras = _distinguishing_settings([run.spec for run in method_runs])
        for nth, (run, extra) in enumerate(zip(method_runs, extras, strict=True)):
            name_parts = [method_title(method), *extra]
            name_parts += [run.spec.base] * several_bases + [run.spec.task] * several_tasks
            styles[run.id] = style_of_method(method, "").variant(nth, " · ".join(name_parts))
    names = Counter(each.name for each in styles.values())
    return {
        run.id: replace(styles[run.id], name=f"{styles[run.id].name} · {run.id}")
        if names[styles[run.id].name] > 1
        else styles[run.id]
        for run in runs
    }


def _distinguishing_settings(specs: Sequence[RunSpec]) -> list[list[str]]:
    """Return for each spec the settings, in words, in which it differs from the others."""
    flat = [_flat_settings(spec) for spec in specs]
    names = list(dict.fromkeys(name for values in flat for name in values))
    differing = [name for name in names if _count_distinct(flat, [name]) > 1]
    shown = differing if len(differing) <= MAX_SHOWN else _fewest_distinguishing(flat, differing)
    ellipsis = ["…"] * (len(shown) < len(differing))
    return [
        [
            f"{_setting_name(name)} {_setting_value(values[name])}"
            for name in shown
            if name in values
        ]
        + ellipsis
        for values in flat
    ]


def _fewest_distinguishing(flat: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """As few of the names as tell everything apart that all of them do, single values first."""
    single_valued = [
        name for name in names if not any(_is_list(values.get(name)) for values in flat)
    ]
    chosen: list[str] = []
    for candidates in (single_valued, names):
        while _count_distinct(flat, chosen) < _count_distinct(flat, candidates):
            best = max(candidates, key=lambda name: _count_distinct(flat, [*chosen, name]))
            if _count_distinct(flat, [*chosen, best]) == _count_distinct(flat, chosen):
                break
            chosen.append(best)
    return [name for name in names if name in chosen]


def _count_distinct(flat: Sequence[dict[str, Any]], names: Sequence[str]) -> int:
    """Count the runs that differ in these settings."""
    return len({tuple(repr(values.get(name)) for name in names) for values in flat})


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _flat_settings(spec: RunSpec) -> dict[str, Any]:
    """Return everything but base, task and method by dotted name."""
    sections = {
        "settings": spec.settings,
        "training": spec.training.model_dump(),
        "population": spec.population.model_dump(),
        "evaluation": spec.evaluation.model_dump(),
    }
    return {
        f"{part}.{key}": value for part, values in sections.items() for key, value in values.items()
    }


def _setting_name(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def _setting_value(value: object) -> str:
    """Return a setting's value in words."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        first_values = " + ".join(map(str, value[:MAX_SHOWN]))
        return (
            first_values
            if len(value) <= MAX_SHOWN
            else f"{first_values} and {len(value) - MAX_SHOWN} more"
        )
    return str(value).replace("_", " ")
