"""How the cells of a sweep stand, read from the runs themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import seed_shards
from peftcore.sweeps.spec import Cell


@dataclass(frozen=True)
class Part:
    """How a part of a cell stands."""

    spec: RunSpec
    state: str  # of its run; "waiting" before there is one
    message: str
    seconds: float
    share: float = 0.0  # of its steps that are done


@dataclass(frozen=True)
class CellState:
    """How a cell stands: its run, if it is there, and its parts."""

    cell: Cell
    run: Run | None
    parts: tuple[Part, ...]

    @property
    def done(self) -> bool:
        """Whether the whole run is there."""
        return self.run is not None

    @property
    def failed(self) -> list[Part]:
        """Parts that ended with an error."""
        return [part for part in self.parts if part.state == "failed"]


def survey(cells: Sequence[Cell], store: RunStore) -> list[CellState]:
    """How each cell stands, read from the runs themselves."""
    parts = seed_shards.shelf(store)
    found = []
    for cell in cells:
        whole = store.find(cell.spec)
        if whole and whole.status().state == "done":
            found.append(CellState(cell, whole, ()))
            continue
        states = [
            _part(spec, (store if spec.id == cell.spec.id else parts).find(spec))
            for spec in cell.parts
        ]
        found.append(CellState(cell, None, tuple(states)))
    return found


def _part(spec: RunSpec, run: Run | None) -> Part:
    if run is None:
        return Part(spec, "waiting", "", 0.0)
    status = run.status()
    share = status.step / status.steps if status.steps else 0.0
    return Part(spec, status.state, status.message, status.seconds, share)


def described(states: Sequence[CellState]) -> list[dict[str, Any]]:
    """Cells as a table: names, what was varied, how each stands."""
    varied = _varied([state.cell.spec for state in states])
    return [
        {
            "run": state.cell.spec.id,
            "base": state.cell.spec.base,
            "task": state.cell.spec.task,
            "method": state.cell.spec.method,
            "varied": varied[state.cell.spec.id],
            "parts": len(state.cell.parts),
            "done": len(state.cell.parts) - sum(p.state != "done" for p in state.parts),
            "state": "done" if state.done else _state(state),
        }
        for state in states
    ]


def _state(state: CellState) -> str:
    held = {part.state for part in state.parts}
    for name in ("failed", "training", "answering", "queued"):
        if name in held:
            return name
    return "waiting"


def _varied(specs: Sequence[RunSpec]) -> dict[str, str]:
    """What tells cells of one base, task and method apart, in words."""
    groups: dict[tuple[str, str, str], list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault((spec.base, spec.task, spec.method), []).append(spec)
    said = {}
    for group in groups.values():
        flat = {spec.id: _flat(spec) for spec in group}
        names = [
            name
            for name in dict.fromkeys(n for values in flat.values() for n in values)
            if len({json.dumps(values.get(name)) for values in flat.values()}) > 1
        ]
        for run, values in flat.items():
            said[run] = ", ".join(f"{name}={values.get(name)}" for name in names)
    return said


def _flat(spec: RunSpec) -> dict[str, Any]:
    whole = spec.model_dump(mode="json")
    return {
        name: value
        for part in ("settings", "population", "training", "evaluation")
        for name, value in whole[part].items()
    }
