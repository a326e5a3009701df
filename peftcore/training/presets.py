"""What a run begins with: a size that fits its base, in three grades, and a recipe fair to methods.

A preset is what a form or a command begins with, never what a stored spec means: a spec says every
value itself, and the settings' own defaults stay those of the first version. The recipe is the same
for every method: train until dev is flat, the steps being a limit, and keep the step with most dev
labels right. On a large base, where a step takes seconds on a processor, fewer steps show an
effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.errors import unknown_name
from peftcore.runs.spec import Evaluation, Members, Training
from peftcore.settings import Settings

USUAL = "usual"
SECTIONS: Mapping[str, type[Settings]] = {
    "population": Members,
    "training": Training,
    "evaluation": Evaluation,
}
FIELDS = {  # what a preset sets → the part of a spec it belongs to
    "seeds": "population",
    "shots": "training",
    "dev": "training",
    "steps": "training",
    "batch": "training",
    "evaluate_every": "training",
    "patience": "training",
    "select": "training",
    "copies": "training",
    "limit": "evaluation",
}


RECIPE: dict[str, Any] = {"patience": 6, "select": "labels"}  # of every size


@dataclass(frozen=True)
class Preset:
    """A size of a run: a value for each of FIELDS."""

    name: str
    values: Mapping[str, Any]

    def section(self, name: str) -> dict[str, Any]:
        """Return the values that belong to a part of a spec, such as "training"."""
        return {key: value for key, value in self.values.items() if FIELDS[key] == name}

    def text(self) -> str:
        """Say the size in words."""
        v = self.values
        return (
            f"{v['seeds']} seeds, {v['shots']} training examples, at most {v['steps']} steps of "
            f"{v['batch']}, {v['limit']} answers"
        )


def _grade(name: str, **values: int) -> Preset:
    """Make a preset: these values, the recipe, and for the rest the settings' own defaults."""
    own = {key: SECTIONS[part].model_fields[key].default for key, part in FIELDS.items()}
    return Preset(name, own | RECIPE | values)


_SMALL = (
    _grade("quick", seeds=2, shots=16, dev=16, steps=60, copies=4, limit=50),
    _grade(USUAL, steps=600),
    _grade("thorough", seeds=8, shots=128, dev=96, steps=2000, evaluate_every=50, limit=500),
)
_LARGE = (
    _grade(
        "quick", seeds=2, shots=10, dev=8, steps=20, batch=2, evaluate_every=10, copies=2, limit=8
    ),
    _grade(
        USUAL, seeds=2, shots=32, dev=16, steps=40, batch=4, evaluate_every=20, copies=3, limit=24
    ),
    _grade(
        "thorough", seeds=3, shots=64, dev=32, steps=120, batch=8, evaluate_every=30, copies=4,
        limit=100,
    ),
)  # fmt: skip


def presets_for(parameters: int) -> dict[str, Preset]:
    """Return the presets for a base of so many numbers, by name, the smallest first."""
    return {each.name: each for each in (_LARGE if parameters >= LARGE_BASE else _SMALL)}


def find_preset(name: str, parameters: int) -> Preset:
    """Return one preset for a base of so many numbers; BadInput names those there are."""
    known = presets_for(parameters)
    if name not in known:
        raise unknown_name("preset", name, known)
    return known[name]
