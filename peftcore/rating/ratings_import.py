"""Import ratings made elsewhere as a project of their own.

Two kinds of table are read. *Long*: one row per rating with the columns `item`, `rater` and
`verdict`, and any of OPTIONAL_COLUMNS. *Wide*: the result files of the few-shot explanation
benchmark (FEB, arXiv:2111.08284): a row per form with ten questions, two explanations each, of
which one is the data set's own. Verdicts are words of the scale, as FEB writes them (`w_yes`), or
numbers in [0, 1].
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput, unknown_name
from peftcore.rating import scales
from peftcore.rating.access import RatingUser, require_experimenter
from peftcore.rating.creation import Project, find_project, save_project
from peftcore.rating.item_sampling import GOLD, RatingItem, TextOrigin
from peftcore.rating.schema import ANSWERS, ITEMS, LEASES, RATERS, RATINGS
from peftcore.rating.settings import ProjectSettings
from peftcore.rating.store import RatingStore

REQUIRED_COLUMNS = ("item", "rater", "verdict")
OPTIONAL_COLUMNS = (
    *("method", "run", "label", "explanation", "question", "shortcomings", "comment"),
    *("seconds", "answer"),
)
MAX_ROWS, MAX_CELL_CHARACTERS = 200_000, 20_000
FEB_QUESTION_COLUMN = re.compile(r"Input\.(\d+)_ques_id")
VERDICT_WORDS = {"yes": "yes", "no": "no", "wyes": "weak yes", "wno": "weak no"}
VERDICT_WORDS |= {"weakyes": "weak yes", "weakno": "weak no"}


@dataclass(frozen=True)
class ImportedRating:
    """One imported rating."""

    item: str
    rater: str
    verdict: str
    method: str = ""
    run: str = ""
    label: str = ""
    explanation: str = ""
    question: str = ""
    shortcomings: tuple[str, ...] = ()
    comment: str = ""
    seconds: float = 0.0
    answer: str = ""


def import_table(
    store: RatingStore, user: RatingUser, text: str, name: str, method: str = "model"
) -> Project:
    """Make a closed project from CSV or JSON lines; BadInput says what is wrong.

    `method` names what wrote the rated texts where the table does not say.
    """
    require_experimenter(user)
    table = list(_read_records(text))
    if not table:
        raise BadInput("the table has no rows")
    if any(FEB_QUESTION_COLUMN.fullmatch(column) for column in table[0]):
        rows = list(_parse_feb_forms(table, method))
    else:
        rows = [_parse_long_row(number, record, method) for number, record in enumerate(table, 1)]
    return _save_ratings(store, user, name, rows)


def _read_records(text: str) -> Iterator[dict[str, str]]:
    """Yield the records of CSV or JSON lines as texts by column."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        records: Iterable[Any] = (json.loads(line) for line in text.splitlines() if line.strip())
    else:
        records = csv.DictReader(io.StringIO(text))
    try:
        for number, record in enumerate(records, 1):
            if number > MAX_ROWS:
                raise BadInput(f"the table has more than {MAX_ROWS} rows")
            if not isinstance(record, dict) or None in record:
                raise BadInput(f"row {number} does not fit the columns")
            yield {
                str(n).strip(): "" if v is None else _cell_text(number, v)
                for n, v in record.items()
            }
    except BadInput:
        raise
    except (ValueError, RecursionError, csv.Error) as error:  # a number too long, braces too deep
        raise BadInput(f"the file is neither CSV nor JSON lines: {error}") from None


def _cell_text(number: int, value: Any) -> str:
    """Return a cell as text; BadInput if it is too long."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_CELL_CHARACTERS:
        raise BadInput(f"row {number} has a cell of more than {MAX_CELL_CHARACTERS} characters")
    return text


def _parse_long_row(number: int, record: Mapping[str, str], method: str) -> ImportedRating:
    """Parse a row of a long table."""
    for column in REQUIRED_COLUMNS:
        if not record.get(column, "").strip():
            raise BadInput(
                f"row {number} has no {column!r}; a table needs the columns "
                f"{', '.join(REQUIRED_COLUMNS)}"
            )
    values = {name: record[name] for name in OPTIONAL_COLUMNS if record.get(name)}
    faults = values.pop("shortcomings", "")
    seconds = values.pop("seconds", "0")
    return ImportedRating(
        record["item"],
        record["rater"],
        parse_verdict(record["verdict"]),
        values.pop("method", method),
        seconds=_parse_seconds(number, seconds),
        shortcomings=_parse_shortcomings(faults),
        **values,
    )


def _parse_seconds(number: int, text: str) -> float:
    """Parse a number of seconds from 0 up."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"row {number}: seconds must be a number from 0 up; got {text!r}")
    return value


def _parse_shortcomings(text: str) -> tuple[str, ...]:
    """Parse a list of shortcomings; BadInput if one is unknown."""
    names = json.loads(text) if text.startswith("[") else re.split(r"[,;|]", text)
    cleaned = tuple(str(name).strip() for name in names if str(name).strip() not in ("", "none"))
    for name in cleaned:
        if name not in scales.SHORTCOMINGS:
            raise unknown_name("shortcoming", name, scales.SHORTCOMINGS)
    return cleaned


