"""Commands that compute: train, params, demos, pretrain."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options, run_scores
from peftcore.errors import BadInput
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.adapters.parameter_counts import Row
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import Run, Status

Queued = Annotated[bool, typer.Option("--queue", help="Leave it to a worker, and return.")]
Again = Annotated[bool, typer.Option("--again", help="Train even if the run is done.")]


@app.command()
def train(
    base: options.Base,
    task: options.Task,
    method: options.Method,
    shots: options.Shots = None,
    seeds: options.Seeds = None,
    steps: options.Steps = None,
    vertices: options.Vertices = None,
    learning_rate: options.Rate = None,
    start: options.Start = None,
    sets: options.Sets = None,
    data: options.Data = None,
    device: options.Device = "auto",
    queue: Queued = False,
    again: Again = False,
    as_json: printing.AsJson = False,
) -> None:
    """Train one method on one task, and score it.  A run that is done is not trained again."""
    options.use_data(data)
    spec = options.spec(
        base,
        task,
        method,
        sets,
        start,
        shots=shots,
        seeds=seeds,
        steps=steps,
        vertices=vertices,
        learning_rate=learning_rate,
    )
    if queue:
        _enqueue(spec, device, again, as_json)
        return
    run = trained(spec, device, again)
    _print(run, as_json)
    if run.status().state != "done":
        typer.echo(f"{run.status().message}.  Resume it by the same command.", err=True)
        raise typer.Exit(1)


def _enqueue(spec: RunSpec, device: str, again: bool, as_json: bool) -> None:
    from peftcore.jobs.queue import Queue, ensure_worker

    queue = Queue()
    if again:
        _fresh(spec)
    job = queue.submit(spec, device=device)
    if job.live:
        ensure_worker(device, queue)
    value = {"run": job.run_id, "job": job.id, "state": job.state}
    printing.show(value, as_json, lambda: iter([f"run {job.run_id}: {job.state}"]))


def _fresh(spec: RunSpec) -> Run:
    """The run of a spec as if it had never been trained."""
    from peftcore.runs.store import RunStore

    run = RunStore().create(spec, demo=False)
    with run.hold():
        run.clear()
    return run


def trained(spec: RunSpec, device: str, again: bool = False) -> Run:
    """The finished run of a spec, or what there is of it after Ctrl+C."""
    from peftcore.runs.store import RunStore

    store = RunStore()
    found = store.find(spec)
    if found and found.status().state == "done" and not again:
        typer.echo(f"Run {found.id} is done already; --again trains it again.", err=True)
        return found
    from peftcore.jobs.worker import resolve

    place = resolve(device)
    return _worked(_fresh(spec) if again else store.create(spec), place)


def _worked(run: Run, place: str) -> Run:
    """The run after training it here, with a bar on a terminal."""
    from peftcore.jobs.worker import Failed, attempt

    def work() -> Status:
        from peftcore.training.run_training import perform

        with printing.bar(run.spec.method) as report, _interrupting() as stop:
            return perform(run, device=place, report=report, stop=stop.is_set)

    try:
        attempt(run, work)
    except Failed as error:
        typer.echo(f"Error: run {run.id}: {error} It is in {run.folder / 'log.txt'}.", err=True)
        raise typer.Exit(1) from None
    return run


@contextmanager
def _interrupting() -> Iterator[threading.Event]:
    """Ctrl+C asks the training to stop and keep what was learnt; a second one ends it."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def once(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, once)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _print(run: Run, as_json: bool) -> None:
    status, found = run.status(), run_scores.scores(run)
    value = {
        "run": run.id,
        "scores": found,
        "seconds": round(status.seconds, 2),
        "trainable": status.trainable,
    }

    def lines() -> Iterator[str]:
        yield f"run {run.id}: {status.state}, {status.seconds:.0f} s, {status.trainable} trainable"
        yield from run_scores.score_lines(found)

    printing.show(value, as_json, lines)


