"""Finished sweeps: copied as they ship, and held against the same sweep done elsewhere."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peftcore.errors import BadInput
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.spec import Cell, label

SHIPPED = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("manifest.json", "log.txt"),
)


def ship(cells: Sequence[Cell], store: RunStore, folder: Path) -> list[Run]:
    """Copy the finished runs into a folder as they ship: every answer, no adapter."""
    made = []
    for cell in cells:
        run = store.find(cell.spec)
        if run is None or run.status().state != "done":
            raise BadInput(f"{cell.spec.id} ({label(cell.spec)}) is not done; finish the sweep")
        into = folder / run.id
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for name in SHIPPED:
            shutil.copyfile(run.folder / name, into / name)
        made.append(RunStore(folder).open(run.id))
    return made


@dataclass(frozen=True)
class Agreement:
    """How one cell came out here and in another store."""

    run: str
    method: str
    seeds: int
    largest: float | None  # difference of a score of a seed; None: not done in both
    adapters: bool  # whether the trained numbers are the same, byte by byte


def agreement(cells: Sequence[Cell], store: RunStore, other: RunStore) -> list[Agreement]:
    """Each cell in two stores, score by score and seed by seed."""
    found = []
    for cell in cells:
        here, there = (each.find(cell.spec) for each in (store, other))
        seeds, method = cell.spec.population.seeds, cell.spec.method
        if not here or not there or not here.scores() or not there.scores():
            found.append(Agreement(cell.spec.id, method, seeds, None, False))
            continue
        same = _tensors(here) == _tensors(there)
        found.append(Agreement(here.id, method, seeds, _furthest(here, there), same))
    return found


def _furthest(here: Run, there: Run) -> float:
    """The largest difference between two runs' scores; a number against none is infinite."""
    far = 0.0
    ours, theirs = here.scores(), there.scores()
    for name in ours.keys() | theirs.keys():
        for a, b in itertools.zip_longest(ours.get(name, []), theirs.get(name, [])):
            if a is None or b is None or math.isnan(a) != math.isnan(b):
                return math.inf
            far = max(far, 0.0 if math.isnan(a) else abs(a - b))
    return far


def _tensors(run: Run) -> bytes:
    """What a run learnt, as it lies on disk."""
    return (run.folder / "adapter.safetensors").read_bytes()
