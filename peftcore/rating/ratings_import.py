"""Ratings made elsewhere, as a project of their own.

Two kinds of table are read.  *Long*: one row per rating with the columns `item`, `rater` and
`verdict`, and whatever else of OPTIONAL there is.  *Wide*: the result files of the few-shot
explanation benchmark (FEB, arXiv:2111.08284): a row per form with ten questions, two explanations
each, of which one is the data set's own.  Verdicts are words of the scale, as FEB writes them
(`w_yes`), or numbers in [0, 1].
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

from peftcore.errors import BadInput, unknown
from peftcore.rating import scales
from peftcore.rating.access import Actor, require_experimenter
from peftcore.rating.creation import Project, find, store
from peftcore.rating.item_sampling import GOLD, Item, Origin
from peftcore.rating.schema import ANSWERS, ITEMS, LEASES, RATERS, RATINGS
from peftcore.rating.settings import ProjectSettings
from peftcore.rating.store import Book

REQUIRED = ("item", "rater", "verdict")
OPTIONAL = (
    *("method", "run", "label", "explanation", "question", "shortcomings", "comment"),
    *("seconds", "answer"),
)
ROWS, CELL = 200_000, 20_000  # most rows, and characters of a cell, that are read
FORM = re.compile(r"Input\.(\d+)_ques_id")
LETTERS = {"yes": "yes", "no": "no", "wyes": "weak yes", "wno": "weak no"}
LETTERS |= {"weakyes": "weak yes", "weakno": "weak no"}


@dataclass(frozen=True)
class Row:
    """One rating from outside."""

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


def import_table(book: Book, who: Actor, text: str, name: str, method: str = "model") -> Project:
    """A closed project from the text of a CSV file or JSON lines; BadInput says what is wrong.

    `method` names what the rated texts are by where the table does not say.
    """
    require_experimenter(who)
    table = list(_records(text))
    if not table:
        raise BadInput("the table has no rows")
    if any(FORM.fullmatch(column) for column in table[0]):
        rows = list(_wide(table, method))
    else:
        rows = [_long(number, record, method) for number, record in enumerate(table, 1)]
    return _store(book, who, name, rows)


def _records(text: str) -> Iterator[dict[str, str]]:
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        found: Iterable[Any] = (json.loads(line) for line in text.splitlines() if line.strip())
    else:
        found = csv.DictReader(io.StringIO(text))
    try:
        for number, record in enumerate(found, 1):
            if number > ROWS:
                raise BadInput(f"the table has more than {ROWS} rows")
            if not isinstance(record, dict) or None in record:
                raise BadInput(f"row {number} does not fit the columns")
            yield {str(n).strip(): "" if v is None else _text(number, v) for n, v in record.items()}
    except (json.JSONDecodeError, csv.Error) as error:
        raise BadInput(f"the file is neither CSV nor JSON lines: {error}") from None


def _text(number: int, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > CELL:
        raise BadInput(f"row {number} has a cell of more than {CELL} characters")
    return text


def _long(number: int, record: Mapping[str, str], method: str) -> Row:
    for column in REQUIRED:
        if not record.get(column, "").strip():
            raise BadInput(
                f"row {number} has no {column!r}; a table needs the columns {', '.join(REQUIRED)}"
            )
    known = {name: record[name] for name in OPTIONAL if record.get(name)}
    faults = known.pop("shortcomings", "")
    seconds = known.pop("seconds", "0")
    return Row(
        record["item"],
        record["rater"],
        verdict(record["verdict"]),
        known.pop("method", method),
        seconds=_number(number, seconds),
        shortcomings=_shortcomings(faults),
        **known,
    )


def _number(number: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"row {number}: seconds must be a number from 0 up; got {text!r}")
    return value


def _shortcomings(text: str) -> tuple[str, ...]:
    names = json.loads(text) if text.startswith("[") else re.split(r"[,;|]", text)
    found = tuple(str(name).strip() for name in names if str(name).strip() not in ("", "none"))
    for name in found:
        if name not in scales.SHORTCOMINGS:
            raise unknown("shortcoming", name, scales.SHORTCOMINGS)
    return found


def verdict(text: str) -> str:
    """The verdict that a word or a number stands for."""
    plain = re.sub(r"[\s_-]", "", text.strip().lower())
    if plain in LETTERS:
        return LETTERS[plain]
    try:
        value = float(text)
    except ValueError:
        raise unknown("verdict", text[:40], scales.VERDICTS) from None
    for word, worth in scales.VERDICTS.items():
        if abs(worth - value) < 0.01:
            return word
    raise BadInput(f"a verdict in numbers is 1, 0.67, 0.33 or 0; got {text.strip()!r}")


def _wide(table: Iterable[Mapping[str, str]], method: str) -> Iterator[Row]:
    """FEB's forms: each has ten questions with the data's own explanation first or second.

    They name no raters, so the n-th form that shows a question is its n-th rater.
    """
    seen: dict[str, int] = {}
    for number, form in enumerate(table, 1):
        for column in form:
            match = FORM.fullmatch(column)
            if match and form[column].strip():
                yield from _question(number, match[1], form, seen, method)


def _question(
    number: int, nth: str, form: Mapping[str, str], seen: dict[str, int], method: str
) -> Iterator[Row]:
    question = form[f"Input.{nth}_ques_id"].strip()
    seen[question] = seen.get(question, 0) + 1
    gold = form.get(f"Input.{nth}_gt_idx", "").strip()
    if gold not in ("0", "1"):
        raise BadInput(f"form {number}: Input.{nth}_gt_idx must be 0 or 1; got {gold!r}")
    asked = [form.get(f"Input.question_{nth}{end}", "") for end in ("", "_i", "_j")]
    for place, end in enumerate("ij"):
        own = place == int(gold)
        answer = form.get(f"Answer.{nth}-e{place + 1}", "")
        if not answer.strip():
            continue
        yield Row(
            f"{question} {GOLD if own else method}",
            form.get("WorkerId") or f"rater {seen[question]}",
            verdict(answer),
            GOLD if own else method,
            label=form.get(f"Input.gt_{nth}", ""),
            explanation=form.get(f"Input.explanation_{nth}_{end}", ""),
            question=" | ".join(part for part in asked if part),
            answer=form.get(f"Answer.c{nth}", ""),
        )


def _store(book: Book, who: Actor, name: str, rows: list[Row]) -> Project:
    """Write the rows as a project nobody rates any more."""
    by_item: dict[str, list[Row]] = {}
    for row in rows:
        by_item.setdefault(row.item, []).append(row)
    for item, said in by_item.items():
        if len({row.rater for row in said}) < len(said):
            raise BadInput(f"item {item!r} has two verdicts of one rater")
    settings = ProjectSettings(
        overlap=min(max(map(len, by_item.values())), 50), checks=0, training=0, gold=False
    )
    facts = {"imported": len(rows), "methods": list(dict.fromkeys(row.method for row in rows))}
    listed = [_item(said[0]) for said in by_item.values()]
    project = store(book, name, "imported", settings, listed, facts, open_to_raters=False)
    ids = book.read(
        sa.select(ITEMS.c.id).where(ITEMS.c.project == project.id).order_by(ITEMS.c.number)
    )
    numbered = dict(zip(by_item, (row["id"] for row in ids), strict=True))
    _write(book, project.id, rows, numbered)
    return find(book, who, project.id)


def _item(row: Row) -> Item:
    return Item(
        "rating",
        row.item,
        row.label,
        (("question", row.question or row.item),),
        (),
        ((row.label, row.explanation),),
        (Origin(0, row.run, row.method),),
    )


def _write(book: Book, project: str, rows: list[Row], numbered: Mapping[str, str]) -> None:
    now = book.clock()
    raters = {name: book.new_id() for name in dict.fromkeys(row.rater for row in rows)}
    leases, answers, ratings = [], [], []
    position = dict.fromkeys(raters, 0)
    for row in rows:
        lease, rater = book.new_id(), raters[row.rater]
        said = scales.Judgement(
            verdict=row.verdict, shortcomings=row.shortcomings, comment=row.comment[:2000]
        )
        common = {"lease": lease, "rater": rater, "key": f"imported {lease}", "at": now}
        leases.append(
            {"id": lease, "project": project, "item": numbered[row.item], "rater": rater}
            | {"position": position[row.rater], "flipped": False, "state": "done"}
            | {"opened": now, "expires": now}
        )
        position[row.rater] += 1
        ratings.append(
            common
            | {"act": "rated", "judgement": said.model_dump(mode="json"), "seconds": row.seconds}
        )
        if row.answer:
            right = row.answer.strip().lower() == row.label.strip().lower()
            answers.append(common | {"answer": row.answer, "correct": right, "seconds": 0.0})
    with book.write() as connection:
        people = [
            {"id": rater, "project": project, "name": name[:80], "created": now, "active": False}
            for name, rater in raters.items()
        ]
        connection.execute(sa.insert(RATERS), people)
        connection.execute(sa.insert(LEASES), leases)
        connection.execute(sa.insert(RATINGS), ratings)
        if answers:
            connection.execute(sa.insert(ANSWERS), answers)
