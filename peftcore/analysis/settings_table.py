"""All settings of several runs side by side, those in which they differ first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from peftcore.analysis.comparability import Comparable
from peftcore.runs.by_spec import remembered
from peftcore.runs.spec import RunSpec

if TYPE_CHECKING:
    from peftcore.analysis.inference import SeedItemTable  # loads scipy, which names do not need


@remembered
def flat_settings(spec: RunSpec) -> Mapping[str, Any]:
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


def all_settings(spec: RunSpec) -> dict[str, Any]:
    """Return base, task, method, start and every setting by dotted name."""
    names = {"base": spec.base, "task": spec.task, "method": spec.method}
    return names | dict(flat_settings(spec)) | ({"start": spec.start} if spec.start else {})


def tabulate_settings(runs: Sequence[Comparable]) -> pd.DataFrame:
    """Return one row per setting with columns setting, differs, and one per run id.

    Settings that differ come first, and of these the ones that every run has; a setting that a
    run's method lacks is None.
    """
    by_run = {run.id: all_settings(run.spec) for run in runs}
    names = list(dict.fromkeys(name for values in by_run.values() for name in values))
    rows = []
    for name in names:
        values = [settings.get(name) for settings in by_run.values()]
        rows.append([name, len({repr(value) for value in values}) > 1, *values])
    table = pd.DataFrame(rows, columns=["setting", "differs", *by_run]).astype(
        dict.fromkeys(by_run, object)
    )
    partial = table[list(by_run)].isna().any(axis=1) if len(table) else table["differs"]
    order = (2 * ~table["differs"].astype(bool) + partial).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)


def group_by_setting(runs: Sequence[Comparable], setting: str) -> dict[Hashable, list[str]]:
    """Return value of a setting → ids of the runs that have it, numbers in order."""
    groups: dict[Hashable, list[str]] = {}
    for run in runs:
        value = all_settings(run.spec).get(setting)
        groups.setdefault(_hashable(value), []).append(run.id)
    numeric = all(isinstance(value, int | float) for value in groups)
    return dict(sorted(groups.items(), key=lambda pair: pair[0])) if numeric else groups  # type: ignore[arg-type,return-value]


def mean_table(tables: Sequence[SeedItemTable]) -> SeedItemTable:
    """Return the mean of runs as one table, on the seeds and items that all of them have.

    Each run counts once, whatever it scores; what the mean varies by is seeds and items.
    """
    from peftcore.analysis.inference import SeedItemTable

    first = tables[0]
    seeds = [s for s in first.seeds if all(s in table.seeds for table in tables)]
    known = [set(table.items) for table in tables]
    items = [item for item in first.items if all(item in each for each in known)]
    parts = [table.select(seeds, items) for table in tables]
    values = np.mean([part.influence() for part in parts], axis=0)
    return SeedItemTable(tuple(seeds), tuple(items), values[..., None], strata=parts[0].strata)


def _hashable(value: Any) -> Hashable:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
