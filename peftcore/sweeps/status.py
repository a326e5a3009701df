"""The state of a sweep's cells, read from the runs themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import seed_shards
from peftcore.sweeps.spec import SweepCell
from peftcore.system.job_folder import JobState


@dataclass(frozen=True)
class ShardState:
    """The state of one shard."""

    spec: RunSpec
    state: JobState  # of its run; "queued" before there is one
    message: str
    seconds: float
    progress: float = 0.0  # of its steps that are done


@dataclass(frozen=True)
class CellState:
    """The state of a cell: its run, if it is there, and its shards."""

    cell: SweepCell
    run: Run | None
    shards: tuple[ShardState, ...]

    @property
    def done(self) -> bool:
        """True if the whole run is there."""
        return self.run is not None

    @property
    def failed(self) -> list[ShardState]:
        """Shards that ended with an error."""
        return [part for part in self.shards if part.state == "failed"]


def cell_states(cells: Sequence[SweepCell], store: RunStore) -> list[CellState]:
    """Read the state of each cell from the runs themselves."""
    shards = seed_shards.shard_store(store)
    cell_states_found = []
    for cell in cells:
        whole = store.find(cell.spec)
        if whole and whole.status().state == "done":
            cell_states_found.append(CellState(cell, whole, ()))
            continue
        states = [
            _shard_state(spec, (store if spec.id == cell.spec.id else shards).find(spec))
            for spec in cell.shards
        ]
        cell_states_found.append(CellState(cell, None, tuple(states)))
    return cell_states_found


def _shard_state(spec: RunSpec, run: Run | None) -> ShardState:
    if run is None:
        return ShardState(spec, "queued", "", 0.0)
    status = run.status()
    progress = status.step / status.steps if status.steps else 0.0
    return ShardState(spec, status.state, status.message, status.seconds, progress)


def status_table(states: Sequence[CellState]) -> list[dict[str, Any]]:
    """Tabulate the cells: names, what was varied, state."""
    varied = _varied_settings([state.cell.spec for state in states])
    return [
        {
            "run": state.cell.spec.id,
            "base": state.cell.spec.base,
            "task": state.cell.spec.task,
            "method": state.cell.spec.method,
            "varied": varied[state.cell.spec.id],
            "parts": len(state.cell.shards),
            "done": len(state.cell.shards) - sum(p.state != "done" for p in state.shards),
            "state": "done" if state.done else _cell_state_name(state),
        }
        for state in states
    ]


def _cell_state_name(state: CellState) -> str:
    shard_states = {part.state for part in state.shards}
    return next((name for name in ("failed", "running") if name in shard_states), "queued")


def _varied_settings(specs: Sequence[RunSpec]) -> dict[str, str]:
    """Describe in words how cells of one base, task and method differ."""
    groups: dict[tuple[str, str, str], list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault((spec.base, spec.task, spec.method), []).append(spec)
    text_by_run = {}
    for group in groups.values():
        flat = {spec.id: _flat_values(spec) for spec in group}
        names = [
            name
            for name in dict.fromkeys(n for values in flat.values() for n in values)
            if len({json.dumps(values.get(name)) for values in flat.values()}) > 1
        ]
        for run, values in flat.items():
            text_by_run[run] = ", ".join(f"{name}={values.get(name)}" for name in names)
    return text_by_run


def _flat_values(spec: RunSpec) -> dict[str, Any]:
    whole = spec.model_dump(mode="json")
    return {
        name: value
        for part in ("settings", "population", "training", "evaluation")
        for name, value in whole[part].items()
    }
