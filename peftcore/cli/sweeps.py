"""Commands that train many runs: sweeps from a file, and learning rates around a default."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore.benchmarks import flops
from peftcore.cli import app, options, run_scores
from peftcore.cli.groups import DefaultGroup
from peftcore.cli.training import train_or_load
from peftcore.errors import BadInput
from peftcore.jobs import foreground
from peftcore.jobs.background import JobStatus
from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.sweeps import costs, execute, learning_rate, results, tuning_budget
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.engines import slurm_programs
from peftcore.sweeps.engines.base import Engine
from peftcore.sweeps.engines.local import LocalEngine, default_processes
from peftcore.sweeps.engines.slurm import SlurmEngine
from peftcore.sweeps.engines.slurm_programs import SlurmSite
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import EngineChoice, Sweep, SweepJob
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training import planning
from peftcore.training.planning import CostEstimate

sweep = typer.Typer(cls=DefaultGroup)
app.add_typer(
    sweep, name="sweep", help="Train many runs from a file; `sweep FILE` is `sweep run FILE`."
)

SweepFile = Annotated[
    Path, typer.Argument(metavar="SPEC", help="File that describes the sweep, as YAML.")
]
Processes = Annotated[
    int | None, typer.Option(min=1, help="Processes at once; otherwise one per core or GPU.")
]


@dataclass(frozen=True)
class EngineOptions:
    """Engine of a sweep, in place of what its file says."""

    engine: Annotated[
        str | None, typer.Option(help="local: processes here; ray: a Ray cluster; slurm: an array.")
    ] = None
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; it chooses that engine.")
    ] = None
    processes: Processes = None

    def apply(self, request: Sweep) -> Sweep:
        """Put what was chosen in place of what the file says."""
        chosen = _given(self)
        ray = {"engine": "ray"} if self.address else {}
        where = EngineChoice.make(request.where.model_dump() | ray | chosen)
        return request.model_copy(update={"where": where})


@dataclass(frozen=True)
class SlurmOptions:
    """Resources of a part on a Slurm cluster, in place of what the file says."""

    partition: Annotated[str | None, typer.Option(help="Slurm: partition.")] = None
    account: Annotated[str | None, typer.Option(help="Slurm: account.")] = None
    qos: Annotated[str | None, typer.Option(help="Slurm: quality of service.")] = None
    time: Annotated[
        str | None, typer.Option(help="Slurm: longest time of a part, as 90 or 2-12:00:00.")
    ] = None
    memory: Annotated[str | None, typer.Option(help="Slurm: memory of a part, as 8G.")] = None
    gpus: Annotated[int | None, typer.Option(help="Slurm: GPUs of a part.")] = None
    cpus: Annotated[int | None, typer.Option(help="Slurm: processors of a part.")] = None

    def apply(self, request: Sweep) -> Sweep:
        """Put what was chosen in place of what the file says; BadInput for another engine."""
        chosen = _given(self)
        if chosen and request.where.engine != "slurm":
            raise BadInput(f"--{next(iter(chosen))} is for --engine slurm")
        site = SlurmSite.make(request.where.slurm.model_dump() | chosen)
        where = request.where.model_copy(update={"slurm": site})
        return request.model_copy(update={"where": where})


def _given(chosen: EngineOptions | SlurmOptions) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in asdict(chosen).items() if value is not None}


@sweep.command("run")
@grouped
def run_sweep(
    file: SweepFile,
    engine: EngineOptions,
    slurm: SlurmOptions,
    resources: options.Resources,
    retry: Annotated[bool, typer.Option("--retry", help="Try parts again that failed.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Train every method on every task and base with every setting; goes on where it stopped."""
    resources.use_data()
    job = SweepJob.create_own(slurm.apply(engine.apply(sweep_spec.read(file))))
    with foreground.counted(SweepJob.KIND, job, job.request, SweepJob.LANE):
        train_sweep(job, _engine(job, resources.device), retry)
    _print_status(job.request, as_json)
    if job.status().state != "done":
        raise typer.Exit(1)


