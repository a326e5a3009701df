"""All settings of some runs side by side, and which of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peftcore.adapters.base import METHODS
from peftcore.runs.spec import Evaluation, Members, Training
from peftcore.runs.store import Run
from peftcore.settings import Settings

SECTIONS: dict[str, type[Settings]] = {
    "population": Members,
    "training": Training,
    "evaluation": Evaluation,
}
ABSENT = ""  # a method does not have the setting


@dataclass(frozen=True)
class SettingRow:
    """One setting: where it belongs, its name, what it does, and each run's value in words."""

    section: str
    name: str
    description: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Return whether the runs that have the setting disagree on it."""
        return len({value for value in self.values if value != ABSENT}) > 1


def setting_rows(runs: Sequence[Run]) -> list[SettingRow]:
    """List every setting of the runs, of the spec first, then of the methods."""
    specs = [run.spec for run in runs]
    rows = [
        SettingRow("run", name, "", tuple(str(getattr(spec, name)) or "–" for spec in specs))
        for name in ("base", "task", "method", "start")
    ]
    for section, kind in SECTIONS.items():
        for name, info in kind.model_fields.items():
            values = tuple(_in_words(getattr(getattr(s, section), name)) for s in specs)
            rows.append(SettingRow(section, name, info.description or "", values))
    names = dict.fromkeys(name for spec in specs for name in spec.settings)
    for name in names:
        values = tuple(
            _in_words(spec.settings[name]) if name in spec.settings else ABSENT for spec in specs
        )
        rows.append(SettingRow("method", name, _description(runs, name), values))
    return rows


def _in_words(value: Any) -> str:
    """Write a value; one that is not set is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_in_words, value)) or "none"
    return str(value)


def _description(runs: Sequence[Run], name: str) -> str:
    """Return what the first method that has a setting says of it."""
    for method in dict.fromkeys(run.spec.method for run in runs):
        if method in METHODS and name in METHODS[method].Config.model_fields:
            return METHODS[method].Config.model_fields[name].description or ""
    return ""