def parse_verdict(text: str) -> str:
    """Return the verdict that a word or a number in [0, 1] stands for."""
    plain = re.sub(r"[\s_-]", "", text.strip().lower())
    if plain in VERDICT_WORDS:
        return VERDICT_WORDS[plain]
    try:
        value = float(text)
    except ValueError:
        raise unknown_name("verdict", text[:40], scales.VERDICTS) from None
    for word, worth in scales.VERDICTS.items():
        if abs(worth - value) < 0.01:
            return word
    raise BadInput(f"a verdict in numbers is 1, 0.67, 0.33 or 0; got {text.strip()!r}")


def _parse_feb_forms(table: Iterable[Mapping[str, str]], method: str) -> Iterator[ImportedRating]:
    """Parse FEB's forms: ten questions each, with the data's own explanation first or second.

    They name no raters, so the n-th form that shows a question is its n-th rater.
    """
    times_seen: dict[str, int] = {}
    for number, form in enumerate(table, 1):
        for column in form:
            match = FEB_QUESTION_COLUMN.fullmatch(column)
            if match and form[column].strip():
                yield from _parse_feb_question(number, match[1], form, times_seen, method)


def _parse_feb_question(
    number: int, nth: str, form: Mapping[str, str], times_seen: dict[str, int], method: str
) -> Iterator[ImportedRating]:
    """Yield the ratings of one question of a form."""
    question = form[f"Input.{nth}_ques_id"].strip()
    times_seen[question] = times_seen.get(question, 0) + 1
    gold = form.get(f"Input.{nth}_gt_idx", "").strip()
    if gold not in ("0", "1"):
        raise BadInput(f"form {number}: Input.{nth}_gt_idx must be 0 or 1; got {gold!r}")
    question_parts = [form.get(f"Input.question_{nth}{end}", "") for end in ("", "_i", "_j")]
    for index, end in enumerate("ij"):
        is_gold = index == int(gold)
        answer = form.get(f"Answer.{nth}-e{index + 1}", "")
        if not answer.strip():
            continue
        yield ImportedRating(
            f"{question} {GOLD if is_gold else method}",
            form.get("WorkerId") or f"rater {times_seen[question]}",
            parse_verdict(answer),
            GOLD if is_gold else method,
            label=form.get(f"Input.gt_{nth}", ""),
            explanation=form.get(f"Input.explanation_{nth}_{end}", ""),
            question=" | ".join(part for part in question_parts if part),
            answer=form.get(f"Answer.c{nth}", ""),
        )


def _save_ratings(
    rating_store: RatingStore, user: RatingUser, name: str, rows: list[ImportedRating]
) -> Project:
    """Write the rows as a closed project."""
    by_item: dict[str, list[ImportedRating]] = {}
    for row in rows:
        by_item.setdefault(row.item, []).append(row)
    for item, ratings in by_item.items():
        if len({row.rater for row in ratings}) < len(ratings):
            raise BadInput(f"item {item!r} has two verdicts of one rater")
    settings = ProjectSettings(
        overlap=min(max(map(len, by_item.values())), 50), checks=0, training=0, gold=False
    )
    facts = {"imported": len(rows), "methods": list(dict.fromkeys(row.method for row in rows))}
    items = [_item_from_rating(ratings[0]) for ratings in by_item.values()]
    project = save_project(
        rating_store, name, "imported", settings, items, facts, open_to_raters=False
    )
    ids = rating_store.read(
        sa.select(ITEMS.c.id).where(ITEMS.c.project == project.id).order_by(ITEMS.c.number)
    )
    item_ids = dict(zip(by_item, (row["id"] for row in ids), strict=True))
    _insert_ratings(rating_store, project.id, rows, item_ids)
    return find_project(rating_store, user, project.id)


def _item_from_rating(row: ImportedRating) -> RatingItem:
    """Build the item that a rating is about."""
    return RatingItem(
        "rating",
        row.item,
        row.label,
        (("question", row.question or row.item),),
        (),
        ((row.label, row.explanation),),
        (TextOrigin(0, row.run, row.method),),
    )


def _insert_ratings(
    store: RatingStore, project: str, rows: list[ImportedRating], item_ids: Mapping[str, str]
) -> None:
    """Insert raters, leases and ratings."""
    now = store.clock()
    raters = {name: store.new_id() for name in dict.fromkeys(row.rater for row in rows)}
    leases, answers, ratings = [], [], []
    position = dict.fromkeys(raters, 0)
    for row in rows:
        lease, rater = store.new_id(), raters[row.rater]
        judgement = scales.Judgement(
            verdict=row.verdict, shortcomings=row.shortcomings, comment=row.comment[:2000]
        )
        shared_values = {"lease": lease, "rater": rater, "key": f"imported {lease}", "at": now}
        leases.append(
            {"id": lease, "project": project, "item": item_ids[row.item], "rater": rater}
            | {"position": position[row.rater], "flipped": False, "state": "done"}
            | {"opened": now, "expires": now}
        )
        position[row.rater] += 1
        ratings.append(
            shared_values
            | {
                "act": "rated",
                "judgement": judgement.model_dump(mode="json"),
                "seconds": row.seconds,
            }
        )
        if row.answer:
            correct = row.answer.strip().lower() == row.label.strip().lower()
            answers.append(
                shared_values | {"answer": row.answer, "correct": correct, "seconds": 0.0}
            )
    with store.write() as connection:
        rater_rows = [
            {"id": rater, "project": project, "name": name[:80], "created": now, "active": False}
            for name, rater in raters.items()
        ]
        connection.execute(sa.insert(RATERS), rater_rows)
        connection.execute(sa.insert(LEASES), leases)
        connection.execute(sa.insert(RATINGS), ratings)
        if answers:
            connection.execute(sa.insert(ANSWERS), answers)