def train_sweep(job: SweepJob, engine: Engine, retry: bool) -> None:
    """Bring a sweep to its end, or to where somebody stops it; says what failed and goes on."""
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    try:
        with printing.job_bar("sweep") as report:
            execute.run_sweep(job, engine, RunStore(), retry, report)
    except BadInput as error:
        typer.echo(f"Error: {error}", err=True)


@sweep.command("status")
def show_status(
    file: SweepFile, data: options.Data = None, as_json: printing.AsJson = False
) -> None:
    """Show how every run of a sweep stands, and train nothing."""
    options.use_data(data)
    _print_status(sweep_spec.read(file), as_json)


@sweep.command("preview")
@grouped
def preview_sweep(
    file: SweepFile,
    resources: options.Resources,
    processes: Processes = None,
    as_json: printing.AsJson = False,
) -> None:
    """Count runs, parts and minutes, by a trial of a part of each run."""
    resources.use_data()
    request, device = sweep_spec.read(file), resources.torch_device()
    trainer = ShardTrainer(device)

    def cost(spec: RunSpec) -> CostEstimate | BadInput:
        from peftcore.training.estimate import estimate_cost  # brings torch

        try:
            base = trainer.base_model(spec.base)
            planning.check_spec(spec, base)
            return estimate_cost(spec, base)
        except BadInput as error:
            return error

    states = sweep_status.cell_states(request.cells(), RunStore())
    at_once = processes or request.where.processes or default_processes(device)
    preview = costs.preview_cost(states, cost, at_once)

    def lines() -> Iterator[str]:
        yield f"{preview.cells} cells, {preview.done} of them done; {preview.parts} parts to do"
        if preview.minutes is not None:
            yield f"about {preview.minutes:.1f} minutes with {at_once} processes"
        yield from preview.problems

    printing.print_result(asdict(preview) | {"processes": at_once}, as_json, lines)


@sweep.command("extrapolate")
def extrapolate_sweep(
    file: SweepFile,
    rate: Annotated[
        float, typer.Option(min=1.0, help="Operations a second that a machine sustains.")
    ],
    machines: Annotated[
        list[int] | None, typer.Option(min=1, help="How many of those; repeat it for more.")
    ] = None,
    source: Annotated[int, typer.Option(min=1, help="Tokens a source has there.")] = 128,
    target: Annotated[int, typer.Option(min=1, help="Tokens an answer has there.")] = 32,
    as_json: printing.AsJson = False,
) -> None:
    """Count operations, and hours on machines that are not here; for bases of published shapes."""
    states = sweep_status.cell_states(sweep_spec.read(file).cells_of_published_bases(), RunStore())
    lengths = flops.TokenLengths(source, target)
    found = costs.extrapolate_cost(
        states, lambda spec: flops.run_flops(spec, lengths), rate, machines or [1]
    )

    def lines() -> Iterator[str]:
        yield f"{found.parts} parts to do, {found.operations:.3g} operations, counted at sources of"
        yield f"{source} tokens and answers of {target}; at {rate:.3g} a second each:"
        for number, hours in found.hours.items():
            yield f"  {number} machine{'s' * (number > 1)}: {hours:.3g} hours"

    inputs = {"rate": rate, "source": source, "target": target}
    printing.print_result(asdict(found) | inputs, as_json, lines)


