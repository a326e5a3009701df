"""Commands that train many runs: sweeps from a file, and learning rates around a default."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options, run_scores
from peftcore.cli.training import train_or_load
from peftcore.errors import BadInput
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.jobs.background import JobStatus
    from peftcore.sweeps.engines.base import Engine
    from peftcore.sweeps.spec import Sweep
    from peftcore.sweeps.status import CellState


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(metavar="SPEC", help="File that describes it, as YAML.")],
    engine: Annotated[
        str | None, typer.Option(help="local: processes here; ray: a Ray cluster.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; it chooses that engine.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; otherwise one per core or GPU.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try parts again that failed.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Count cells, parts and minutes; train nothing.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            help="With --preview: count operations for a machine that sustains so many a second, "
            "instead of trying steps here; for bases of published shapes.",
        ),
    ] = None,
    machines: Annotated[
        list[int] | None, typer.Option(min=1, help="How many of those; repeat it for more.")
    ] = None,
    source: Annotated[int, typer.Option(min=1, help="Tokens a source has there.")] = 128,
    target: Annotated[int, typer.Option(min=1, help="Tokens an answer has there.")] = 32,
    against: Annotated[
        Path | None, typer.Option(help="Compare with the same sweep in this PEFTCORE_HOME instead.")
    ] = None,
    ship: Annotated[
        Path | None, typer.Option(help="Copy the finished runs here, without their adapters.")
    ] = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Train every method on every task and base with every setting; goes on where it stopped."""
    from peftcore.jobs.worker import resolve_device
    from peftcore.runs.store import RunStore
    from peftcore.sweeps import execute, results
    from peftcore.sweeps import spec as sweep_spec
    from peftcore.sweeps import status as sweep_status

    options.use_data(data)
    request = _with_engine_options(sweep_spec.read(file), engine, address, processes)
    if preview and rate:
        _extrapolate(request, rate, machines or [1], (source, target), as_json)
        return
    if preview:
        _preview(request, resolve_device(device), as_json)
        return
    if against:
        _compare(request, against, as_json)
        return
    if ship:
        runs = [run.id for run in results.ship_sweep_runs(request.cells(), RunStore(), ship)]
        printing.print_result({"runs": runs}, as_json, lambda: iter(runs))
        return
    sweep_job = sweep_spec.SweepJob.create_own(request)
    signal.signal(signal.SIGTERM, lambda *_: sweep_job.stop())
    shard_engine, store = _engine(request, device), RunStore()
    try:
        with printing.progress_bar("sweep") as report:
            execute.run_sweep(
                sweep_job,
                shard_engine,
                store,
                retry,
                lambda job_status: report(_progress(job_status)),
            )
    except BadInput as error:
        typer.echo(f"Error: {error}", err=True)
    states = sweep_status.cell_states(request.cells(), store)
    _print(sweep_job.id, sweep_job.status(), states, as_json)
    if sweep_job.status().state != "done":
        raise typer.Exit(1)


def _with_engine_options(
    request: Sweep, engine: str | None, address: str | None, processes: int | None
) -> Sweep:
    """The sweep with what the command line says of who does it."""
    from peftcore.sweeps.spec import EngineChoice

    overrides: dict[str, Any] = {"engine": "ray"} if address else {}
    for name, value in (("engine", engine), ("address", address), ("processes", processes)):
        overrides |= {} if value is None else {name: value}
    return request.model_copy(
        update={"where": EngineChoice.make(request.where.model_dump() | overrides)}
    )


def _engine(request: Sweep, device: str) -> Engine:
    from peftcore.jobs.worker import resolve_device

    if request.where.engine == "ray":  # whose nodes may have other devices than this machine
        from peftcore.sweeps.engines.ray import RayEngine

        return RayEngine(request.where.address, request.where.processes, device)
    from peftcore.sweeps.engines.local import LocalEngine, default_processes

    torch_device = resolve_device(device)
    return LocalEngine(request.where.processes or default_processes(torch_device), torch_device)


def _progress(status: JobStatus) -> Any:
    from peftcore.training.trainer import TrainingProgress

    return TrainingProgress(
        status.message, status.done, status.of, [], None, 0.0, status.seconds, status.left, []
    )


def _preview(request: Sweep, device: str, as_json: bool) -> None:
    """What it would take, by two trial steps of a part of each cell."""
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import RunStore
    from peftcore.sweeps import costs
    from peftcore.sweeps import status as sweep_status
    from peftcore.sweeps.engines.local import default_processes
    from peftcore.sweeps.engines.trainer_process import ShardTrainer
    from peftcore.training import planning

    trainer = ShardTrainer(device)

    def cost(spec: RunSpec) -> planning.Estimate | BadInput:
        try:
            base = trainer.base_model(spec.base)
            planning.check_spec(spec, base)
            return planning.estimate_cost(spec, base)
        except BadInput as error:
            return error

    states = sweep_status.cell_states(request.cells(), RunStore())
    processes = request.where.processes or default_processes(device)
    preview = costs.preview_cost(states, cost, processes)

    def lines() -> Iterator[str]:
        yield f"{preview.cells} cells, {preview.done} of them done; {preview.parts} parts to do"
        if preview.minutes is not None:
            yield f"about {preview.minutes:.1f} minutes with {processes} processes"
        yield from preview.problems

    printing.print_result(asdict(preview) | {"processes": processes}, as_json, lines)


