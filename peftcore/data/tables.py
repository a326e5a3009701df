"""Read a user's own file, CSV, JSON lines or a JSON array, as rows of text.

Nothing is guessed and nothing is lost: every line is a row, or empty, or listed with the reason why
it cannot be read.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

from peftcore.data.sources import (
    MAX_LISTED,
    BadLine,
    describe_bad_lines,
    iter_json_objects,
)
from peftcore.errors import BadInput
from peftcore.system import server_limits

MAX_COLUMNS = 200
MAX_BAD_LINES = 10_000  # a quotation mark that is never closed makes all lines after it bad
SEPARATORS = ",;\t|"
ANSWERING = ("assistant", "gpt", "model", "bot")  # who answers in a chat
TRIED_RECORDS = 50  # by which the separator is chosen
CSV_SUFFIXES, JSON_LINES_SUFFIXES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson", ".json")
Record = dict[str, str]


@dataclass(frozen=True)
class TablePreview:
    """A file's rows with all columns, the line each row starts at, and the lines left out.

    In an array a row's line is its place in the array, counted from 1.
    """

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
    megabytes = len(content) / 1e6
    server_limits.TABLE_FILE.check(megabytes, f"the file has {megabytes:.1f} MB")
    if not content.removeprefix(b"\xef\xbb\xbf").strip():
        raise BadInput("the file is empty; it needs a header and rows")
    if suffix in CSV_SUFFIXES:
        table = _parse_csv(_decode(content))
    else:
        table = _parse_json_records(_json_records(_decode(content)))
    if len(table.columns) > MAX_COLUMNS:
        raise BadInput(f"the file has {len(table.columns)} columns; at most {MAX_COLUMNS} fit")
    if len(table.columns) == 1 and table.rows:
        raise BadInput(
            f"the file has one column, {table.columns[0]!r}; a text and an answer are two"
        )
    if not table.rows and not table.bad:
        raise BadInput("the file has a header and no rows")
    if not table.rows:
        raise BadInput(f"no row can be read: {describe_bad_lines(table.bad)}")
    return table


def _decode(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 that says so; BadInput names the line of the first wrong byte."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise BadInput("the file begins as UTF-16 and is not; save the file as UTF-8") from None
    start = content[:1000]
    if 4 * start.count(0) > len(start):
        raise BadInput("the file is not UTF-8 but looks like UTF-16; save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"line {line} of the file is not UTF-8; save the file as UTF-8") from None


def _parse_csv(text: str) -> TablePreview:
    """Parse CSV with a header."""
    separator = _find_separator(text)
    columns: tuple[str, ...] = ()
    rows, lines, bad = [], [], []
    for line, fields in _records(text, separator):
        if isinstance(fields, str):
            if not columns:
                raise BadInput(f"the header, line {line}, cannot be read: {fields}")
            bad.append(BadLine(line, fields))
            _check_bad_count(bad)
        elif not columns:
            columns = _column_names(fields)
        elif len(fields) != len(columns):
            bad.append(BadLine(line, f"{len(fields)} fields; the header has {len(columns)}"))
            _check_bad_count(bad)
        elif long := _length_problem(columns, fields):
            bad.append(BadLine(line, long))
        else:
            rows.append(dict(zip(columns, fields, strict=True)))
            lines.append(line)
            _check_row_count(rows)
    return TablePreview(columns, tuple(rows), tuple(lines), tuple(bad))


def _find_separator(text: str) -> str:
    """Return the separator by which most of the first records have as many fields as the header.

    Of several the one with most fields: a separator inside a quoted header splits nothing.
    """

    def fit(separator: str) -> tuple[float, int]:
        """Return the share of records that fit the header, and the number of its fields."""
        tried = [fields for _, fields in islice(_records(text, separator), TRIED_RECORDS)]
        if not tried or isinstance(tried[0], str) or len(tried[0]) < 2:
            return 0.0, 0
        fitting = sum(isinstance(f, list) and len(f) == len(tried[0]) for f in tried[1:])
        return fitting / max(1, len(tried) - 1), len(tried[0])

    return max(SEPARATORS, key=fit)


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


def _json_records(text: str) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield the objects of JSON lines, of an array, or of the one list that an object holds."""
    start = text.lstrip()[:1]
    if start == "[" or (start == "{" and not _is_json(text.strip().splitlines()[0])):
        yield from _array_records(text)
    else:
        yield from iter_json_objects(text.encode())


def _is_json(line: str) -> bool:
    """Return whether a line is whole JSON: the others of an indented object are not."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _array_records(text: str) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield the objects of an array by their place in it, from 1."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):  # JSON lines whose first line is wrong
            yield from iter_json_objects(text.encode())
            return
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(
            f"the file begins like a JSON array and is none{where}; mend it, or write one object "
            "per line (.jsonl)"
        ) from None
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list)]
        value = lists[0] if len(lists) == 1 and "messages" not in value else [value]
    for place, item in enumerate(value, 1):
        yield place, item if isinstance(item, dict) else BadLine(place, "not an object in braces")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a chat as two columns: what comes before its last answer, and that answer.

    Chats are lists of {role, content}, or of {from, value}; other rows stay as they are.
    """
    for name in ("messages", "conversations", "conversation"):
        turns = row.get(name)
        if not isinstance(turns, list) or len(turns) < 2:
            continue
        spoken = [found for turn in turns if (found := _turn(turn))]
        if (
            len(spoken) == len(turns)
            and spoken[-1][0] in ANSWERING
            and spoken[-2][0] not in ANSWERING
        ):
            rest = {key: value for key, value in row.items() if key != name}
            return {
                "text": "\n".join(text for _, text in spoken[:-1]),
                "answer": spoken[-1][1],
            } | rest
    return row


def _turn(turn: Any) -> tuple[str, str] | None:
    """Return who says what in a turn of a chat, None if it is none."""
    if not isinstance(turn, dict):
        return None
    for who, what in (("role", "content"), ("from", "value")):
        if isinstance(turn.get(who), str) and isinstance(turn.get(what), str):
            return turn[who], turn[what]
    return None


def _parse_json_records(records: Iterable[tuple[int, dict[str, Any] | BadLine]]) -> TablePreview:
    """Collect the rows of JSON; a key that a row lacks is empty there."""
    rows: list[Record] = []
    lines: list[int] = []
    bad: list[BadLine] = []
    columns: dict[str, None] = {}
    for line, record in records:
        if isinstance(record, BadLine):
            bad.append(record)
            _check_bad_count(bad)
            continue
        value = _flat(record)
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
    limit = server_limits.FIELD.value
    for name, field in zip(columns, fields, strict=True):
        if len(field) > limit:
            return f"{name!r:.60} has {len(field)} characters; at most {limit} fit"
    return None


def _check_bad_count(bad: Sequence[BadLine]) -> None:
    """Raise BadInput if so many lines cannot be read that the file is another kind of file."""
    if len(bad) > MAX_BAD_LINES:
        raise BadInput(
            f"more than {MAX_BAD_LINES:,} lines cannot be read, so the file is not read to its "
            f"end: {describe_bad_lines(bad[:MAX_LISTED])}"
        )


def _check_row_count(rows: Sequence[Record]) -> None:
    """Raise BadInput if there are too many rows."""
    server_limits.TABLE_ROWS.check(
        len(rows), "the file has too many rows", "cut it or draw a sample"
    )