@sweep.command("compare")
def compare_sweep(
    file: SweepFile,
    against: Annotated[Path, typer.Option(help="PEFTCORE_HOME where the same sweep was done.")],
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Check whether two workspaces have the same results, seed by seed; status 1 if not."""
    options.use_data(data)
    if not (against / "runs").is_dir():
        raise BadInput(f"{against} has no folder of runs; name a PEFTCORE_HOME")
    cells = sweep_spec.read(file).cells()
    comparisons = results.compare_stores(cells, RunStore(), RunStore(against / "runs"))
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


def _engine(job: SweepJob, device: str) -> Engine:
    request = job.request
    if request.where.engine == "slurm":
        if not slurm_programs.found():
            raise BadInput(
                "there is no sbatch on this machine: start the sweep where Slurm takes jobs, or "
                "choose --engine local"
            )
        return SlurmEngine(
            job.folder,
            request.where.slurm,
            request.where.processes,
            device,
            lambda text: _say(job, text),
        )
    if request.where.engine == "ray":  # whose nodes may have other devices than this machine
        from peftcore.sweeps.engines.ray import RayEngine  # an extra requirement

        return RayEngine(request.where.address, request.where.processes, device)
    torch_device = resolve_device(device)
    return LocalEngine(request.where.processes or default_processes(torch_device), torch_device)


def _say(job: SweepJob, text: str) -> None:
    """Keep how a cluster stands where the page reads it, and print it."""
    job.write_status(message=text)
    typer.echo(text, err=True)


def _print_status(request: Sweep, as_json: bool) -> None:
    job = SweepJob.find(request)
    status = job.status() if job else JobStatus()
    states = sweep_status.cell_states(request.cells(), RunStore())
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
        "sweep": request.id,
        "state": status.state,
        "cells": scored,
        "failed": failed,
        "seconds": round(status.seconds, 1),
    }

    def lines() -> Iterator[str]:
        heads = ["run", "base", "task", "method", "varied", "parts", "done", "state"]
        yield f"sweep {request.id}: {status.state}, {status.seconds:.0f} s"
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])
        yield from (f"failed {each['run']}: {each['message']}" for each in failed)

    printing.print_result(value, as_json, lines)


@app.command("lr-search")
@grouped
def search_learning_rate(
    spec: options.SpecOptions,
    resources: options.Resources,
    chosen: Annotated[
        str | None,
        typer.Option("--rates", help="Learning rates, by commas; otherwise around the default."),
    ] = None,
    guided: Annotated[
        int | None,
        typer.Option(min=2, max=200, help="Try so many rates, each chosen by those before it."),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Try a few learning rates for a few steps; the lowest dev loss wins."""
    if guided and chosen:
        raise BadInput("--guided chooses the rates itself; leave --rates out")
    resources.use_data()
    base_spec = spec.build()
    steps = {"steps": spec.steps or min(learning_rate.SEARCH_STEPS, base_spec.training.steps)}

    def train(each: RunSpec) -> Any:
        return train_or_load(each, resources.device)

    if guided:
        trials = learning_rate.guided_search(base_spec, guided, train, **steps)
    else:
        rates = learning_rate.parse_learning_rates(chosen) if chosen else None
        specs = learning_rate.search_specs(base_spec, rates, **steps)
        trials = learning_rate.finished_trials([train(each) for each in specs])
    best = learning_rate.best_trial(trials)
    value = {
        "best": None if best is None else best.learning_rate,
        "rates": [asdict(outcome) for outcome in trials],
        "expected_best": [
            tuning_budget.expected_best([trial.dev_loss for trial in trials], tries)[0]
            for tries in range(1, len(trials) + 1)
        ],
    }

    def lines() -> Iterator[str]:
        heads = ["learning rate", "dev loss", "stopped seeds", "run", ""]
        rows = [
            (o.learning_rate, o.dev_loss, o.stopped, o.run, "best" if o is best else "")
            for o in trials
        ]
        yield from printing.format_table(heads, rows)

    printing.print_result(value, as_json, lines)


@app.command("tuning-budget")
def show_tuning_budget(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs.")],
    as_json: printing.AsJson = False,
) -> None:
    """Show how many learning rates each run's method was tried at, and what k of them bring.

    Tries are finished runs that differ in the learning rate alone, as `lr-search` makes them.
    """
    store = RunStore()
    known, chosen = store.all(), [store.open(run) for run in runs]
    budgets = [tuning_budget.find_budget(run, known) for run in chosen]
    curves = tuning_budget.budget_curves(budgets)
    names = {run.id: f"{run.spec.method} ({run.id})" for run in chosen}
    value = {
        "tries": {budget.run: budget.tries for budget in budgets},
        "expected_best": curves.to_dict("records"),
    }

    def lines() -> Iterator[str]:
        yield tuning_budget.describe_tries(budgets, names)
        yield from printing.format_records(curves)

    printing.print_result(value, as_json, lines)
