"""Commands that compute: train, params, pretrain."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.adapters import parameter_counts
from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.adapters.parameter_counts import ParameterCount
from peftcore.adapters.trained_parts import HEAD, TrainedPart, planned_parts
from peftcore.api import training as api
from peftcore.api.bases import load_base
from peftcore.cli import app, options, run_scores
from peftcore.errors import BadInput
from peftcore.jobs import foreground
from peftcore.jobs import queue as run_queue
from peftcore.jobs.worker import resolve_device
from peftcore.models import catalog
from peftcore.pretraining.text import TOKENS, pretrain_base
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.system import printing, server_limits
from peftcore.system.job_folder import JobFailed
from peftcore.system.option_groups import grouped
from peftcore.training import label_check, planning, presets
from peftcore.training.label_check import LabelCheck

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

LARGE_SHARE = 10  # a run of more than a tenth of the limit is announced with its estimate

Queued = Annotated[bool, typer.Option("--queue", help="Leave it to a worker, and return.")]
Again = Annotated[bool, typer.Option("--again", help="Train even if the run is done.")]


@dataclass(frozen=True)
class TrainOptions(options.SpecOptions):
    """Options that decide a run of `train`."""

    vertices: options.Vertices = None
    learning_rate: options.Rate = None
    start: options.Start = None


@app.command()
@grouped
def train(
    spec: TrainOptions,
    resources: options.Resources,
    queue: Queued = False,
    again: Again = False,
    as_json: printing.AsJson = False,
) -> None:
    """Train one method on one task, and score it.  A run that is done is not trained again."""
    resources.use_data()
    wanted = spec.build()
    if not queue:
        resources.torch_device()  # which may refuse, before anything is remarked on
    if note := _size_note(spec, wanted):
        typer.echo(note, err=True)
    checked = label_check.check_labels(wanted.base, wanted.task, wanted.training.label_words)
    if checked and not checked.is_fair:
        typer.echo(f"{checked.in_words()} --label-word LABEL=WORD asks in a word.", err=True)
    if note := _long_note(wanted):
        typer.echo(note, err=True)
    if queue:
        _enqueue(wanted, resources.device, again, as_json)
        return
    run = train_or_load(wanted, resources.device, again)
    _print_run(run, as_json, checked)
    if run.status().state != "done":
        typer.echo(f"{run.status().message}.  Resume it by the same command.", err=True)
        raise typer.Exit(1)


def _size_note(options_given: TrainOptions, spec: RunSpec) -> str:
    """Say what a large base was given where nothing was asked for, since defaults differ there."""
    parameters = planning.parameters_of_base(spec.base)
    if parameters < LARGE_BASE or options_given.preset:
        return ""
    size = presets.find_preset(presets.USUAL, parameters)
    return (
        f"{spec.base} has {parameters / 1e6:.0f} M numbers; what is not set is that of its usual "
        f"size ({size.text()}). --preset quick or thorough takes another."
    )


def _long_note(spec: RunSpec) -> str:
    """Say of a large run, before it starts, how long it will take, how large it may be, and why."""
    size, limit = planning.check_size(spec), server_limits.SEED_STEPS
    if size * LARGE_SHARE < limit.value or api.finished_run(spec):
        return ""
    from peftcore.training.estimate import estimate_cost

    cost = estimate_cost(spec, load_base(spec.base))
    return (
        f"{size:,} of at most {limit.value:,} {limit.unit} ({limit.variable}): about "
        f"{(cost.seconds or 0) / 60:,.0f} minutes, {cost.memory_bytes / 1e9:.1f} GB of memory. "
        "Ctrl+C stops it within one step, and what was learnt is kept."
    )


def _enqueue(spec: RunSpec, device: str, again: bool, as_json: bool) -> None:
    queue = run_queue.Queue()
    if again:
        api.prepare_run(spec, again=True)
    job = queue.submit(spec, device=device)
    if job.active:
        run_queue.ensure_worker(device, queue)
    value = {"run": job.run_id, "job": job.id, "state": job.state}
    printing.print_result(value, as_json, lambda: iter([f"run {job.run_id}: {job.state}"]))


def train_or_load(spec: RunSpec, device: str, again: bool = False) -> Run:
    """Train the run of a spec unless it is done; after Ctrl+C it is what there is by then."""
    existing = None if again else api.finished_run(spec)
    if existing:
        typer.echo(f"Run {existing.id} is done already; --again trains it again.", err=True)
        return existing
    torch_device = resolve_device(device)  # which may refuse, before there is a run
    return train_here(api.prepare_run(spec, again), torch_device)


def train_here(run: Run, torch_device: str) -> Run:
    """Train a run in this process, with a bar on a terminal."""
    try:
        with (
            foreground.counted("train", run, run.spec, torch_device),
            printing.progress_bar(run.spec.method) as report,
            _stop_on_ctrl_c() as stop,
        ):
            api.train_run(run, torch_device, report=report, stop=stop.is_set)
    except JobFailed as error:
        typer.echo(f"Error: run {run.id}: {error} It is in {run.folder / 'log.txt'}.", err=True)
        raise typer.Exit(1) from None
    return run


@contextmanager
def _stop_on_ctrl_c() -> Iterator[threading.Event]:
    """Let Ctrl+C ask the training to stop and keep what was learnt; a second one ends it."""
    stop_requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop_requested
        return

    def once(*_: Any) -> None:
        stop_requested.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, once)
    try:
        yield stop_requested
    finally:
        signal.signal(signal.SIGINT, before)


def _print_run(run: Run, as_json: bool, labels: LabelCheck | None) -> None:
    status, by_metric = run.status(), run_scores.scores_with_intervals(run, "this task")
    value = {
        "run": run.id,
        "scores": by_metric,
        "seconds": round(status.seconds, 2),
        "trainable": status.trainable,
        "labels": labels and labels.as_values(),
    }

    def lines() -> Iterator[str]:
        yield f"run {run.id}: {status.state}, {status.seconds:.0f} s, {status.trainable} trainable"
        yield from run_scores.score_lines(by_metric)

    printing.print_result(value, as_json, lines)


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
    tree: Annotated[
        bool, typer.Option("--tree", help="Count by stack, layer, component and tensor, too.")
    ] = False,
    sets: options.Sets = None,
    as_json: printing.AsJson = False,
) -> None:
    """Count what a method would train on a base, for one seed; no weights are loaded for it."""
    if table:
        if base or method or sets:
            raise BadInput("--table counts one method on all published bases; leave the rest out")
        _print_table(parameter_counts.parameter_table(table), as_json)
        return
    if not base or not method:
        raise BadInput("params takes --base and --method, or --table")
    spec, model = _spec_and_base(base, task, method, sets)
    trainable, total = planning.count_parameters(spec, model)
    percent = round(100 * trainable / total, 6)
    value: dict[str, Any] = {"trainable": trainable, "total": total, "percent": percent}
    note = parameter_counts.NOTES.get(model.name, "") if not model.fingerprint else ""
    value |= {"note": note} if note else {}
    checked = task and label_check.check_labels(model, task)
    value |= {"labels": checked.as_values()} if checked else {}
    about_labels = checked.in_words() if checked else ""
    sentence = f"{trainable} of {total} parameters are trained: {percent:.4g} %"
    parts = _parts(spec, model, trainable) if tree else []
    value |= {"parts": parts} if tree else {}

    def lines() -> Iterator[str]:
        yield from filter(None, (sentence, note, about_labels))
        if parts:
            yield from printing.format_records(parts)

    printing.print_result(value, as_json, lines)


def _parts(spec: RunSpec, model: BaseModel, trainable: int) -> list[dict[str, Any]]:
    """List what is trained part by part, layers from 1; a head gets what the method leaves."""
    parts = planned_parts(model, spec.method, spec.settings, spec.population.vertices)
    rows = [asdict(part) for part in parts]
    rows = [row | {"layer": None if row["layer"] is None else row["layer"] + 1} for row in rows]
    rest = trainable - sum(part.count for part in parts)
    head = TrainedPart(HEAD, None, "classification head", "head", rest)
    return [*rows, asdict(head)] if rest else rows


def _spec_and_base(
    base: str, task: str | None, method: str, sets: list[str] | None
) -> tuple[RunSpec, BaseModel]:
    """Make a spec and its base; a published one, unless one of that name is here, has no data."""
    task = task or api.any_labelled_task()
    if base in catalog.base_folders() or base not in parameter_counts.published_bases():
        return options.spec_from_options(base, task, method, sets), load_base(base, device="cpu")
    spec_values = {
        "base": base,
        "task": task,
        "method": method,
        **options.spec_sections(method, sets),
    }
    return RunSpec.make(spec_values), parameter_counts.meta_base(base)


def _print_table(rows: list[ParameterCount], as_json: bool) -> None:
    def lines() -> Iterator[str]:
        heads = ["base", "configuration", "trainable", "total", "percent"]
        yield from printing.format_table(heads, [tuple(asdict(row).values()) for row in rows])

    value = [asdict(row) | {"percent": round(row.percent, 6)} for row in rows]
    printing.print_result(value, as_json, lines)


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

    def report(measured: dict[str, Any]) -> None:
        if sys.stderr.isatty():
            typer.echo(json.dumps(measured), err=True)

    count = TOKENS.get(name, 1) if tokens is None else tokens
    result = pretrain_base(name, out, count, seed, report, start)
    (out / "measured.json").write_text(json.dumps(result, indent=2), "utf-8")
    flat = {key: value for key, value in result.items() if not isinstance(value, list)}
    printing.print_result(
        result, as_json, lambda: (f"{key}: {value}" for key, value in flat.items())
    )
