"""From one spec to another: read one from a file, change some of its settings, name the changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peftcore.adapters.base import METHODS
from peftcore.analysis.settings_table import all_settings
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.training import planning

MOST_BYTES = 1_000_000  # of a file with a spec, which takes some kilobytes


@dataclass(frozen=True)
class Change:
    """A setting that two specs do not share; None where one of them lacks it."""

    name: str  # dotted, as `analysis.settings_table` names settings
    before: Any
    after: Any


def changes_between(before: RunSpec, after: RunSpec) -> list[Change]:
    """List the settings in which two specs differ, base, task and method first.

    A setting that is newer than a spec counts at its default there.
    """
    old, new = all_settings(_complete(before)), all_settings(_complete(after))
    names = dict.fromkeys([*old, *new])
    if before.method != after.method:  # settings of another method are no changes of these
        names = {name: None for name in names if not name.startswith("settings.")}
    return [
        Change(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    ]


def _complete(spec: RunSpec) -> RunSpec:
    """Fill in the method's settings that came after a spec was stored."""
    if spec.method not in METHODS:
        return spec
    defaults = METHODS[spec.method].Config.make().model_dump(mode="json")
    return spec.model_copy(update={"settings": defaults | spec.settings})


def vary_spec(spec: RunSpec, sections: Mapping[str, Mapping[str, Any]], start: str = "") -> RunSpec:
    """Return the spec with some settings changed, by section; BadInput if they do not fit."""
    values = {
        part: getattr(spec, part) if part == "settings" else getattr(spec, part).model_dump()
        for part in ("settings", "population", "training", "evaluation")
    }
    changed: dict[str, Any] = {
        part: {**known, **sections.get(part, {})} for part, known in values.items()
    }
    start = start or spec.start
    return planning.build_spec(spec.base, spec.task, spec.method, start=start, **changed)


def read_spec(content: bytes | str) -> RunSpec:
    """Read a spec as the Runs page saves it, or a run's spec.json; BadInput for anything else."""
    if len(content) > MOST_BYTES:
        raise BadInput(f"a spec takes some kilobytes; this file has {len(content):,} bytes")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise BadInput("the file holds no JSON; a spec is saved by the Runs page") from None
    if not isinstance(value, dict):
        raise BadInput("the file holds no spec; a spec is an object with base, task and method")
    return RunSpec.make(value)
