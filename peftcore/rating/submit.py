"""What a rater submits for an item: answer, draft, rating, skip, withdrawal.

Every write carries a key made by the caller and counts once however often it arrives. Nothing is
overwritten: a change is a new row that supersedes the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput, unknown_name
from peftcore.rating import item_sampling, scales
from peftcore.rating.access import NotAllowed, RatingUser, require_rater
from peftcore.rating.assignment import find_own_lease, lock_open_project, renew_lease
from peftcore.rating.rater_view import Screen, read_screen
from peftcore.rating.schema import ANSWERS, DRAFTS, ITEMS, LEASES, RATINGS
from peftcore.rating.store import RatingStore
from peftcore.system import notices

MAX_SECONDS = 86_400.0  # seconds spent on one item that are believed
MAX_DRAFT_CHARACTERS = 20_000  # characters


@dataclass(frozen=True)
class StoredRating:
    """A rating that is in the store for good; `repeated` if it was before this call."""

    id: int
    repeated: bool
    feedback: str = ""  # what a training item teaches


def submit_answer(
    store: RatingStore,
    user: RatingUser,
    lease: str,
    text: str,
    key: str,
    seconds: float | None = None,
) -> Screen:
    """Store the rater's own answer and show the explanations; the first answer stays."""
    require_rater(user)
    _check_key(key)
    now = store.clock()
    with store.write() as connection:
        project = lock_open_project(store, connection, user)
        row = find_own_lease(connection, user, lease)
        existing = sa.select(ANSWERS.c.id).where(ANSWERS.c.lease == lease)
        if connection.execute(existing).first() is None:
            _require_unused_key(connection, user, key)
            renew_lease(connection, user, project, row, now)
            item = _item_row(connection, row)
            answer_text = _match_option(text, item["options"])
            connection.execute(
                sa.insert(ANSWERS).values(
                    lease=lease,
                    rater=user.rater,
                    key=key,
                    answer=answer_text,
                    correct=_normalize(answer_text) == _normalize(item["label"]),
                    seconds=_bounded_seconds(seconds, now - row["opened"]),
                    at=now,
                )
            )
    return read_screen(store, user, lease)


def save_draft(
    store: RatingStore, user: RatingUser, lease: str, content: Mapping[str, Any], version: int
) -> float:
    """Store an unfinished rating and renew the lease; return its end in epoch seconds.

    A version that is not newer than the stored one is ignored, so late arrivals do no harm.
    """
    require_rater(user)
    values = {"content": dict(content), "version": version, "at": store.clock()}
    if len(repr(content)) > MAX_DRAFT_CHARACTERS:
        raise BadInput(f"a draft may have {MAX_DRAFT_CHARACTERS} characters; this one is longer")
    with store.write() as connection:
        project = lock_open_project(store, connection, user)
        row = find_own_lease(connection, user, lease)
        stored = connection.execute(sa.select(DRAFTS.c.version).where(DRAFTS.c.lease == lease))
        stored_version = stored.scalar()
        if stored_version is None:
            connection.execute(sa.insert(DRAFTS).values(lease=lease, **values))
        elif version > stored_version:
            connection.execute(sa.update(DRAFTS).where(DRAFTS.c.lease == lease).values(**values))
        if row["state"] != "open":
            return float(row["expires"])
        return renew_lease(connection, user, project, row, store.clock())


def submit_rating(
    store: RatingStore,
    user: RatingUser,
    lease: str,
    judgement: scales.Judgement,
    key: str,
    seconds: float | None = None,
) -> StoredRating:
    """Store a judgement; an earlier one is superseded and kept."""
    return _record_act(store, user, lease, "rated", judgement, key, seconds)


def skip_item(store: RatingStore, user: RatingUser, lease: str, key: str) -> StoredRating:
    """Leave an item to others; the rater can come back to it."""
    return _record_act(store, user, lease, "skipped", None, key, None)


def withdraw_rating(store: RatingStore, user: RatingUser, lease: str, key: str) -> StoredRating:
    """Withdraw a rating: the item is open again, and the rating is kept as superseded."""
    return _record_act(store, user, lease, "withdrawn", None, key, None)


LEASE_STATES = {"rated": "done", "skipped": "skipped", "withdrawn": "open"}