@app.command()
def params(
    base: Annotated[
        str | None, typer.Option(help="Base model, or a published one such as t5-large.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Method, as in `list`.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task; it matters only to methods with a head.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Method to count on every published base instead.")
    ] = None,
    sets: options.Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Count what a method would train on a base, for one seed; no weights are loaded for it."""
    from peftcore.adapters import parameter_counts
    from peftcore.training import planning

    if table:
        if base or method or sets:
            raise BadInput("--table counts one method on all published bases; leave the rest out")
        _print_table(parameter_counts.table(table), as_json)
        return
    if not base or not method:
        raise BadInput("params takes --base and --method, or --table")
    spec, model = _shape(base, task, method, sets)
    trainable, total = planning.sizes(spec, model)
    percent = round(100 * trainable / total, 6)
    value: dict[str, Any] = {"trainable": trainable, "total": total, "percent": percent}
    note = parameter_counts.NOTES.get(model.name, "") if not model.fingerprint else ""
    value |= {"note": note} if note else {}
    say = f"{trainable} of {total} parameters are trained: {percent:.4g} %"
    printing.show(value, as_json, lambda: iter([say, note] if note else [say]))


def _shape(
    base: str, task: str | None, method: str, sets: list[str] | None
) -> tuple[RunSpec, BaseModel]:
    """A spec and its base; a published one, unless there is one of that name here, has no data."""
    from peftcore import tasks
    from peftcore.adapters import parameter_counts
    from peftcore.models import catalog
    from peftcore.models.base_model import load
    from peftcore.runs.spec import RunSpec

    task = task or _any_task(tasks.names())
    if base in catalog.folders() or base not in parameter_counts.names():
        return options.spec(base, task, method, sets), load(base)
    asked = {"base": base, "task": task, "method": method, **options.parts(method, sets)}
    return RunSpec.make(asked), parameter_counts.shape(base)


def _print_table(rows: list[Row], as_json: bool) -> None:
    def lines() -> Iterator[str]:
        heads = ["base", "configuration", "trainable", "total", "percent"]
        yield from printing.table(heads, [tuple(asdict(row).values()) for row in rows])

    value = [asdict(row) | {"percent": round(row.percent, 6)} for row in rows]
    printing.show(value, as_json, lines)


def _any_task(names: list[str]) -> str:
    """A task with labels, so that encoders have something to count a head for."""
    from peftcore import tasks

    return next(name for name in names if tasks.find(name).labels)


@app.command()
def demos(
    out: Annotated[
        Path | None, typer.Option(help="Folder to write them to; otherwise where they ship.")
    ] = None,
    studies: Annotated[
        bool, typer.Option("--studies", help="Those of the Scaling page's studies instead.")
    ] = False,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Make the runs that ship with the project again."""
    from peftcore import paths
    from peftcore.experiments.demo_runs import make, study_specs
    from peftcore.jobs.worker import resolve
    from peftcore.runs.store import RunStore

    place = resolve(device)
    wanted = study_specs(RunStore()) if studies else None
    folder = out or paths.ASSETS / ("study_runs" if studies else "demo_runs")
    made = make(folder, lambda run: _worked(run, place), wanted)
    value = [{"run": r.id, "method": r.spec.method, "scores": run_scores.scores(r)} for r in made]
    printing.show(value, as_json, lambda: (f"run {r.id}: {r.spec.method}" for r in made))


@app.command()
def pretrain(
    name: Annotated[str, typer.Argument(help="Embedded base to make.")],
    out: Annotated[Path, typer.Option(help="Folder to write it to.")],
    tokens: Annotated[
        int | None, typer.Option(help="How many tokens to read; empty takes the base's own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides data, order and initial weights.")] = 0,
    start: Annotated[
        Path | None, typer.Option(help="Folder of an earlier version to go on from.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Make one of the embedded base models from nothing."""
    from peftcore.pretraining.text import TOKENS
    from peftcore.pretraining.text import pretrain as make

    def report(measured: dict[str, Any]) -> None:
        if sys.stderr.isatty():
            typer.echo(json.dumps(measured), err=True)

    result = make(name, out, TOKENS.get(name, 1) if tokens is None else tokens, seed, report, start)
    (out / "measured.json").write_text(json.dumps(result, indent=2), "utf-8")
    flat = {key: value for key, value in result.items() if not isinstance(value, list)}
    printing.show(result, as_json, lambda: (f"{key}: {value}" for key, value in flat.items()))