def _extrapolate(
    request: Sweep, rate: float, machines: list[int], lengths: tuple[int, int], as_json: bool
) -> None:
    """What it would take on machines that are not here, by counting."""
    from peftcore.benchmarks import flops
    from peftcore.runs.store import RunStore
    from peftcore.sweeps import costs
    from peftcore.sweeps import status as sweep_status

    states = sweep_status.cell_states(request.cells_of_published_bases(), RunStore())
    token_lengths = flops.TokenLengths(*lengths)
    extrapolation = costs.extrapolate_cost(
        states, lambda s: flops.run_flops(s, token_lengths), rate, machines
    )

    def lines() -> Iterator[str]:
        yield (
            f"{extrapolation.parts} parts to do, {extrapolation.operations:.3g} operations, "
            "counted at sources of"
        )
        yield (
            f"{token_lengths.source} tokens and answers of {token_lengths.target}; at {rate:.3g} "
            "a second each:"
        )
        for number, hours in extrapolation.hours.items():
            yield f"  {number} machine{'s' * (number > 1)}: {hours:.3g} hours"

    inputs = {"rate": rate, "source": token_lengths.source, "target": token_lengths.target}
    printing.print_result(asdict(extrapolation) | inputs, as_json, lines)


def _compare(request: Sweep, other: Path, as_json: bool) -> None:
    """Whether two workspaces have the same results, seed by seed."""
    from peftcore.runs.store import RunStore
    from peftcore.sweeps import results

    if not (other / "runs").is_dir():
        raise BadInput(f"{other} has no folder of runs; name a PEFTCORE_HOME")
    comparisons = results.compare_stores(request.cells(), RunStore(), RunStore(other / "runs"))
    equal = all(each.largest == 0 for each in comparisons)

    def lines() -> Iterator[str]:
        heads = ["run", "method", "seeds", "largest difference", "same adapters"]
        rows = [
            (*list(asdict(e).values())[:-1], "yes" if e.adapters else "no") for e in comparisons
        ]
        yield from printing.format_table(heads, rows)
        yield "every score of every seed is equal" if equal else "they differ"

    printing.print_result(
        {"equal": equal, "cells": [asdict(e) for e in comparisons]}, as_json, lines
    )
    if not equal:
        raise typer.Exit(1)


def _print(name: str, status: JobStatus, states: list[CellState], as_json: bool) -> None:
    from peftcore.sweeps import status as sweep_status

    rows = sweep_status.status_table(states)
    failed = [
        {"run": part.spec.id, "cell": state.cell.spec.id, "message": part.message}
        for state in states
        for part in state.failed
    ]
    scored = [
        row | {"scores": run_scores.scores_with_intervals(state.run) if state.run else {}}
        for row, state in zip(rows, states, strict=True)
    ]
    value = {
        "sweep": name,
        "state": status.state,
        "cells": scored,
        "failed": failed,
        "seconds": round(status.seconds, 1),
    }

    def lines() -> Iterator[str]:
        heads = ["run", "base", "task", "method", "varied", "parts", "done", "state"]
        yield f"sweep {name}: {status.state}, {status.seconds:.0f} s"
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])
        yield from (f"failed {each['run']}: {each['message']}" for each in failed)

    printing.print_result(value, as_json, lines)


@app.command()
def rates(
    base: options.Base,
    task: options.Task,
    method: options.Method,
    chosen: Annotated[
        str | None,
        typer.Option("--rates", help="Learning rates, by commas; otherwise around the default."),
    ] = None,
    guided: Annotated[
        int | None,
        typer.Option(min=2, max=200, help="Try so many rates, each chosen by those before it."),
    ] = None,
    shots: options.Shots = None,
    seeds: options.Seeds = None,
    steps: options.Steps = None,
    sets: options.Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Try a few learning rates for a few steps; the lowest dev loss wins."""
    from peftcore.sweeps import learning_rate

    options.use_data(data)
    base_spec = options.spec_from_options(
        base, task, method, sets, shots=shots, seeds=seeds, steps=steps
    )
    step_option = {"steps": steps} if steps else {}
    if guided and chosen:
        raise BadInput("--guided chooses the rates itself; leave --rates out")
    if guided:
        trials = learning_rate.guided_search(
            base_spec, guided, lambda spec: train_or_load(spec, device), **step_option
        )
    else:
        specs = learning_rate.search_specs(
            base_spec, learning_rate.parse_learning_rates(chosen) if chosen else None, **step_option
        )
        trials = learning_rate.finished_trials([train_or_load(spec, device) for spec in specs])
    best = learning_rate.best_trial(trials)
    value = {
        "best": None if best is None else best.learning_rate,
        "rates": [asdict(outcome) for outcome in trials],
    }

    def lines() -> Iterator[str]:
        heads = ["learning rate", "dev loss", "stopped seeds", "run", ""]
        rows = [
            (o.learning_rate, o.dev_loss, o.stopped, o.run, "best" if o is best else "")
            for o in trials
        ]
        yield from printing.format_table(heads, rows)

    printing.print_result(value, as_json, lines)
