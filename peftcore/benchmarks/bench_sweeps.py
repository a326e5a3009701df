"""`bench sweeps`: what a sweep of very many cells costs besides its training.

Cells are made up and the work is fake: it says that it is done, and writes no run. So what is timed
is reading the file, asking for every cell's state, tabulating them, and handing out and collecting
parts through the engine of this machine's processes; not the disk.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.runs.store import RunStore
from peftcore.sweeps import costs, status
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.sweeps.engines.local import LocalEngine
from peftcore.sweeps.spec import Sweep
from peftcore.system import printing, server_limits

T = TypeVar("T")
SIZES = (1000, 10_000, 100_000)
CARDS = (1, 8, 64)
RANKS = 100  # of LoRA; learning rates make up the rest
SECONDS_OF_A_CELL = 60.0  # of training on a card, for the model of costs: the assumption is printed


class FakeTrainer:
    """Says that a shard is done, without training it."""

    def __init__(self, device: str = "cpu") -> None:
        """Take a device, as trainers do."""
        self.device = device

    def train_shard(self, shard: Shard, stop: Callable[[], bool], worker: str = "") -> ShardOutcome:
        """Return that the shard is done."""
        return ShardOutcome(shard.spec.id, "done", worker=worker)


def sweep_of_size(cells: int) -> Sweep:
    """Return a sweep of so many cells, ranks times learning rates; cells is a multiple of RANKS."""
    rates = [1e-6 * (nth + 1) for nth in range(max(1, cells // RANKS))]
    lora = {"method": "lora", "settings": {"rank": list(range(1, RANKS + 1))}}
    return Sweep.make(
        {
            "title": f"{cells} cells",
            "bases": ["tiny-t5"],
            "tasks": ["miniworld_nli"],
            "methods": [lora | {"training": {"learning_rate": rates}}],
            "episodes": {"seeds": 1},
        }
    )


@bench.command("sweeps")
def time_sweeps(
    cells: Annotated[
        list[int] | None, typer.Option(min=RANKS, help="Cells, in hundreds; repeat it for more.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Time submission, states, table and collecting of sweeps of made-up cells."""
    rows = [row for size in cells or SIZES for row in _time_size(size)]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["cells", "what", "seconds", "ms a cell"]
        yield from printing.format_table(heads, [tuple(row.values())[:4] for row in rows])

    value = {"engine": "local", "training_seconds_of_a_cell": SECONDS_OF_A_CELL, "rows": rows}
    printing.print_result(with_machine_info(value), as_json, lines)


def _time_size(size: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each thing that is done with a sweep of so many cells."""
    os.environ[server_limits.SWEEP_CELLS.variable] = str(max(SIZES[-1], size))
    sweep = sweep_of_size(size)
    with tempfile.TemporaryDirectory() as home:
        store = RunStore(Path(home) / "runs", Path(home) / "demo_runs")
        seconds: dict[str, float] = {}

        def timed(what: str, work: Callable[[], T]) -> T:
            """Return what the work returns, and note the processor time it took."""
            began = time.process_time()
            found = work()
            seconds[what] = time.process_time() - began
            typer.echo(f"{size} cells: {what} {seconds[what]:.1f} s", err=True)
            return found

        cells = timed("submission: its runs are listed", sweep.cells)
        states = timed("status: a state for each", lambda: status.cell_states(cells, store))
        timed("page: a row for each", lambda: status.status_table(states))
        shards = [Shard(cell.spec, store.folder) for cell in cells]
        engine = LocalEngine(1, trainer=FakeTrainer)
        timed("parts handed out and collected", lambda: _collect(engine, shards))
        timed("cost model", lambda: _hours(states))
    control = sum(seconds.values())
    for what, took in seconds.items():
        yield {"cells": size, "what": what, "seconds": took, "ms_a_cell": 1000 * took / size}
    for cards, hours in _hours(states).items():
        yield {
            "cells": size,
            "what": f"{cards} card{'s' * (cards > 1)}: training",
            "seconds": 3600 * hours,
            "ms_a_cell": 3600 * 1000 * hours / size,
            "control_share": control / (3600 * hours),
        }


def _collect(engine: LocalEngine, shards: list[Shard]) -> None:
    """Let an engine go through all shards."""
    ended = sum(outcome.state == "done" for outcome in engine.run_shards(shards, lambda: False))
    assert ended == len(shards)


def _hours(states: list[status.CellState]) -> dict[int, float]:
    """Return how many hours the cells take on so many cards."""
    found = costs.extrapolate_cost(states, lambda spec: SECONDS_OF_A_CELL, 1.0, CARDS)
    return found.hours
