"""Commands about components: count what is trained, lay out grids, judge explanations."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.adapters.component_map import ComponentMap
    from peftcore.jobs.background import JobStatus
    from peftcore.runs.store import RunStore
    from peftcore.sweeps.grid import RunGrid
    from peftcore.sweeps.spec import SweepJob

components = typer.Typer(
    help="Which of a base's own weights are trained, what each gains, and how it explains."
)
app.add_typer(components, name="components")

METRICS = ("accuracy", "normalised_chrf", "ratio_chrf", "broken", "unexplained")


@components.command()
def count(
    base: Annotated[str, typer.Option(help="A base as in `list`, or a published one.")] = "tiny-t5",
    sets: options.Sets = None,
    preset: Annotated[
        str | None, typer.Option(help="A configuration of SparseFit's paper, by name.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Count all bases anew into assets, from their shapes.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Numbers of a choice of cells, as `--set cells=encoder.0.ffn,head`; else of every cell."""
    from peftcore.adapters import component_map

    if write:
        component_map.write_counts(_all_maps())
    base_map = component_map.find_map(base)
    if preset is not None and preset not in base_map.presets:
        raise BadInput(
            f"{base} has no configuration {preset!r}; it has {', '.join(base_map.presets)}"
        )
    settings = (
        base_map.presets[preset] if preset else options.spec_sections("sparsefit", sets)["settings"]
    )
    if not settings:
        _print_every_cell(base_map, as_json)
        return
    from peftcore.adapters.base import METHODS

    whole = METHODS["sparsefit"].Config.make(settings).model_dump(mode="json")
    cells = base_map.trained_cells(whole)
    counted = base_map.count(cells)
    value: dict[str, Any] = {
        "base": base,
        "trained": counted,
        "total": base_map.total,
        "percent": base_map.percent(counted),
        "settings": base_map.settings_for(cells) if cells else {},
        "cells": [name for name in base_map.sizes if name in cells],
    }
    line = f"{counted:,} of {base_map.total:,}, {base_map.percent(counted):.3f} %"
    printing.print_result(value, as_json, lambda: iter([line, *value["cells"]]))


def _print_every_cell(base_map: ComponentMap, as_json: bool) -> None:
    rows = [{"cell": name, "numbers": size} for name, size in base_map.sizes.items()]
    value = {"base": base_map.base, "total": base_map.total, "cells": rows}
    table = [(row["cell"], row["numbers"]) for row in rows]
    printing.print_result(value, as_json, lambda: printing.format_table(["cell", "numbers"], table))


def _all_maps() -> Iterator[ComponentMap]:
    """Of the embedded bases and of the published shapes."""
    from peftcore import paths
    from peftcore.adapters import component_map, parameter_counts
    from peftcore.models.base_model import load

    for folder in sorted((paths.ASSETS / "models").glob("*/model.safetensors")):
        if folder.parent.name in component_map.shipped_bases():
            yield component_map.map_of_base(load(folder.parent.name))
    for name in parameter_counts.published_bases():
        yield component_map.map_of_base(parameter_counts.meta_base(name))


@components.command()
def grid(
    kind: Annotated[str, typer.Argument(help="presets, kinds or layers.")] = "presets",
    base: options.Base = "tiny-t5",
    task: options.Task = "miniworld_nli",
    names: Annotated[
        str | None, typer.Option(help="Configurations of `presets`, with commas between them.")
    ] = None,
    shots: options.Shots = None,
    seeds: options.Seeds = None,
    steps: options.Steps = None,
    sets: options.Sets = None,
    metric: Annotated[str | None, typer.Option(help="What pairs and layers are judged by.")] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train those that are missing here and now.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", help="Train them in a process that outlives this one.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop that process; what was learnt is kept.")
    ] = False,
    ship: Annotated[
        bool, typer.Option("--ship", help="Copy what is done, without adapters, into assets.")
    ] = False,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Runs that train other subsets of the weights: scores, differences, and what is missing."""
    from peftcore.labs.components import grid as component_grid
    from peftcore.runs.store import RunStore

    options.use_data(data)
    spec = options.spec_from_options(
        base, task, "sparsefit", sets, shots=shots, seeds=seeds, steps=steps
    )
    presets = (
        component_grid.SHIPPED_PRESETS
        if names is None
        else [name.strip() for name in names.split(",")]
    )
    store = RunStore()
    subset_grid = component_grid.build_subset_grid(kind, spec, store, presets)
    sweep_job = component_grid.grid_job(subset_grid)
    if sweep_job and stop and sweep_job.status().busy:
        sweep_job.stop()
    if sweep_job and start:
        component_grid.start_grid_job(sweep_job, store)
    if sweep_job and train and subset_grid.missing:
        _train(sweep_job, store, device)
    subset_grid = component_grid.build_subset_grid(kind, spec, store, presets)
    if ship:
        component_grid.ship_grid_runs(subset_grid)
    _print_grid(subset_grid, sweep_job, metric, as_json)


def _train(sweep_job: SweepJob, store: RunStore, device: str) -> None:
    """Bring the grid's sweep to its end, or to where somebody stops it."""
    from peftcore.jobs.worker import resolve_device
    from peftcore.sweeps import execute
    from peftcore.sweeps import spec as sweep_spec
    from peftcore.sweeps.engines.local import LocalEngine, default_processes

    torch_device = resolve_device(device)
    signal.signal(signal.SIGTERM, lambda *_: sweep_job.stop())

    def tell(status: JobStatus) -> None:
        typer.echo(f"{status.done} of {status.of} runs trained", err=True)

    engine = LocalEngine(default_processes(torch_device), torch_device)
    try:
        own = sweep_spec.SweepJob.create_own(sweep_job.request)
        execute.run_sweep(own, engine, store, retry=True, report=tell)
    except BadInput as error:  # of a subset; the others are done, and the table tells
        typer.echo(f"Error: {error}", err=True)