def _record_act(
    store: RatingStore,
    user: RatingUser,
    lease: str,
    act: str,
    judgement: scales.Judgement | None,
    key: str,
    seconds: float | None,
) -> StoredRating:
    """Store one act on an item, once per key."""
    require_rater(user)
    _check_key(key)
    now = store.clock()
    judgement_values = judgement.model_dump(mode="json") if judgement else {}
    with store.write() as connection:
        project = lock_open_project(store, connection, user)
        row = find_own_lease(connection, user, lease)
        item = _item_row(connection, row)
        same_key = sa.select(RATINGS).where(RATINGS.c.rater == user.rater, RATINGS.c.key == key)
        existing = connection.execute(same_key).mappings().first()
        if existing:
            if (existing["lease"], existing["act"], existing["judgement"]) != (
                lease,
                act,
                judgement_values,
            ):
                raise BadInput(f"the key {key!r} was used for something else; make a new one")
            return StoredRating(existing["id"], True, _feedback_after(item, row, act))
        if judgement:
            scales.check_judgement(judgement, project["settings"]["mode"])
        answered_at = _answered_at(connection, lease)
        if judgement and answered_at is None:
            raise NotAllowed("answer the question first; only then is an explanation shown")
        if row["state"] != "done" and act != "skipped":  # a skipped item needs no capacity
            renew_lease(connection, user, project, row, now)
        rating_id = connection.execute(
            sa.insert(RATINGS)
            .values(
                lease=lease,
                rater=user.rater,
                key=key,
                act=act,
                judgement=judgement_values,
                seconds=_bounded_seconds(seconds, now - (answered_at or row["opened"])),
                at=now,
                supersedes=_latest_rating(connection, lease),
            )
            .returning(RATINGS.c.id)
        ).scalar_one()
        values = {"state": LEASE_STATES[act]}
        if act == "withdrawn":
            minutes = project["settings"]["lease_minutes"]
            values |= {"expires": now + minutes * 60}
        connection.execute(sa.update(LEASES).where(LEASES.c.id == lease).values(**values))
        ended = act == "rated" and row["state"] != "done" and not project["demo"]
        completed = ended and _is_complete(connection, project)
    if completed:
        title = f"Rating project {project['name']} is complete"
        notices.send_soon(notices.Notice("rating", project["id"], "done", title))
    return StoredRating(rating_id, False, _feedback_after(item, row, act))


def _is_complete(connection: sa.Connection, project: sa.RowMapping) -> bool:
    """Return whether every item that counts has as many ratings as the project wants."""
    counts = (
        sa.select(ITEMS.c.id, sa.func.count(LEASES.c.id).label("ratings"))
        .outerjoin(LEASES, sa.and_(LEASES.c.item == ITEMS.c.id, LEASES.c.state == "done"))
        .where(ITEMS.c.project == project["id"], ITEMS.c.kind == "rating")
        .group_by(ITEMS.c.id)
        .subquery()
    )
    lacking = sa.select(sa.func.count()).where(counts.c.ratings < project["settings"]["overlap"])
    return connection.execute(lacking.select_from(counts)).scalar_one() == 0


def _item_row(connection: sa.Connection, row: sa.RowMapping) -> sa.RowMapping:
    """Return the item of a lease."""
    return connection.execute(sa.select(ITEMS).where(ITEMS.c.id == row["item"])).mappings().one()


def _latest_rating(connection: sa.Connection, lease: str) -> int | None:
    """Return the id of a lease's newest rating, or None."""
    query = sa.select(sa.func.max(RATINGS.c.id)).where(RATINGS.c.lease == lease)
    return connection.execute(query).scalar()


def _answered_at(connection: sa.Connection, lease: str) -> float | None:
    """Return when the rater answered the question themselves; None if not yet."""
    query = sa.select(ANSWERS.c.at).where(ANSWERS.c.lease == lease)
    return connection.execute(query).scalar()


def _require_unused_key(connection: sa.Connection, user: RatingUser, key: str) -> None:
    """Raise BadInput if this rater used the key for something else."""
    query = sa.select(ANSWERS.c.id).where(ANSWERS.c.rater == user.rater, ANSWERS.c.key == key)
    if connection.execute(query).first():
        raise BadInput(f"the key {key!r} was used for something else; make a new one")


def _match_option(text: str, options: list[str]) -> str:
    """Return the answer in the options' own spelling."""
    if not options:
        if not text.strip() or len(text) > 500:
            raise BadInput("answer in 1 to 500 characters")
        return text.strip()
    for option in options:
        if _normalize(option) == _normalize(text):
            return option
    raise unknown_name("answer", text[:80], options)


def _normalize(text: str) -> str:
    """Lower the case and collapse spaces."""
    return " ".join(text.lower().split())


def _feedback_after(item: sa.RowMapping, lease: sa.RowMapping, act: str) -> str:
    """Return the feedback after a rating of a training item, else ""."""
    is_training = act == "rated" and item["kind"] == "training"
    return (
        item_sampling.training_feedback(item["feedback"], lease["flipped"]) if is_training else ""
    )


def _bounded_seconds(reported: float | None, default: float) -> float:
    """Clip reported seconds to what is plausible."""
    seconds = default if reported is None else reported
    return min(max(float(seconds), 0.0), MAX_SECONDS)


def _check_key(key: str) -> None:
    """Raise BadInput unless the key has 1 to 80 characters."""
    if not 1 <= len(key) <= 80:
        raise BadInput(f"a key has 1 to 80 characters; got {len(key)}")
