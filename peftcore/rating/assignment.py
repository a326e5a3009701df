"""Assignment: lease items to raters, one at a time, in a random order of each rater's own.

An item has capacity while fewer raters than the overlap have rated it or have a lease on it. A
lease that is not renewed runs out, so a rater who leaves blocks no item; one who comes back
continues with it if it still has capacity. The database itself refuses the same item twice for one
rater.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating.access import (
    NotAllowed,
    RatingUser,
    require_active,
    require_link,
    require_rater,
)
from peftcore.rating.rater_view import Screen, read_screen
from peftcore.rating.schema import ANSWERS, ITEMS, LEASES, PROJECTS, RATERS, REPEATED_KEY
from peftcore.rating.store import RatingStore, require_row


class LeaseLost(BadInput):
    """The lease ran out and another rater has the item now."""


@dataclass(frozen=True)
class RaterProgress:
    """Progress of one rater; `waiting` items are leased to others and may come free."""

    done: int
    total: int
    skipped: int
    waiting: int


@dataclass(frozen=True)
class RaterQueue:
    """A project's items from one rater's view, read within one transaction."""

    rater: str
    kind_by_item: Mapping[str, str]  # item → its kind, in the order of the items' numbers
    own_leases: Mapping[str, sa.RowMapping]  # item → the rater's lease, by position
    other_claims: Mapping[str, int]  # item → other raters who have rated or leased it
    other_open_leases: Mapping[str, int]  # item → other raters with a lease on it now
    overlap: int  # raters wanted for each item
    quota: int  # items that one rater rates at most
    now: float  # epoch seconds; one moment for all decisions of a transaction

    def has_capacity(self, item: str) -> bool:
        """Return whether one more rater may have the item; training and checks are for all."""
        # Everybody gets training items and checks; only items that count are shared out.
        return self.kind_by_item[item] != "rating" or self.other_claims.get(item, 0) < self.overlap

    def items_of_kind(self, kind: str) -> list[str]:
        """List the items of a kind, by number."""
        return [item for item, item_kind in self.kind_by_item.items() if item_kind == kind]

    def counted_items(self) -> int:
        """Count the rater's items that are rated or leased, without training and checks."""
        states = [
            row["state"]
            for item, row in self.own_leases.items()
            if self.kind_by_item[item] == "rating"
        ]
        # A skipped item takes no share of the quota: the rater gets another one instead.
        return sum(state != "skipped" for state in states)

    def available_items(self) -> list[str]:
        """List items that count, have capacity and are new to the rater, in their order."""
        candidates = [
            item
            for item in self.items_of_kind("rating")
            if item not in self.own_leases and self.has_capacity(item)
        ]
        # Another order for every rater, so that overlaps spread over all items; and the same
        # order at every call, so that nothing has to be stored.
        return sorted(candidates, key=lambda item: hash_uniform(self.rater, item))

    def choose_next(self) -> str | None:
        """Choose the rater's next item, or None.

        Training items come first; attention checks are spread evenly over the way.
        """
        training = [item for item in self.items_of_kind("training") if item not in self.own_leases]
        if training:
            return training[0]
        if self.counted_items() >= self.quota:
            return None
        # Checks ask whether a rater reads at all, so they come on top of the quota.
        available, checks = self.available_items(), self.items_of_kind("check")
        # Each check falls due somewhere in its own equal part of the way: spread evenly, but at
        # places that raters cannot predict.
        expected_total = min(self.quota, len(self.items_of_kind("rating")))
        for index, item in enumerate(checks):
            due_after = expected_total * (index + hash_uniform(self.rater, item)) / len(checks)
            if item not in self.own_leases and self.counted_items() >= int(due_after):
                return item
        return available[0] if available else None


