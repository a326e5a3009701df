"""What each run of a set is called and drawn with, on pages and in reports.

A run is called by its method; where that leaves two alike, settings they differ in are added, as
few as tell them apart where there are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis.comparability import Comparable
from peftcore.analysis.settings_table import flat_settings
from peftcore.errors import BadInput
from peftcore.reports.styles import RunStyle, style_of_method
from peftcore.runs.by_spec import remembered
from peftcore.runs.spec import RunSpec
from peftcore.training.planning import SIMPLEX_FIELDS

MAX_SHOWN = 3  # settings in a name, and values of one that has several


def method_title(method: str) -> str:
    """Return a method's title; one that is gone keeps the name it was run under."""
    return METHODS[method].title if method in METHODS else method


def task_title(name: str) -> str:
    """Return a task's title, or its name if it is gone."""
    try:
        return tasks.find_task(name).title
    except BadInput:
        return name


def styles_by_run(runs: Sequence[Comparable]) -> dict[str, RunStyle]:
    """Return run id → name, colour, symbol and dash, in the order of the runs."""
    groups: dict[str, list[Comparable]] = {}
    for run in runs:
        groups.setdefault(run.spec.method, []).append(run)
    several_tasks = len({run.spec.task for run in runs}) > 1
    several_bases = len({run.spec.base for run in runs}) > 1
    styles: dict[str, RunStyle] = {}
    for method, method_runs in groups.items():
        extras = _extras_by_run(method_runs)
        for nth, run in enumerate(method_runs):
            name_parts = [method_title(method), *extras[run.id]]
            name_parts += [run.spec.base] * several_bases + [run.spec.task] * several_tasks
            styles[run.id] = style_of_method(method, "").variant(nth, " · ".join(name_parts))
    names = Counter(each.name for each in styles.values())
    return {
        run.id: replace(styles[run.id], name=f"{styles[run.id].name} · {run.id}")
        if names[styles[run.id].name] > 1
        else styles[run.id]
        for run in runs
    }


def titles_by_run(runs: Sequence[Comparable]) -> dict[str, str]:
    """Return run id → its name in a list: its method, what tells it apart, and its task.

    What all the runs have in common is left out, so that a narrow list shows the difference.
    """
    return {
        run: style.name.replace(f" · {task}", f" · {task_title(task)}", 1)
        for (run, style), task in zip(
            styles_by_run(runs).items(), [run.spec.task for run in runs], strict=True
        )
    }


def shorten_names(parts_by_run: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return run id → its parts of a name but those that all share; the first part stays.

    A list cuts a long name at its end, and runs of one base and task would look alike.  What is
    left equal gets the id.
    """
    rows = list(parts_by_run.values())
    shared = {
        nth
        for nth in range(1, min(map(len, rows), default=0))
        if len({row[nth] for row in rows}) == 1 and len(rows) > 1
    }
    names = {
        run: " · ".join(part for nth, part in enumerate(parts) if nth not in shared and part)
        for run, parts in parts_by_run.items()
    }
    counts = Counter(names.values())
    return {
        run: " · ".join(filter(None, [name, run if counts[name] > 1 else ""]))
        for run, name in names.items()
    }


def _extras_by_run(runs: Sequence[Comparable]) -> dict[str, list[str]]:
    """Return for each run of a method the settings that tell it from those of its base and task.

    Others differ by base and task already, which their names have.
    """
    groups: dict[tuple[str, str], list[Comparable]] = {}
    for run in runs:
        groups.setdefault((run.spec.base, run.spec.task), []).append(run)
    return {
        run.id: extra
        for group in groups.values()
        for run, extra in zip(
            group, _distinguishing_settings([run.spec for run in group]), strict=True
        )
    }


def _distinguishing_settings(specs: Sequence[RunSpec]) -> list[list[str]]:
    """Return for each spec the settings, in words, in which it differs from the others."""
    flat = [_deciding_settings(spec) for spec in specs]
    names = list(dict.fromkeys(name for values in flat for name in values))
    having = {name: [values for values in flat if name in values] for name in names}
    differing = [name for name in names if _count_distinct(having[name], [name]) > 1]
    shown = differing if len(differing) <= MAX_SHOWN else _fewest_distinguishing(flat, differing)
    ellipsis = ["…"] * (len(shown) < len(differing))
    return [
        [f"{setting_name(name)} {setting_value(values[name])}" for name in shown if name in values]
        + ellipsis
        for values in flat
    ]


def _fewest_distinguishing(flat: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Choose as few names as tell apart what all of them do, single values first."""
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


@remembered
def _deciding_settings(spec: RunSpec) -> dict[str, Any]:
    """Return a spec's settings by dotted name, without those that decide nothing in it."""
    idle = set()
    if spec.population.vertices == 1:
        idle = {f"{part}.{name}" for part, names in SIMPLEX_FIELDS.items() for name in names}
    if spec.settings.get("start") != "text":
        idle.add("settings.text")
    return {name: value for name, value in flat_settings(spec).items() if name not in idle}


def setting_name(name: str) -> str:
    """Return a setting's name in words, without its section."""
    return name.rpartition(".")[2].replace("_", " ")


def setting_value(value: object) -> str:
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
