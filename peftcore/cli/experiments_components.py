"""`experiment components`: grids of runs that train other subsets of a base's weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import typer

from peftcore.analysis import judgement, subsets
from peftcore.cli import options
from peftcore.cli.experiments import experiment
from peftcore.cli.groups import DefaultGroup
from peftcore.cli.sweeps import train_sweep
from peftcore.labs.components.grid import (
    ALL_WEIGHTS,
    SHIPPED_PRESETS,
    build_subset_grid,
    grid_job,
    start_grid_job,
    subset_spec,
)
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.local import LocalEngine, default_processes
from peftcore.sweeps.grid import RunGrid
from peftcore.sweeps.spec import SweepJob
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.tasks import find_task

grids = typer.Typer(cls=DefaultGroup)
experiment.add_typer(
    grids,
    name="components",
    help="Train other subsets of a base's weights, side by side; alone it shows what is there.",
)

METRICS = ("accuracy", "normalised_chrf", "ratio_chrf", "broken", "unexplained")


@dataclass(frozen=True)
class GridOptions:
    """A grid of subsets, and the run of SparseFit that it varies."""

    kind: Annotated[str, typer.Argument(help="presets, kinds, layers or combinations.")] = "presets"
    base: options.Base = "tiny-t5"
    task: options.Task = "miniworld_nli"
    names: Annotated[
        str | None,
        typer.Option(
            help="Configurations of `presets`, or components of `combinations`, with commas "
            "between them."
        ),
    ] = None
    shots: options.Shots = None
    seeds: options.Seeds = None
    steps: options.Steps = None
    sets: options.Sets = None
    metric: Annotated[str | None, typer.Option(help="What pairs and layers are judged by.")] = None

    def build(self) -> RunGrid:
        """Find the runs of the grid; BadInput names what does not exist or fit."""
        # The settings' own defaults, as on the page: grids ship that were trained with them.
        sections = options.spec_sections(
            "sparsefit", self.sets, shots=self.shots, seeds=self.seeds, steps=self.steps
        )
        spec = subset_spec(self.base, self.task, **sections)
        names = self.names.split(",") if self.names else SHIPPED_PRESETS
        return build_subset_grid(self.kind, spec, RunStore(), [name.strip() for name in names])


@grids.command("status")
@grouped
def show_grid(
    grid: GridOptions, data: options.Data = None, as_json: printing.AsJson = False
) -> None:
    """Show scores, differences, and what is missing."""
    options.use_data(data)
    print_grid(grid.build(), grid.metric, as_json)


@grids.command("run")
@grouped
def run_grid(
    grid: GridOptions, resources: options.Resources, as_json: printing.AsJson = False
) -> None:
    """Train the runs that are missing here and now."""
    print_grid(train_grid(grid, resources), grid.metric, as_json)


def train_grid(grid: GridOptions, resources: options.Resources) -> RunGrid:
    """Bring the grid's sweep to its end, or to where somebody stops it."""
    resources.use_data()
    subset_grid = grid.build()
    job = grid_job(subset_grid)
    if job and subset_grid.missing:
        device = resources.torch_device()
        own = SweepJob.create_own(job.request)
        train_sweep(own, LocalEngine(default_processes(device), device), retry=True)
    return grid.build()


@grids.command("start")
@grouped
def start_grid(
    grid: GridOptions, data: options.Data = None, as_json: printing.AsJson = False
) -> None:
    """Train them in a process that outlives this one."""
    options.use_data(data)
    job = grid_job(grid.build())
    if job:
        start_grid_job(job, RunStore())
    print_grid(grid.build(), grid.metric, as_json)


@grids.command("stop")
@grouped
def stop_grid(
    grid: GridOptions, data: options.Data = None, as_json: printing.AsJson = False
) -> None:
    """Stop that process; what was learnt is kept."""
    options.use_data(data)
    job = grid_job(grid.build())
    if job and job.status().busy:
        job.stop()
    print_grid(grid.build(), grid.metric, as_json)


def _judge_subsets(subset_grid: RunGrid, metric: str) -> pd.DataFrame:
    """Return the verdict on every pair of subsets, called by their names."""
    names = {run.id: subset.name for subset, run in subset_grid.done}
    found = judgement.judge_runs([run for _, run in subset_grid.done], metric).verdicts
    return found.assign(**{end: found[end].map(names) for end in ("first", "second")})


def print_grid(subset_grid: RunGrid, metric: str | None, as_json: bool) -> None:
    """Print the runs of a grid, their scores, and what differs between them."""
    sweep_job = grid_job(subset_grid)
    table = subset_grid.table()
    main = metric or find_task(subset_grid.specs[0].task).main_metric
    shown = [name for name in dict.fromkeys((main, *METRICS)) if name in table]
    scores = subsets.subset_scores(table, shown)
    state = [
        {
            "subset": one.name,
            "run": one.spec.id,
            "state": run.status().state if run else "not trained",
            "settings": one.spec.settings,
        }
        for one, run in subset_grid.pairs
    ]
    by_layer = subset_grid.name == "layers"
    compared = (
        subsets.layer_effects(table, main, ALL_WEIGHTS)
        if by_layer
        else _judge_subsets(subset_grid, main)
    )
    status = sweep_job.status() if sweep_job else None
    value = {
        "grid": subset_grid.name,
        "sweep": sweep_job.id if sweep_job else None,
        "state": status.state if status and status.updated else None,
        "missing": len(subset_grid.missing),
        "runs": state,
        "scores": json.loads(scores.to_json(orient="records")),
        "layers" if by_layer else "pairs": json.loads(compared.to_json(orient="records")),
    }

    def lines() -> Iterator[str]:
        if status and status.busy:
            yield f"sweep {value['sweep']}: {status.done} of {status.of} runs trained"
        yield from printing.format_records(state, ["subset", "state"])
        heads = ["name", "metric", "mean", "low", "high", "n", "trainable"]
        yield from printing.format_records(scores, heads)
        if len(compared):
            yield from printing.format_records(compared)

    printing.print_result(value, as_json, lines)
