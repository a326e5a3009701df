"""Check a rating project's rows as a whole before the first of them is stored.

One row that cannot be read later would take every page and command of ratings down, so a bundle is
believed nothing: types, lengths, references, settings and judgements are looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating import scales
from peftcore.rating.schema import ADJUDICATIONS, ITEMS, ORIGINS, PROJECTS, RATINGS
from peftcore.rating.settings import ProjectSettings

ITEM_KINDS = ("rating", "training", "check")
LONGEST_TEXT = 1_000_000  # characters of a text, where its column has no limit
ACTS = ("rated", "skipped", "withdrawn")


@dataclass(frozen=True)
class BundleRow:
    """A row of a bundle: its line, its table and its values."""

    line: int
    table: sa.Table
    values: dict[str, Any]


def check_rows(rows: Sequence[BundleRow], left_out: Sequence[str]) -> None:
    """Raise BadInput, naming the line, unless the rows are one project that can be read.

    left_out: columns that bundles do not carry.
    """
    projects = [row for row in rows if row.table is PROJECTS]
    if len(projects) != 1:
        raise BadInput(f"a bundle holds one project; this one holds {len(projects)}")
    for row in rows:
        _check_columns(row, left_out)
    _check_references(rows)
    settings = _project_settings(projects[0])
    for row in rows:
        _check_content(row, settings)


def _problem(row: BundleRow, words: str) -> BadInput:
    """Return the error about a row."""
    return BadInput(f"line {row.line} ({row.table.name}): {words}; nothing was imported")


def _check_columns(row: BundleRow, left_out: Sequence[str]) -> None:
    """Raise BadInput unless every column is there and of its type."""
    for column in row.table.c:
        if column.name in left_out or column.name == "demo":
            continue
        value = row.values.get(column.name)
        if value is None:
            if not column.nullable:
                raise _problem(row, f"the field {column.name!r} is missing")
        elif not _fits(column, value):
            raise _problem(row, f"the field {column.name!r} cannot be {str(value)[:40]!r}")


def _fits(column: sa.Column[Any], value: Any) -> bool:
    """Return whether a value can stand in a column."""
    kind = column.type
    if isinstance(kind, sa.JSON):
        return True
    if isinstance(kind, sa.Boolean):
        return isinstance(value, bool)
    if isinstance(kind, sa.Integer):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    if isinstance(kind, sa.Float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    longest = getattr(kind, "length", None) or LONGEST_TEXT
    return isinstance(value, str) and "\0" not in value and len(value) <= longest


def _check_references(rows: Sequence[BundleRow]) -> None:
    """Raise BadInput if a key stands twice, or a row refers to one that is not there."""
    keys: dict[str, set[Any]] = {}
    for row in rows:
        [key] = row.table.primary_key.columns
        known = keys.setdefault(row.table.name, set())
        if row.values[key.name] in known:
            raise _problem(row, f"{key.name} {row.values[key.name]!r} stands twice")
        known.add(row.values[key.name])
    for row in rows:
        for foreign in row.table.foreign_keys:
            value, target = row.values.get(foreign.parent.name), foreign.column.table.name
            if value is not None and value not in keys.get(target, set()):
                raise _problem(row, f"{foreign.parent.name} {value!r} is not in the bundle")


def _project_settings(project: BundleRow) -> ProjectSettings:
    """Return the project's settings; BadInput if they are none."""
    if not isinstance(project.values["settings"], dict):
        raise _problem(project, "its settings are no object")
    if not isinstance(project.values["facts"], dict):
        raise _problem(project, "its facts are no object")
    if project.values["state"] not in ("open", "closed"):
        raise _problem(project, f"it is neither open nor closed but {project.values['state']!r}")
    try:
        return ProjectSettings.make(project.values["settings"])
    except BadInput as error:
        raise _problem(project, f"its settings cannot be read: {error}") from None


def _check_content(row: BundleRow, settings: ProjectSettings) -> None:
    """Raise BadInput unless a row says what rows of its table say."""
    if row.table is ITEMS:
        _check_item(row, settings)
    elif row.table is RATINGS and row.values["act"] not in ACTS:
        raise _problem(row, f"nobody can have {row.values['act']!r} an item")
    elif row.table is ADJUDICATIONS or (row.table is RATINGS and row.values["act"] == "rated"):
        try:
            scales.check_judgement(scales.Judgement.make(row.values["judgement"]), settings.mode)
        except (BadInput, AttributeError, TypeError) as error:
            raise _problem(row, f"its judgement cannot be read: {error}") from None
    elif row.table is ORIGINS and row.values["place"] not in (0, 1):
        raise _problem(row, f"an item has no text number {row.values['place']}")


def _check_item(row: BundleRow, settings: ProjectSettings) -> None:
    """Raise BadInput unless an item can be shown and rated."""
    texts = 2 if settings.mode == "pairwise" else 1
    checks: Mapping[str, Callable[[Any], bool]] = {
        "kind": lambda value: value in ITEM_KINDS,
        "fields": lambda value: _is_list(value, _is_pair),
        "options": lambda value: _is_list(value, _is_text),
        "texts": lambda value: _is_list(value, _is_pair) and len(value) == texts,
        "expected": lambda value: _is_list(value, _is_text),
    }
    for name, fits in checks.items():
        if not fits(row.values[name]):
            raise _problem(row, f"its {name} cannot be {str(row.values[name])[:40]!r}")


def _is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def _is_pair(value: Any) -> bool:
    """Return whether a value is a list of two texts."""
    return _is_list(value, _is_text) and len(value) == 2


def _is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    """Return whether a value is a list whose members all fit."""
    return isinstance(value, list) and all(map(fits, value))
