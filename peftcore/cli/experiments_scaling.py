"""`experiment scaling`: the runs around a run of soft prompts that answer one question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from peftcore.analysis import comparison, scaling
from peftcore.cli import options
from peftcore.cli.experiments import experiment
from peftcore.cli.results import RunId
from peftcore.jobs import queue as run_queue
from peftcore.labs.scaling import ablations
from peftcore.labs.scaling.ablations import TransferGain
from peftcore.runs.store import RunStore
from peftcore.sweeps.grid import RunGrid
from peftcore.system import printing
from peftcore.tasks import find_task

Tasks = Annotated[str, typer.Option(help="Tasks of a transfer matrix, with commas between them.")]


@experiment.command("scaling")
def show_ablation(
    run: RunId,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="variants, lengths or shots of soft prompts; transfer, templates or explanations "
            "of any method.",
        ),
    ],
    tasks: Tasks = "",
    queue: Annotated[
        bool, typer.Option("--queue", help="Queue the runs that are missing.")
    ] = False,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Vary a run: the scales of a soft prompt, its length, examples, tasks, or what it reads."""
    options.use_data(data)
    store = RunStore()
    task_names = [part.strip() for part in tasks.split(",") if part.strip()]
    spec = store.open(run).spec
    ablation = ablations.build_ablation(name, spec, store, task_names)
    jobs = ablation.queue(run_queue.Queue()) if queue else []
    if jobs:
        run_queue.ensure_worker()
        ablation = ablations.build_ablation(name, spec, store, task_names)
    metrics = {cell.spec.task: find_task(cell.spec.task).main_metric for cell in ablation.cells}
    value: dict[str, Any] = {
        "study": name,
        "cells": _cells(ablation, metrics),
        "missing": [cell.name for cell in ablation.startable],
        "queued": [job.run_id for job in jobs],
    }
    if name == "transfer":
        value["transfer"] = [
            _transfer_value(each) for each in ablations.transfer_gains(ablation, metrics)
        ]
    printing.print_result(value, as_json, lambda: _ablation_lines(value))


def _cells(ablation: RunGrid, metrics: dict[str, str]) -> list[dict[str, Any]]:
    rows = []
    for cell, run in ablation.pairs:
        metric = metrics[cell.spec.task]
        values: Sequence[float] = run.scores().get(metric, []) if run else []
        estimate, spread = comparison.interval(values), scaling.seed_spread(values)
        rows.append(
            {
                "name": cell.name,
                "run": run.id if run else None,
                "state": run.status().state if run else "missing",
                "metric": metric,
                "mean": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "deviation": spread.deviation,
                "lowest": spread.lowest,
                "highest": spread.highest,
                "seeds": estimate.n,
            }
        )
    return rows


def _transfer_value(transfer: TransferGain) -> dict[str, Any]:
    return {
        "source": transfer.source,
        "target": transfer.target,
        "direct": transfer.direct,
        "started": transfer.started,
        "gain": transfer.gain.mean,
        "low": transfer.gain.low,
        "high": transfer.gain.high,
        "p": transfer.gain.p,
        "smallest_p": transfer.gain.smallest_p,
        "pairs": transfer.gain.n,
    }


def _ablation_lines(value: dict[str, Any]) -> Iterator[str]:
    names = ["name", "state", "run", "metric", "mean", "low", "high", "deviation", "seeds"]
    yield from printing.format_records(value["cells"], names)
    if fields := value.get("transfer"):
        yield ""
        heads = ["source", "target", "direct", "started", "gain", "low", "high", "p"]
        yield from printing.format_records(fields, heads)
    if value["queued"]:
        yield f"queued {len(value['queued'])} runs"
    elif value["missing"]:
        yield f"{len(value['missing'])} runs are missing; --queue starts them"
