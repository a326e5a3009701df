"""Ratings as files: JSON lines as they are, CSV safe for spreadsheets, with or without the key.

Without the key nothing in the file tells methods apart.  A rater may have their own ratings; the
key is the experimenters'.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peftcore.rating.access import Actor, require_experimenter
from peftcore.rating.creation import find
from peftcore.rating.rater_view import history, screen
from peftcore.rating.scales import DIMENSIONS
from peftcore.rating.store import Book
from peftcore.rating.tables import KEY, adjudications, items, key, verdicts
from peftcore.system import atomic_files

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for a formula
OPENED = ["fields", "texts"]


def rows(
    book: Book,
    who: Actor,
    project: str,
    with_key: bool = False,
    history: bool = False,
    extra: bool = False,
) -> list[dict[str, Any]]:
    """One row per rating, with question and texts; `with_key` adds whose they were.

    `key` is a list, one entry per text and origin.  `history` and `extra` as in `tables.verdicts`.
    """
    require_experimenter(who)
    shown = items(book, who, project).set_index("item")
    settled = _settled(book, who, project)
    told = verdicts(book, who, project, history, extra).to_dict("records")
    for row in told:
        row |= {name: shown.at[row["item"], name] for name in OPENED}
        row["adjudicated"] = settled.get(row["item"])
    if not with_key:
        return [_without_traces(row) for row in told]
    origins = key(book, who, project)[KEY[:6]].astype(object)
    origins = origins.where(origins.notna(), None)
    by_item = {str(item): own.to_dict("records") for item, own in origins.groupby("item")}
    return [atomic_files.plain(row | {"key": by_item.get(row["item"], [])}) for row in told]


def _settled(book: Book, who: Actor, project: str) -> dict[str, Any]:
    """Item → the verdict it was settled with; the steps by dimension where those were asked for."""
    told = adjudications(book, who, project)
    likert = find(book, who, project).settings.mode == "likert"
    return {
        row["item"]: {name: row[name] for name in DIMENSIONS} if likert else row["verdict"]
        for row in told.to_dict("records")
    }


def own_rows(book: Book, who: Actor) -> list[dict[str, Any]]:
    """What a rater has said so far, in their order; never whose text it was."""
    told = []
    for past in history(book, who):
        shown = screen(book, who, past.lease)
        if shown.judgement:
            told.append(
                {"position": shown.position, "fields": shown.fields, "answer": shown.answer}
                | {"texts": [(text.label, text.explanation) for text in shown.texts]}
                | shown.judgement.model_dump(mode="json")
            )
    return told


def _without_traces(row: dict[str, Any]) -> dict[str, Any]:
    """The row without the example's name, by which the file of a run could be consulted."""
    return {name: value for name, value in atomic_files.plain(row).items() if name != "example"}


def to_jsonl(told: Iterable[Mapping[str, Any]]) -> str:
    """One object a line, as it is."""
    return "".join(f"{json.dumps(atomic_files.plain(row), ensure_ascii=False)}\n" for row in told)


def to_csv(told: Sequence[Mapping[str, Any]]) -> str:
    """A table for spreadsheets: lists as JSON, and no cell that one would run as a formula."""
    text = io.StringIO()
    heads = list(dict.fromkeys(name for row in told for name in row))
    writer = csv.writer(text)
    writer.writerow([_cell(name) for name in heads])
    writer.writerows([_cell(row.get(name)) for name in heads] for row in told)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A value as a cell; text that starts like a formula is quoted, numbers are left alone."""
    value = atomic_files.plain(value)
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.lstrip(" ").startswith(DANGEROUS) and not _number(value):
        return f"'{value}"
    return value


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
