"""Commands about components: count what is trained, lay out grids, judge explanations."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.commands import app, asking, printing
from peftcore.errors import BadInput

if TYPE_CHECKING:
    from peftcore.component_grids import Grid
    from peftcore.component_map import ComponentMap
    from peftcore.measurements import Status
    from peftcore.runs import RunStore
    from peftcore.sweeping import SweepWork

components = typer.Typer(
    help="Which of a base's own weights are trained, what each gains, and how it explains."
)
app.add_typer(components, name="components")

METRICS = ("accuracy", "normalised_chrf", "ratio_chrf", "broken", "unexplained")


@components.command()
def count(
    base: Annotated[str, typer.Option(help="A base as in `list`, or a published one.")] = "tiny-t5",
    sets: asking.Sets = None,
    preset: Annotated[
        str | None, typer.Option(help="A configuration of SparseFit's paper, by name.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Count all bases anew into assets, from their shapes.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Numbers of a choice of cells, as `--set cells=encoder.0.ffn,head`; else of every cell."""
    from peftcore import component_map

    if write:
        component_map.write(_all_maps())
    found = component_map.find(base)
    if preset is not None and preset not in found.presets:
        raise BadInput(f"{base} has no configuration {preset!r}; it has {', '.join(found.presets)}")
    settings = found.presets[preset] if preset else asking.parts("sparsefit", sets)["settings"]
    if not settings:
        _every_cell(found, as_json)
        return
    from peftcore.methods.base import METHODS

    whole = METHODS["sparsefit"].Config.make(settings).model_dump(mode="json")
    cells = found.chosen(whole)
    counted = found.count(cells)
    value: dict[str, Any] = {
        "base": base,
        "trained": counted,
        "total": found.total,
        "percent": found.percent(counted),
        "settings": found.settings(cells) if cells else {},
        "cells": [name for name in found.sizes if name in cells],
    }
    line = f"{counted:,} of {found.total:,}, {found.percent(counted):.3f} %"
    printing.show(value, as_json, lambda: iter([line, *value["cells"]]))


def _every_cell(found: ComponentMap, as_json: bool) -> None:
    rows = [{"cell": name, "numbers": size} for name, size in found.sizes.items()]
    value = {"base": found.base, "total": found.total, "cells": rows}
    table = [(row["cell"], row["numbers"]) for row in rows]
    printing.show(value, as_json, lambda: printing.table(["cell", "numbers"], table))


def _all_maps() -> Iterator[ComponentMap]:
    """Of the embedded bases and of the published shapes."""
    from peftcore import component_map, places, published
    from peftcore.base import load

    for folder in sorted((places.ASSETS / "models").glob("*/model.safetensors")):
        if folder.parent.name in component_map.shipped():
            yield component_map.of_base(load(folder.parent.name))
    for name in published.names():
        yield component_map.of_base(published.shape(name))


