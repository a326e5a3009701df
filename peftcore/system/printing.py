"""Output of commands: JSON for programs, tables for people, a progress bar for terminals."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import progress as rich
from rich.console import Console

from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.training.trainer import TrainingProgress

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def print_result(value: Any, as_json: bool, lines: Callable[[], Iterator[str]]) -> None:
    """Print a value as JSON, or as the lines that describe it to people."""
    if as_json:
        typer.echo(json.dumps(atomic_files.to_jsonable(value), ensure_ascii=False))
        return
    for line in lines():
        typer.echo(line)


def format_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a table with columns as wide as needed; numbers to the right."""
    cells = [list(headers), *([format_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and isinstance(value, (int, float)) for value in (rows or [headers])[0]]
    for line in cells:
        sides = zip(line, widths, right, strict=True)
        yield "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in sides).rstrip()


def format_cell(value: Any) -> str:
    """Format a value for readers: four digits of a number, a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"
    return str(value)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a progress bar on a terminal's standard error; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    note_column = rich.TextColumn("{task.fields[note]}")
    with rich.Progress(
        *columns, note_column, console=Console(stderr=True), transient=True
    ) as progress_lines:
        task_id = progress_lines.add_task(title, total=None, note="")

        def update(progress: TrainingProgress) -> None:
            """Redraw the bar from the training's progress."""
            progress_lines.update(
                task_id,
                description=f"{title}, {progress.phase}",
                completed=progress.step,
                total=progress.steps,
                note=_progress_note(progress),
            )

        yield update


def _progress_note(progress: TrainingProgress) -> str:
    """Return mean loss and time left in a few words."""
    left = "" if progress.seconds_left is None else f"{progress.seconds_left:.0f} s left"
    losses = [loss for loss in progress.losses if math.isfinite(loss)]
    return f"loss {sum(losses) / len(losses):.3f}, {left}" if losses else left
