"""Results of finished sweeps: shipped into a folder, or compared with those of another store."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peftcore.errors import BadInput
from peftcore.runs.ship import ship
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.spec import SweepCell, spec_label


def ship_sweep_runs(cells: Sequence[SweepCell], store: RunStore, folder: Path) -> list[Run]:
    """Copy the finished runs into a folder as they ship: every answer, no adapter."""
    shipped_runs = []
    for cell in cells:
        run = store.find(cell.spec)
        if run is None or run.status().state != "done":
            raise BadInput(
                f"{cell.spec.id} ({spec_label(cell.spec)}) is not done; finish the sweep"
            )
        shipped_runs.append(ship(run, folder))
    return shipped_runs


@dataclass(frozen=True)
class CellComparison:
    """Differences of one cell's scores between two stores."""

    run: str
    method: str
    seeds: int
    largest: float | None  # difference of a score of a seed; None: not done in both
    adapters: bool  # whether the trained numbers are the same, byte by byte


def compare_stores(
    cells: Sequence[SweepCell], store: RunStore, other: RunStore
) -> list[CellComparison]:
    """Compare each cell in two stores, score by score and seed by seed."""
    comparisons = []
    for cell in cells:
        own_run, other_run = (each.find(cell.spec) for each in (store, other))
        seeds, method = cell.spec.population.seeds, cell.spec.method
        if not own_run or not other_run or not own_run.scores() or not other_run.scores():
            comparisons.append(CellComparison(cell.spec.id, method, seeds, None, False))
            continue
        same_adapters = _adapter_bytes(own_run) == _adapter_bytes(other_run)
        comparisons.append(
            CellComparison(
                own_run.id, method, seeds, _largest_difference(own_run, other_run), same_adapters
            )
        )
    return comparisons


def _largest_difference(own_run: Run, other_run: Run) -> float:
    """Return the largest difference of two runs' scores; missing in one is infinite."""
    largest = 0.0
    ours, theirs = own_run.scores(), other_run.scores()
    for name in ours.keys() | theirs.keys():
        for a, b in itertools.zip_longest(ours.get(name, []), theirs.get(name, [])):
            if a is None or b is None or math.isnan(a) != math.isnan(b):
                return math.inf
            largest = max(largest, 0.0 if math.isnan(a) else abs(a - b))
    return largest


def _adapter_bytes(run: Run) -> bytes:
    """Read a run's adapter file."""
    return (run.folder / "adapter.safetensors").read_bytes()