@components.command()
def grid(
    kind: Annotated[str, typer.Argument(help="presets, kinds or layers.")] = "presets",
    base: asking.Base = "tiny-t5",
    task: asking.Task = "miniworld_nli",
    names: Annotated[
        str | None, typer.Option(help="Configurations of `presets`, with commas between them.")
    ] = None,
    shots: asking.Shots = None,
    seeds: asking.Seeds = None,
    steps: asking.Steps = None,
    sets: asking.Sets = None,
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
    data: asking.Data = None,
    device: asking.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Runs that train other subsets of the weights: scores, differences, and what is missing."""
    from peftcore import component_grids
    from peftcore.runs import RunStore

    asking.use_data(data)
    spec = asking.spec(base, task, "sparsefit", sets, shots=shots, seeds=seeds, steps=steps)
    asked = component_grids.FEW if names is None else [name.strip() for name in names.split(",")]
    store = RunStore()
    found = component_grids.grid(kind, spec, store, asked)
    work = component_grids.work(found)
    if work and stop and work.status().busy:
        work.stop()
    if work and start:
        component_grids.start(work, store)
    if work and train and found.missing:
        _train(work, store, device)
    found = component_grids.grid(kind, spec, store, asked)
    if ship:
        component_grids.ship(found)
    _print_grid(found, work, metric, as_json)


def _train(work: SweepWork, store: RunStore, device: str) -> None:
    """Bring the grid's sweep to its end, or to where somebody stops it."""
    from peftcore import sweep_work, sweeping
    from peftcore.engines.local import LocalEngine, default_processes
    from peftcore.worker import resolve

    place = resolve(device)
    signal.signal(signal.SIGTERM, lambda *_: work.stop())

    def tell(status: Status) -> None:
        typer.echo(f"{status.done} of {status.of} runs trained", err=True)

    engine = LocalEngine(default_processes(place), place)
    try:
        own = sweeping.SweepWork.own(work.ask)
        sweep_work.carry_out(own, engine, store, retry=True, report=tell)
    except BadInput as error:  # of a subset; the others are done, and the table tells
        typer.echo(f"Error: {error}", err=True)


def _print_grid(found: Grid, work: SweepWork | None, metric: str | None, as_json: bool) -> None:
    from peftcore import component_grids, tasks
    from peftcore.analysis import subsets

    table = found.table()
    main = metric or tasks.find(found.subsets[0].spec.task).main_metric
    shown = [name for name in dict.fromkeys((main, *METRICS)) if name in table]
    scores = subsets.grid(table, shown)
    state = [
        {
            "subset": one.name,
            "run": one.spec.id,
            "state": run.status().state if run else "not trained",
            "settings": one.spec.settings,
        }
        for one, run in zip(found.subsets, found.runs, strict=True)
    ]
    judged = found.kind == "layers"
    compared = (
        subsets.layers(table, main, component_grids.WHOLE) if judged else subsets.pairs(table, main)
    )
    status = work.status() if work else None
    value = {
        "grid": found.kind,
        "sweep": work.id if work else None,
        "state": status.state if status and status.updated else None,
        "missing": len(found.missing),
        "runs": state,
        "scores": json.loads(scores.to_json(orient="records")),
        "layers" if judged else "pairs": json.loads(compared.to_json(orient="records")),
    }

    def lines() -> Iterator[str]:
        if status and status.busy:
            yield f"sweep {value['sweep']}: {status.done} of {status.of} runs trained"
        yield from printing.table(
            ["subset", "state"], [(row["subset"], row["state"]) for row in state]
        )
        heads = ["name", "metric", "mean", "low", "high", "n", "trainable"]
        yield from printing.table(heads, scores[heads].to_numpy(dtype=object).tolist())
        if len(compared):
            columns = [str(name) for name in compared.columns]
            yield from printing.table(columns, compared.to_numpy(dtype=object).tolist())

    printing.show(value, as_json, lines)


@components.command()
def quality(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Finished runs.")],
    data: asking.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Flags on the explanations of runs, and how often gold explanations raise them."""
    from peftcore import component_grids, explaining
    from peftcore.analysis.explanations import FLAGS
    from peftcore.runs import RunStore

    asking.use_data(data)
    store, shelf = RunStore(), component_grids.shelf()
    known = {run.id: run for run in shelf.all()}
    opened = [known.get(run) or store.open(run) for run in runs]
    found = {run.id: explaining.quality(run) for run in opened}
    gold = {run.spec.task: explaining.gold_shares(run.spec.task) for run in opened}
    value: dict[str, Any] = {
        "runs": [
            {
                "run": run.id,
                "method": run.spec.method,
                "task": run.spec.task,
                "answers": len(found[run.id].answers),
                "flags": found[run.id].shares,
                "scores": found[run.id].scores,
                "length_limit": found[run.id].limit,
                "lengths_known": found[run.id].counted,
                "reads_labels": found[run.id].reads_labels,
            }
            for run in opened
        ],
        "gold": gold,
    }

    def lines() -> Iterator[str]:
        heads = ["run", *FLAGS, "sound"]
        rows = [[run, *(made.shares[name] for name in heads[1:])] for run, made in found.items()]
        rows += [[f"gold {task}", *(shares[n] for n in heads[1:])] for task, shares in gold.items()]
        yield from printing.table(heads, rows)

    printing.show(value, as_json, lines)
