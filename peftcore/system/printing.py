"""Output of commands: JSON for programs, tables for people, a progress bar for terminals."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import progress as rich
from rich.console import Console

from peftcore.system import atomic_files
from peftcore.system.visible_text import visible

if TYPE_CHECKING:
    import pandas as pd

    from peftcore.jobs.background import JobStatus
    from peftcore.training.trainer import TrainingProgress

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def print_result(value: Any, as_json: bool, lines: Callable[[], Iterator[str]]) -> None:
    """Print a value as JSON, or as the lines that describe it to people."""
    if as_json:
        typer.echo(json.dumps(atomic_files.to_jsonable(value), ensure_ascii=False))
        return
    for line in lines():
        typer.echo(visible(line))


def format_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a table, columns as wide as their widest cell, numbers to the right."""
    cells = [list(headers), *([format_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and isinstance(value, (int, float)) for value in (rows or [headers])[0]]
    for line in cells:
        sides = zip(line, widths, right, strict=True)
        yield "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in sides).rstrip()


def format_records(
    records: pd.DataFrame | Sequence[Mapping[str, Any]], columns: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines of a table of records: of some columns, or of all."""
    rows = records if isinstance(records, Sequence) else records.to_dict("records")
    heads = list(columns) or [str(name) for name in (rows[0] if rows else records)]
    return format_table(heads, [[row[name] for name in heads] for row in rows])


def print_records(
    records: pd.DataFrame | Sequence[Mapping[str, Any]],
    as_json: bool,
    columns: Sequence[str] = (),
    value: Any = None,
) -> None:
    """Print records as a table of some columns, or all as JSON, or `value` in place of them."""
    rows = records if isinstance(records, Sequence) else records.to_dict("records")
    whole = rows if value is None else value
    print_result(whole, as_json, lambda: format_records(records, columns))


def format_cell(value: Any) -> str:
    """Write a value as a reader wants it: four digits of a number, a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"
    return str(value)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a training on a terminal's standard error; nothing elsewhere."""
    with _bar(title) as update:
        yield lambda at: update(at.phase, at.step, at.steps, _training_note(at))


@contextmanager
def job_bar(title: str) -> Iterator[Callable[[JobStatus], None]]:
    """Show a measurement or sweep on a terminal's standard error; nothing elsewhere."""
    with _bar(title) as update:
        yield lambda at: update(at.message, at.done, at.of, _time_left(at.left))


@contextmanager
def _bar(title: str) -> Iterator[Callable[[str, int, int, str], None]]:
    """Yield what moves a bar: the phase, how many of how many are done, and a note."""
    if not sys.stderr.isatty():
        yield lambda *ignored: None
        return
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    note_column = rich.TextColumn("{task.fields[note]}")
    with rich.Progress(
        *columns, note_column, console=Console(stderr=True), transient=True
    ) as progress_lines:
        task_id = progress_lines.add_task(title, total=None, note="")

        def update(phase: str, done: int, of: int, note: str) -> None:
            progress_lines.update(
                task_id,
                description=f"{title}, {phase}" if phase else title,
                completed=done,
                total=of,
                note=note,
            )

        yield update


def _training_note(progress: TrainingProgress) -> str:
    losses = [loss for loss in progress.losses if math.isfinite(loss)]
    left = _time_left(progress.seconds_left)
    return f"loss {sum(losses) / len(losses):.3f}, {left}" if losses else left


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s left"
