"""Commands about own tables: tables check, import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.cli import app
from peftcore.data import table_checks, tables
from peftcore.data.table_checks import Reader, Splits
from peftcore.errors import BadInput
from peftcore.system import printing, server_limits
from peftcore.system.option_groups import grouped
from peftcore.tasks import table
from peftcore.tasks.table import ColumnMapping, MappedTable, TaskKind
from peftcore.training.table_reader import reader_of_base

table_commands = typer.Typer(no_args_is_help=True)
app.add_typer(table_commands, name="tables", help="Own tables: check a file, import it as a task.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSON lines or a JSON array.")]


@dataclass(frozen=True)
class Roles:
    """The roles of columns, and the base that is to read them."""

    text: Annotated[
        list[str] | None, typer.Option(help="Column of the text; twice for a pair.")
    ] = None
    target: Annotated[str, typer.Option(help="Column of the label, or of the text to write.")] = (
        "label"
    )
    kind: Annotated[TaskKind, typer.Option(help="What the model should write.")] = "classify"
    explanation: Annotated[str, typer.Option(help="Column of the explanation.")] = ""
    split: Annotated[str, typer.Option(help="Column that says train, validation or test.")] = ""
    base: Annotated[
        str, typer.Option(help="Base that is to read it: counts lengths by its tokens.")
    ] = ""

    def mapping(self) -> ColumnMapping:
        """Return the roles of columns; BadInput if they cannot be."""
        return ColumnMapping.make(
            {
                "text": tuple(self.text or ["text"]),
                "target": self.target,
                "explanation": self.explanation or None,
                "split": self.split or None,
            }
        )


@table_commands.command()
@grouped
def check(file: File, roles: Roles, as_json: printing.AsJson = False) -> None:
    """Say what is odd about a table before it becomes a task, and what can be done about it."""
    mapping, kind = roles.mapping(), roles.kind
    mapped = table.map_columns(tables.preview_table(_read(file), file.name), mapping, kind)
    splits = table.split_rows(mapped, mapping, kind)
    findings = table_checks.check_up(splits, kind, _reader(roles.base, mapped.labels))
    value: dict[str, Any] = {
        "rows": len(mapped.items),
        "left_out": [{"line": bad.line, "reason": bad.reason} for bad in mapped.bad],
        "labels": list(mapped.labels),
        "notes": list(mapped.notes),
        "splits": {name: len(rows) for name, rows in splits.items()},
        "findings": [
            {
                "check": found.check,
                "sentence": found.sentence,
                "examples": list(found.examples),
                "lines": sorted(found.lines),
                "remedies": found.remedy_keys,
            }
            for found in findings
        ],
    }
    printing.print_result(value, as_json, lambda: _lines(value, mapped, splits))


def _lines(value: dict[str, Any], mapped: MappedTable, splits: Splits) -> Iterator[str]:
    """Describe a check-up to people."""
    sizes = ", ".join(f"{len(rows):,} {name}" for name, rows in splits.items())
    yield f"{len(mapped.items):,} rows can be used: {sizes}"
    if mapped.bad:
        yield f"{len(mapped.bad):,} lines left out, such as {mapped.bad[0]}"
    yield from mapped.notes
    for found in value["findings"]:
        yield from ("", found["sentence"])
        yield from (f"  {example}" for example in found["examples"])
        yield from (f'  remedy: --remedy "{key}"' for key in found["remedies"])
    if not value["findings"]:
        yield "Nothing odd was found."


@table_commands.command("import")
@grouped
def import_file(
    file: File,
    roles: Roles,
    name: Annotated[str, typer.Option(help="What the task is called; else by its file.")] = "",
    remedy: Annotated[
        list[str] | None, typer.Option(help="As `tables check` names it; repeat it for more.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Import a table as a task, after the remedies that were chosen."""
    mapping, kind, content = roles.mapping(), roles.kind, _read(file)
    labels: Sequence[str] = ()
    if roles.base:
        labels = table.map_columns(tables.preview_table(content, file.name), mapping, kind).labels
    task = table.import_table(
        content,
        name or file.stem,
        mapping,
        kind,
        filename=file.name,
        remedies=remedy or (),
        reader=_reader(roles.base, labels),
    )
    printing.print_result({"task": task}, as_json, lambda: iter([f"{task} is imported"]))


def _read(file: Path) -> bytes:
    """Read a file; BadInput if there is none, or more than is ever read."""
    path = paths.expand(file)
    if not path.is_file():
        raise BadInput(f"there is no file {str(path)[:200]!r}")
    with path.open("rb") as content:
        return content.read(server_limits.TABLE_FILE.value * 1_000_000 + 1)


def _reader(base: str, labels: Sequence[str]) -> Reader | None:
    """Return the base as a reader, None if none is named."""
    if not base:
        return None
    from peftcore.models.base_model import load  # loads torch

    return reader_of_base(load(base), labels)