def next_item(store: RatingStore, user: RatingUser) -> Screen | None:
    """Return the screen of the rater's current item or a new one; None if there is none now."""
    require_rater(user)
    with store.write() as connection:
        # Under the project's lock: two raters must not take the last place of an item at once.
        project = lock_open_project(store, connection, user)
        queue = build_rater_queue(connection, user, project, store.clock())
        expires = queue.now + project["settings"]["lease_minutes"] * 60
        lease = _current_lease(queue)
        if lease:
            # Coming back (a reload, another device) continues with the item and its draft.
            change = sa.update(LEASES).where(LEASES.c.id == lease).values(expires=expires)
            connection.execute(change)
        else:
            item = queue.choose_next()
            if item is None:
                return None
            lease = store.new_id()
            connection.execute(
                sa.insert(LEASES).values(
                    id=lease,
                    project=user.project,
                    item=item,
                    rater=user.rater,
                    position=len(queue.own_leases),
                    # Half of a pair's raters see its texts the other way round.
                    flipped=hash_uniform(user.rater, f"side of {item}") < 0.5,
                    state="open",
                    opened=queue.now,
                    expires=expires,
                )
            )
            if queue.kind_by_item[item] == "rating":
                _repeat_answer(connection, user, item, lease, queue.now)
    # Outside the write: reading must not make other raters wait.
    return read_screen(store, user, lease)


def _repeat_answer(
    connection: sa.Connection, user: RatingUser, item: str, lease: str, now: float
) -> None:
    """Store the answer that the rater has given to the same example, if there is one.

    Items of one example differ in the explanation only; asked again, people answer by heart.
    """
    found = connection.execute(ANSWER_TO_EXAMPLE, {"rater": user.rater, "item": item}).first()
    if found is not None:
        values = {"answer": found.answer, "correct": found.correct, "seconds": 0.0, "at": now}
        key = f"{REPEATED_KEY}{lease}"
        connection.execute(
            sa.insert(ANSWERS).values(lease=lease, rater=user.rater, key=key, **values)
        )


def go_to_item(store: RatingStore, user: RatingUser, lease: str) -> Screen:
    """Return to an earlier item; a skipped one is leased again if it has capacity."""
    require_rater(user)
    with store.write() as connection:
        project = lock_open_project(store, connection, user)
        row = find_own_lease(connection, user, lease)
        if row["state"] == "skipped":
            renew_lease(connection, user, project, row, store.clock())
    return read_screen(store, user, lease)


def rater_progress(store: RatingStore, user: RatingUser) -> RaterProgress:
    """Count the rater's done, skipped, remaining and waiting items."""
    require_rater(user)
    query = (
        sa.select(PROJECTS, RATERS.c.active)
        .join(RATERS, RATERS.c.project == PROJECTS.c.id)
        .where(PROJECTS.c.id == user.project, RATERS.c.id == user.rater)
    )
    project = require_row(store.first_row(query), "project", user.project)
    require_active(project["active"])
    # Progress is shown, not acted on, so a read without the lock is good enough.
    with store.read_only() as connection:
        queue = build_rater_queue(connection, user, project, store.clock())
    states = Counter(lease["state"] for lease in queue.own_leases.values())
    new_items = [item for item in queue.items_of_kind("rating") if item not in queue.own_leases]
    waiting = sum(
        not queue.has_capacity(item) and queue.other_open_leases.get(item, 0) > 0
        for item in new_items
    )
    unseen_extras = [
        i
        for kind in ("training", "check")
        for i in queue.items_of_kind(kind)
        if i not in queue.own_leases
    ]
    remaining = min(len(queue.available_items()), max(0, queue.quota - queue.counted_items()))
    # Checks and training come only between other items, so without any left none will come.
    total = states["done"] + states["open"] + remaining + (len(unseen_extras) if remaining else 0)
    return RaterProgress(states["done"], total, states["skipped"], waiting)


def lock_open_project(
    store: RatingStore, connection: sa.Connection, user: RatingUser
) -> sa.RowMapping:
    """Lock the rater's project; NotAllowed if it is closed or their link was withdrawn."""
    project = store.lock_project(connection, user.project)
    if project["state"] != "open":
        raise NotAllowed("this project is closed; nothing is rated in it any more")
    query = sa.select(RATERS).where(RATERS.c.id == user.rater, RATERS.c.project == user.project)
    # Read again here: the link may have been closed or replaced, or have ended, since the sign-in.
    require_link(user, connection.execute(query).mappings().first(), store.clock())
    return project


def find_own_lease(connection: sa.Connection, user: RatingUser, lease: str) -> sa.RowMapping:
    """Return the rater's own lease; BadInput for others', as if they did not exist."""
    query = sa.select(LEASES).where(LEASES.c.id == lease, LEASES.c.rater == user.rater)
    return require_row(connection.execute(query).mappings().first(), "item", lease)


