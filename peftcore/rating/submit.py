"""What a rater does with an item: answer, draft, rate, skip, take back.

Every write carries a key of the caller's making and counts once however often it arrives.  Nothing
that was said is overwritten: a change is a new row that supersedes the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput, unknown
from peftcore.rating import item_sampling, scales
from peftcore.rating.access import Actor, NotAllowed, require_rater
from peftcore.rating.assignment import keep, open_project, own_lease
from peftcore.rating.rater_view import Screen, screen
from peftcore.rating.schema import ANSWERS, DRAFTS, ITEMS, LEASES, RATINGS
from peftcore.rating.store import Book

LONGEST = 86_400.0  # seconds spent on one item that are believed
DRAFT_SIZE = 20_000  # characters


@dataclass(frozen=True)
class Written:
    """A rating that is in the book for good; `repeated` if it had been before this call."""

    id: int
    repeated: bool
    feedback: str = ""  # what a training item teaches


def answer(
    book: Book, who: Actor, lease: str, text: str, key: str, seconds: float | None = None
) -> Screen:
    """Store the rater's own answer and show the explanations; the first answer stays."""
    require_rater(who)
    _check_key(key)
    now = book.clock()
    with book.write() as connection:
        project = open_project(book, connection, who)
        row = own_lease(connection, who, lease)
        told = sa.select(ANSWERS.c.id).where(ANSWERS.c.lease == lease)
        if connection.execute(told).first() is None:
            _require_new(connection, who, key)
            keep(connection, who, project, row, now)
            item = _item(connection, row)
            given = _among(text, item["options"])
            connection.execute(
                sa.insert(ANSWERS).values(
                    lease=lease,
                    rater=who.rater,
                    key=key,
                    answer=given,
                    correct=_plain(given) == _plain(item["label"]),
                    seconds=_seconds(seconds, now - row["opened"]),
                    at=now,
                )
            )
    return screen(book, who, lease)


def save_draft(
    book: Book, who: Actor, lease: str, content: Mapping[str, Any], version: int
) -> float:
    """Keep what is not said yet and renew the lease; returns when that ends, in epoch seconds.

    A version that is not newer than the stored one is left out, so late arrivals do no harm.
    """
    require_rater(who)
    values = {"content": dict(content), "version": version, "at": book.clock()}
    if len(repr(content)) > DRAFT_SIZE:
        raise BadInput(f"a draft may have {DRAFT_SIZE} characters; this one is longer")
    with book.write() as connection:
        project = open_project(book, connection, who)
        row = own_lease(connection, who, lease)
        stored = connection.execute(sa.select(DRAFTS.c.version).where(DRAFTS.c.lease == lease))
        old = stored.scalar()
        if old is None:
            connection.execute(sa.insert(DRAFTS).values(lease=lease, **values))
        elif version > old:
            connection.execute(sa.update(DRAFTS).where(DRAFTS.c.lease == lease).values(**values))
        if row["state"] != "open":
            return float(row["expires"])
        return keep(connection, who, project, row, book.clock())


def rate(
    book: Book,
    who: Actor,
    lease: str,
    judgement: scales.Judgement,
    key: str,
    seconds: float | None = None,
) -> Written:
    """Store a judgement; one that was there before is superseded and kept."""
    return _act(book, who, lease, "rated", judgement, key, seconds)


def skip(book: Book, who: Actor, lease: str, key: str) -> Written:
    """Leave an item to others; the rater can come back to it."""
    return _act(book, who, lease, "skipped", None, key, None)


def withdraw(book: Book, who: Actor, lease: str, key: str) -> Written:
    """Undo: the item is open again, and what had been said is kept as superseded."""
    return _act(book, who, lease, "withdrawn", None, key, None)


STATES = {"rated": "done", "skipped": "skipped", "withdrawn": "open"}


def _act(
    book: Book,
    who: Actor,
    lease: str,
    act: str,
    judgement: scales.Judgement | None,
    key: str,
    seconds: float | None,
) -> Written:
    require_rater(who)
    _check_key(key)
    now = book.clock()
    said = judgement.model_dump(mode="json") if judgement else {}
    with book.write() as connection:
        project = open_project(book, connection, who)
        row = own_lease(connection, who, lease)
        item = _item(connection, row)
        same = sa.select(RATINGS).where(RATINGS.c.rater == who.rater, RATINGS.c.key == key)
        before = connection.execute(same).mappings().first()
        if before:
            if (before["lease"], before["act"], before["judgement"]) != (lease, act, said):
                raise BadInput(f"the key {key!r} was used for something else; make a new one")
            return Written(before["id"], True, _lesson(item, row, act))
        if judgement:
            scales.check(judgement, project["settings"]["mode"])
        answered = _answered(connection, lease)
        if judgement and answered is None:
            raise NotAllowed("answer the question first; only then is an explanation shown")
        if row["state"] != "done" and act != "skipped":  # whoever leaves it needs no place
            keep(connection, who, project, row, now)
        written = connection.execute(
            sa.insert(RATINGS)
            .values(
                lease=lease,
                rater=who.rater,
                key=key,
                act=act,
                judgement=said,
                seconds=_seconds(seconds, now - (answered or row["opened"])),
                at=now,
                supersedes=_latest(connection, lease),
            )
            .returning(RATINGS.c.id)
        ).scalar_one()
        values = {"state": STATES[act]}
        if act == "withdrawn":
            minutes = project["settings"]["lease_minutes"]
            values |= {"expires": now + minutes * 60}
        connection.execute(sa.update(LEASES).where(LEASES.c.id == lease).values(**values))
    return Written(written, False, _lesson(item, row, act))


def _item(connection: sa.Connection, row: sa.RowMapping) -> sa.RowMapping:
    return connection.execute(sa.select(ITEMS).where(ITEMS.c.id == row["item"])).mappings().one()


def _latest(connection: sa.Connection, lease: str) -> int | None:
    query = sa.select(sa.func.max(RATINGS.c.id)).where(RATINGS.c.lease == lease)
    return connection.execute(query).scalar()


def _answered(connection: sa.Connection, lease: str) -> float | None:
    """When the rater answered the question themselves; None if not yet."""
    query = sa.select(ANSWERS.c.at).where(ANSWERS.c.lease == lease)
    return connection.execute(query).scalar()


def _require_new(connection: sa.Connection, who: Actor, key: str) -> None:
    query = sa.select(ANSWERS.c.id).where(ANSWERS.c.rater == who.rater, ANSWERS.c.key == key)
    if connection.execute(query).first():
        raise BadInput(f"the key {key!r} was used for something else; make a new one")


def _among(text: str, options: list[str]) -> str:
    """The answer as the options write it."""
    if not options:
        if not text.strip() or len(text) > 500:
            raise BadInput("answer in 1 to 500 characters")
        return text.strip()
    for option in options:
        if _plain(option) == _plain(text):
            return option
    raise unknown("answer", text[:80], options)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _lesson(item: sa.RowMapping, lease: sa.RowMapping, act: str) -> str:
    taught = act == "rated" and item["kind"] == "training"
    return item_sampling.lesson(item["feedback"], lease["flipped"]) if taught else ""


def _seconds(told: float | None, otherwise: float) -> float:
    seconds = otherwise if told is None else told
    return min(max(float(seconds), 0.0), LONGEST)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 80:
        raise BadInput(f"a key has 1 to 80 characters; got {len(key)}")