def _print_grid(
    subset_grid: RunGrid, sweep_job: SweepJob | None, metric: str | None, as_json: bool
) -> None:
    from peftcore import tasks
    from peftcore.analysis import subsets
    from peftcore.labs.components import grid as component_grid

    table = subset_grid.table()
    main = metric or tasks.find_task(subset_grid.specs[0].task).main_metric
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
    judged = subset_grid.name == "layers"
    compared = (
        subsets.layer_effects(table, main, component_grid.ALL_WEIGHTS)
        if judged
        else subsets.subset_differences(table, main)
    )
    status = sweep_job.status() if sweep_job else None
    value = {
        "grid": subset_grid.name,
        "sweep": sweep_job.id if sweep_job else None,
        "state": status.state if status and status.updated else None,
        "missing": len(subset_grid.missing),
        "runs": state,
        "scores": json.loads(scores.to_json(orient="records")),
        "layers" if judged else "pairs": json.loads(compared.to_json(orient="records")),
    }

    def lines() -> Iterator[str]:
        if status and status.busy:
            yield f"sweep {value['sweep']}: {status.done} of {status.of} runs trained"
        yield from printing.format_table(
            ["subset", "state"], [(row["subset"], row["state"]) for row in state]
        )
        heads = ["name", "metric", "mean", "low", "high", "n", "trainable"]
        yield from printing.format_table(heads, scores[heads].to_numpy(dtype=object).tolist())
        if len(compared):
            columns = [str(name) for name in compared.columns]
            yield from printing.format_table(columns, compared.to_numpy(dtype=object).tolist())

    printing.print_result(value, as_json, lines)


@components.command()
def quality(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Finished runs.")],
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Flags on the explanations of runs, and how often gold explanations raise them."""
    from peftcore.analysis.explanations import FLAGS
    from peftcore.labs.components import explanation_quality
    from peftcore.labs.components import grid as component_grid
    from peftcore.runs.store import RunStore

    options.use_data(data)
    store, grid_store = RunStore(), component_grid.shipped_store()
    known = {run.id: run for run in grid_store.all()}
    opened = [known.get(run) or store.open(run) for run in runs]
    quality_by_run = {run.id: explanation_quality.evaluate_explanations(run) for run in opened}
    gold = {run.spec.task: explanation_quality.gold_flag_shares(run.spec.task) for run in opened}
    value: dict[str, Any] = {
        "runs": [
            {
                "run": run.id,
                "method": run.spec.method,
                "task": run.spec.task,
                "answers": len(quality_by_run[run.id].answers),
                "flags": quality_by_run[run.id].shares,
                "scores": quality_by_run[run.id].scores,
                "length_limit": quality_by_run[run.id].limit,
                "lengths_known": quality_by_run[run.id].tokens_counted,
                "reads_labels": quality_by_run[run.id].reads_labels,
            }
            for run in opened
        ],
        "gold": gold,
    }

    def lines() -> Iterator[str]:
        heads = ["run", *FLAGS, "sound"]
        rows = [
            [run, *(run_quality.shares[name] for name in heads[1:])]
            for run, run_quality in quality_by_run.items()
        ]
        rows += [[f"gold {task}", *(shares[n] for n in heads[1:])] for task, shares in gold.items()]
        yield from printing.format_table(heads, rows)

    printing.print_result(value, as_json, lines)
