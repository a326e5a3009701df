"""Export ratings: JSON lines as they are, CSV safe for spreadsheets, with or without the key.

Without the key nothing in the file tells methods apart. A rater may have their own ratings; the key
is for experimenters.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from peftcore.rating.access import RatingUser, require_experimenter
from peftcore.rating.creation import find_project
from peftcore.rating.rater_view import past_items, read_screen
from peftcore.rating.scales import DIMENSIONS
from peftcore.rating.store import RatingStore
from peftcore.rating.tables import (
    ORIGIN_COLUMNS,
    adjudication_table,
    item_table,
    origin_table,
    verdict_table,
)
from peftcore.system import atomic_files

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for a formula
ITEM_COLUMNS = ["fields", "texts"]


def export_rows(
    store: RatingStore,
    user: RatingUser,
    project: str,
    with_key: bool = False,
    history: bool = False,
    extra: bool = False,
) -> list[dict[str, Any]]:
    """Return one row per rating, with question and texts; `with_key` adds whose they are.

    `key` is a list with one entry per text and origin. `history` and `extra` as in
    `tables.verdict_table`.
    """
    require_experimenter(user)
    items_by_id = item_table(store, user, project).set_index("item")
    settled = _settled_verdicts(store, user, project)
    ratings = verdict_table(store, user, project, history, extra).to_dict("records")
    for row in ratings:
        row |= {name: items_by_id.at[row["item"], name] for name in ITEM_COLUMNS}
        row["adjudicated"] = settled.get(row["item"])
    if not with_key:
        return [_without_example(row) for row in ratings]
    origins = origin_table(store, user, project)[ORIGIN_COLUMNS[:6]].astype(object)
    origins = origins.where(origins.notna(), None)
    by_item = {
        str(item): item_origins.to_dict("records") for item, item_origins in origins.groupby("item")
    }
    return [
        atomic_files.to_jsonable(row | {"key": by_item.get(row["item"], [])}) for row in ratings
    ]


def _settled_verdicts(store: RatingStore, user: RatingUser, project: str) -> dict[str, Any]:
    """Return item → adjudicated verdict; the steps by dimension for Likert projects."""
    settlements = adjudication_table(store, user, project)
    likert = find_project(store, user, project).settings.mode == "likert"
    return {
        row["item"]: {name: row[name] for name in DIMENSIONS} if likert else row["verdict"]
        for row in settlements.to_dict("records")
    }


def export_own_rows(store: RatingStore, user: RatingUser) -> list[dict[str, Any]]:
    """Return a rater's own ratings in their order; never whose text it was."""
    exported = []
    for past_item in past_items(store, user):
        shown = read_screen(store, user, past_item.lease)
        if shown.judgement:
            exported.append(
                {"position": shown.position, "fields": shown.fields, "answer": shown.answer}
                | {"texts": [(text.label, text.explanation) for text in shown.texts]}
                | shown.judgement.model_dump(mode="json")
            )
    return exported


def _without_example(row: dict[str, Any]) -> dict[str, Any]:
    """Drop the example's name, by which a run's file could be consulted."""
    return {
        name: value for name, value in atomic_files.to_jsonable(row).items() if name != "example"
    }


def to_jsonl(ratings: Iterable[Mapping[str, Any]]) -> str:
    """Write one object per line."""
    return "".join(
        f"{json.dumps(atomic_files.to_jsonable(row), ensure_ascii=False)}\n" for row in ratings
    )


def to_csv(ratings: Sequence[Mapping[str, Any]]) -> str:
    """Write a table for spreadsheets: lists as JSON, and no cell that runs as a formula."""
    text = io.StringIO()
    header = list(dict.fromkeys(name for row in ratings for name in row))
    writer = csv.writer(text)
    writer.writerow([_csv_cell(name) for name in header])
    writer.writerows([_csv_cell(row.get(name)) for name in header] for row in ratings)
    return text.getvalue()


def _csv_cell(value: Any) -> Any:
    """Return a value as a cell; text that starts like a formula is quoted, numbers are not."""
    value = atomic_files.to_jsonable(value)
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    if (
        isinstance(value, str)
        and value.lstrip(" ").startswith(FORMULA_PREFIXES)
        and not _is_number(value)
    ):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    """Return whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
