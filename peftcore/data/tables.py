"""Read a user's own file, CSV or JSON lines, as rows of text.

Nothing is guessed and nothing is lost: every line is a row, or empty, or listed with the reason why
it cannot be read.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from peftcore.data.sources import BadLine, iter_json_objects
from peftcore.errors import BadInput

MAX_BYTES = 20_000_000
MAX_ROWS = 100_000
MAX_COLUMNS = 200
MAX_FIELD_CHARACTERS = 10_000  # characters
CSV_SUFFIXES, JSON_LINES_SUFFIXES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson", ".json")
Record = dict[str, str]


@dataclass(frozen=True)
class TablePreview:
    """A file's rows with all columns, the line each row starts at, and the lines left out."""

    columns: tuple[str, ...]
    rows: tuple[Record, ...]
    lines: tuple[int, ...]
    bad: tuple[BadLine, ...]


def preview_table(content: bytes, filename: str) -> TablePreview:
    """Parse an uploaded file, whose name only tells the format.

    BadInput where the file as a whole cannot be used: too large, not UTF-8, no rows, one column.
    """
    suffix = PurePath(filename).suffix.lower()
    if suffix not in CSV_SUFFIXES + JSON_LINES_SUFFIXES:
        raise BadInput(f"a .csv, .tsv or .jsonl file is needed; got {filename!r}")
    if len(content) > MAX_BYTES:
        megabytes = len(content) / 1e6
        raise BadInput(f"the file has {megabytes:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB fit")
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        raise BadInput("the file is empty; it needs a header and rows")
    table = _parse_csv(_decode(content)) if suffix in CSV_SUFFIXES else _parse_json_lines(content)
    if len(table.columns) > MAX_COLUMNS:
        raise BadInput(f"the file has {len(table.columns)} columns; at most {MAX_COLUMNS} fit")
    if len(table.columns) == 1 and table.rows:
        raise BadInput(
            f"the file has one column, {table.columns[0]!r}; a text and an answer are two"
        )
    if not table.rows and not table.bad:
        raise BadInput("the file has a header and no rows")
    return table


def _decode(content: bytes) -> str:
    """Decode UTF-8; BadInput names the line of the first byte that is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"line {line} of the file is not UTF-8; save the file as UTF-8") from None


def _parse_csv(text: str) -> TablePreview:
    """Parse CSV with a header; the separator is the one that splits the header most often."""
    separator = max(",;\t", key=lambda mark: len(_first_record(text, mark)))
    columns: tuple[str, ...] = ()
    rows, lines, bad = [], [], []
    for line, fields in _records(text, separator):
        if isinstance(fields, str):
            if not columns:
                raise BadInput(f"the header, line {line}, cannot be read: {fields}")
            bad.append(BadLine(line, fields))
        elif not columns:
            columns = _column_names(fields)
        elif len(fields) != len(columns):
            bad.append(BadLine(line, f"{len(fields)} fields; the header has {len(columns)}"))
        elif long := _length_problem(columns, fields):
            bad.append(BadLine(line, long))
        else:
            rows.append(dict(zip(columns, fields, strict=True)))
            lines.append(line)
            _check_row_count(rows)
    return TablePreview(columns, tuple(rows), tuple(lines), tuple(bad))


def _first_record(text: str, separator: str) -> list[str]:
    """Return the fields of the first record that can be read at all."""
    records = (fields for _, fields in _records(text, separator) if not isinstance(fields, str))
    return next(records, [])


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the first line of each record with its fields, or with what is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num
            where = f" (up to line {last})" if last > start else ""
            yield start, f"{_friendly_csv_error(str(error))}{where}"
            continue
        if fields:
            yield start, fields


def _friendly_csv_error(message: str) -> str:
    """Rephrase the csv module's message for the person who made the file."""
    if "unexpected end of data" in message:
        return "a quotation mark is opened and never closed"
    if "expected after" in message:
        return "text after a closing quotation mark"
    return message


def _column_names(fields: Sequence[str]) -> tuple[str, ...]:
    """Strip the column names; a column without a name is called by its position."""
    names = [field.strip() or f"column {number}" for number, field in enumerate(fields, 1)]
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BadInput(
            f"the header names {repeated[0]!r} more than once; give each column its own name"
        )
    return tuple(names)


def _parse_json_lines(content: bytes) -> TablePreview:
    """Parse a file of JSON lines; a key that a row lacks is empty there."""
    rows: list[Record] = []
    lines: list[int] = []
    bad: list[BadLine] = []
    columns: dict[str, None] = {}
    for line, value in iter_json_objects(content):
        if isinstance(value, BadLine):
            bad.append(value)
            continue
        texts = [_scalar_text(field) for field in value.values()]
        nested = [name for name, text in zip(value, texts, strict=True) if text is None]
        fields = [text or "" for text in texts]
        if nested:
            bad.append(BadLine(line, f"{nested[0]!r} holds a list or an object, not a text"))
        elif long := _length_problem(list(value), fields):
            bad.append(BadLine(line, long))
        elif not value:
            bad.append(BadLine(line, "an object without fields"))
        else:
            columns |= dict.fromkeys(value)
            rows.append(dict(zip(value, fields, strict=True)))
            lines.append(line)
            _check_row_count(rows)
            if len(columns) > MAX_COLUMNS:
                raise BadInput(f"line {line}: more than {MAX_COLUMNS} different keys in the file")
    full = tuple({name: row.get(name, "") for name in columns} for row in rows)
    return TablePreview(tuple(columns), full, tuple(lines), tuple(bad))


def _scalar_text(value: Any) -> str | None:
    """Return a JSON value as text, or None if it has parts."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return None if isinstance(value, list | dict) else json.dumps(value)


def _length_problem(columns: Sequence[str], fields: Sequence[str]) -> str | None:
    """Return in words the first field that is too long, or None."""
    for name, field in zip(columns, fields, strict=True):
        if len(field) > MAX_FIELD_CHARACTERS:
            return f"{name!r:.60} has {len(field)} characters; at most {MAX_FIELD_CHARACTERS} fit"
    return None


def _check_row_count(rows: Sequence[Record]) -> None:
    """Raise BadInput if there are too many rows."""
    if len(rows) > MAX_ROWS:
        raise BadInput(f"the file has more than {MAX_ROWS} rows; cut it or draw a sample")