def renew_lease(
    connection: sa.Connection,
    user: RatingUser,
    project: sa.RowMapping,
    row: sa.RowMapping,
    now: float,
) -> float:
    """Renew a lease that is not done; LeaseLost if it ran out and the item has no capacity."""
    # A lease that ran out is still good while nobody has taken the item's place.
    is_current = row["state"] == "open" and row["expires"] > now
    if not is_current and not build_rater_queue(connection, user, project, now).has_capacity(
        row["item"]
    ):
        raise LeaseLost(
            "this item has gone to another rater because it lay untouched for too long; "
            "go on with the next one"
        )
    expires = now + project["settings"]["lease_minutes"] * 60
    change = sa.update(LEASES).where(LEASES.c.id == row["id"])
    connection.execute(change.values(state="open", expires=expires))
    return float(expires)


def build_rater_queue(
    connection: sa.Connection, user: RatingUser, project: sa.RowMapping, now: float
) -> RaterQueue:
    """Read the project from this rater's view at this moment."""
    bindings = {"project": user.project, "rater": user.rater, "now": now}
    items = connection.execute(ITEM_KINDS, bindings).all()
    own = {row["item"]: row for row in connection.execute(OWN_LEASES, bindings).mappings()}
    others = connection.execute(OTHER_LEASE_COUNTS, bindings).all()
    settings = project["settings"]
    return RaterQueue(
        user.rater,
        {row.id: row.kind for row in items},
        own,
        {row.item: row.other_claims for row in others},
        {row.item: row.other_open_leases for row in others},
        settings["overlap"],
        settings["items_per_rater"] or len(items),  # 0: no quota
        now,
    )


UNEXPIRED_LEASE = sa.and_(LEASES.c.state == "open", LEASES.c.expires > sa.bindparam("now"))
# These queries are built once, since building one takes longer than running it.
ITEM_KINDS = (
    sa.select(ITEMS.c.id, ITEMS.c.kind)
    .where(ITEMS.c.project == sa.bindparam("project"))
    .order_by(ITEMS.c.number)
)
OWN_LEASES = (
    sa.select(LEASES.c.id, LEASES.c.item, LEASES.c.state, LEASES.c.expires)
    .where(LEASES.c.project == sa.bindparam("project"), LEASES.c.rater == sa.bindparam("rater"))
    .order_by(LEASES.c.position)
)
_SAME = ITEMS.alias("same")
ANSWER_TO_EXAMPLE = (  # the rater's first to any item of an item's example
    sa.select(ANSWERS.c.answer, ANSWERS.c.correct)
    .join(LEASES, LEASES.c.id == ANSWERS.c.lease)
    .join(ITEMS, ITEMS.c.id == LEASES.c.item)
    .join(_SAME, sa.and_(_SAME.c.example == ITEMS.c.example, _SAME.c.project == ITEMS.c.project))
    .where(ANSWERS.c.rater == sa.bindparam("rater"), _SAME.c.id == sa.bindparam("item"))
    .order_by(ANSWERS.c.id)
    .limit(1)
)
OTHER_LEASE_COUNTS = (
    sa.select(
        LEASES.c.item,
        sa.func.count().label("other_claims"),
        sa.func.count(sa.case((UNEXPIRED_LEASE, 1))).label("other_open_leases"),
    )
    .where(
        LEASES.c.project == sa.bindparam("project"),
        LEASES.c.rater != sa.bindparam("rater"),
        # A lease that ran out claims nothing, and neither does a skipped one.
        sa.or_(LEASES.c.state == "done", UNEXPIRED_LEASE),
    )
    .group_by(LEASES.c.item)
)


def _current_lease(queue: RaterQueue) -> str | None:
    """Return the rater's first open lease that is valid or has capacity again, or None."""
    for item, row in queue.own_leases.items():
        if row["state"] == "open" and (row["expires"] > queue.now or queue.has_capacity(item)):
            return str(row["id"])
    return None


def hash_uniform(rater: str, item: str) -> float:
    """Hash rater and item to a number in [0, 1), the same in every process."""
    # Not `hash`, which is seeded anew in every process.
    digest = hashlib.sha256(f"{rater}/{item}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56
