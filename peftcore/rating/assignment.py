"""Who rates what: items are leased to raters, one at a time, in a random order of each rater's own.

An item has room while fewer raters than the overlap have rated it or hold it.  A lease that is not
renewed runs out, so nobody who leaves keeps an item; whoever comes back goes on with it if it still
has room.  The database itself refuses the same item twice for one rater.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating.access import Actor, NotAllowed, require_active, require_rater
from peftcore.rating.rater_view import Screen, screen
from peftcore.rating.schema import ITEMS, LEASES, PROJECTS, RATERS
from peftcore.rating.store import Book, found


class LeaseLost(BadInput):
    """The item has been given to somebody else in the meantime."""


@dataclass(frozen=True)
class Progress:
    """How far one rater is; `waiting` items are held by others and may come free."""

    done: int
    total: int
    skipped: int
    waiting: int


@dataclass(frozen=True)
class Shelf:
    """A project as one rater finds it, read within one transaction."""

    rater: str
    kinds: Mapping[str, str]  # item → its kind, by number
    own: Mapping[str, sa.RowMapping]  # item → the rater's lease, by position
    taken: Mapping[str, int]  # item → other raters who have rated it or hold it
    held: Mapping[str, int]  # item → other raters who hold it just now
    overlap: int
    quota: int
    now: float

    def room(self, item: str) -> bool:
        """Whether one more rater may have the item; training and checks are for everybody."""
        return self.kinds[item] != "rating" or self.taken.get(item, 0) < self.overlap

    def of_kind(self, kind: str) -> list[str]:
        """Items of a kind, by number."""
        return [item for item, its in self.kinds.items() if its == kind]

    def used(self) -> int:
        """How many items the rater has rated or holds, of those that count."""
        mine = [row["state"] for item, row in self.own.items() if self.kinds[item] == "rating"]
        return sum(state != "skipped" for state in mine)

    def fresh(self) -> list[str]:
        """Items that count, have room and are new to the rater, in the rater's order."""
        left = [item for item in self.of_kind("rating") if item not in self.own and self.room(item)]
        return sorted(left, key=lambda item: chance(self.rater, item))

    def following(self) -> str | None:
        """The item that comes next: training first, checks spread over the way."""
        training = [item for item in self.of_kind("training") if item not in self.own]
        if training:
            return training[0]
        if self.used() >= self.quota:
            return None
        fresh, checks = self.fresh(), self.of_kind("check")
        way = min(self.quota, len(self.of_kind("rating")))
        for place, item in enumerate(checks):
            due = way * (place + chance(self.rater, item)) / len(checks)
            if item not in self.own and self.used() >= int(due):
                return item
        return fresh[0] if fresh else None


def next_item(book: Book, who: Actor) -> Screen | None:
    """The item this rater is at, or a new one; None when there is none for them now."""
    require_rater(who)
    with book.write() as connection:
        project = open_project(book, connection, who)
        shelf = shelve(connection, who, project, book.clock())
        expires = shelf.now + project["settings"]["lease_minutes"] * 60
        lease = _current(shelf)
        if lease:
            change = sa.update(LEASES).where(LEASES.c.id == lease).values(expires=expires)
            connection.execute(change)
        else:
            item = shelf.following()
            if item is None:
                return None
            lease = book.new_id()
            connection.execute(
                sa.insert(LEASES).values(
                    id=lease,
                    project=who.project,
                    item=item,
                    rater=who.rater,
                    position=len(shelf.own),
                    flipped=chance(who.rater, f"side of {item}") < 0.5,
                    state="open",
                    opened=shelf.now,
                    expires=expires,
                )
            )
    return screen(book, who, lease)


def go_to(book: Book, who: Actor, lease: str) -> Screen:
    """An item the rater has had; one that was skipped is open again if it still has room."""
    require_rater(who)
    with book.write() as connection:
        project = open_project(book, connection, who)
        row = own_lease(connection, who, lease)
        if row["state"] == "skipped":
            keep(connection, who, project, row, book.clock())
    return screen(book, who, lease)


def progress(book: Book, who: Actor) -> Progress:
    """How far this rater is."""
    require_rater(who)
    query = (
        sa.select(PROJECTS, RATERS.c.active)
        .join(RATERS, RATERS.c.project == PROJECTS.c.id)
        .where(PROJECTS.c.id == who.project, RATERS.c.id == who.rater)
    )
    project = found(book.one(query), "project", who.project)
    require_active(project["active"])
    with book.reading() as connection:
        shelf = shelve(connection, who, project, book.clock())
    states = Counter(lease["state"] for lease in shelf.own.values())
    mine = [item for item in shelf.of_kind("rating") if item not in shelf.own]
    waiting = sum(not shelf.room(item) and shelf.held.get(item, 0) > 0 for item in mine)
    extra = [i for kind in ("training", "check") for i in shelf.of_kind(kind) if i not in shelf.own]
    left = min(len(shelf.fresh()), max(0, shelf.quota - shelf.used()))
    total = states["done"] + states["open"] + left + (len(extra) if left else 0)
    return Progress(states["done"], total, states["skipped"], waiting)


def open_project(book: Book, connection: sa.Connection, who: Actor) -> sa.RowMapping:
    """The rater's project, locked; NotAllowed if it is closed or their link was withdrawn."""
    project = book.project_locked(connection, who.project)
    if project["state"] != "open":
        raise NotAllowed("this project is closed; nothing is rated in it any more")
    query = sa.select(RATERS.c.active).where(
        RATERS.c.id == who.rater, RATERS.c.project == who.project
    )
    require_active(connection.execute(query).scalar())
    return project


def own_lease(connection: sa.Connection, who: Actor, lease: str) -> sa.RowMapping:
    """The rater's own lease; anybody else's reads as if it were not there."""
    query = sa.select(LEASES).where(LEASES.c.id == lease, LEASES.c.rater == who.rater)
    return found(connection.execute(query).mappings().first(), "item", lease)


def keep(
    connection: sa.Connection, who: Actor, project: sa.RowMapping, row: sa.RowMapping, now: float
) -> float:
    """Hold on to a lease that is not done; LeaseLost if it ran out and its place is taken."""
    counted = row["state"] == "open" and row["expires"] > now
    if not counted and not shelve(connection, who, project, now).room(row["item"]):
        raise LeaseLost(
            "this item has gone to another rater because it lay untouched for too long; "
            "go on with the next one"
        )
    expires = now + project["settings"]["lease_minutes"] * 60
    change = sa.update(LEASES).where(LEASES.c.id == row["id"])
    connection.execute(change.values(state="open", expires=expires))
    return float(expires)


def shelve(connection: sa.Connection, who: Actor, project: sa.RowMapping, now: float) -> Shelf:
    """What is there for a rater at this moment."""
    here = {"project": who.project, "rater": who.rater, "now": now}
    items = connection.execute(ITEM_KINDS, here).all()
    own = {row["item"]: row for row in connection.execute(OWN_LEASES, here).mappings()}
    others = connection.execute(OTHERS_LEASES, here).all()
    settings = project["settings"]
    return Shelf(
        who.rater,
        {row.id: row.kind for row in items},
        own,
        {row.item: row.taken for row in others},
        {row.item: row.held for row in others},
        settings["overlap"],
        settings["items_per_rater"] or len(items),
        now,
    )


HELD = sa.and_(LEASES.c.state == "open", LEASES.c.expires > sa.bindparam("now"))
ITEM_KINDS = (  # these are built once: building a query takes longer than running it
    sa.select(ITEMS.c.id, ITEMS.c.kind)
    .where(ITEMS.c.project == sa.bindparam("project"))
    .order_by(ITEMS.c.number)
)
OWN_LEASES = (
    sa.select(LEASES.c.id, LEASES.c.item, LEASES.c.state, LEASES.c.expires)
    .where(LEASES.c.project == sa.bindparam("project"), LEASES.c.rater == sa.bindparam("rater"))
    .order_by(LEASES.c.position)
)
OTHERS_LEASES = (
    sa.select(
        LEASES.c.item,
        sa.func.count().label("taken"),
        sa.func.count(sa.case((HELD, 1))).label("held"),
    )
    .where(
        LEASES.c.project == sa.bindparam("project"),
        LEASES.c.rater != sa.bindparam("rater"),
        sa.or_(LEASES.c.state == "done", HELD),
    )
    .group_by(LEASES.c.item)
)


def _current(shelf: Shelf) -> str | None:
    """The lease the rater is at: the first open one that is still theirs or has room again."""
    for item, row in shelf.own.items():
        if row["state"] == "open" and (row["expires"] > shelf.now or shelf.room(item)):
            return str(row["id"])
    return None


def chance(rater: str, item: str) -> float:
    """A number in [0, 1) that looks random and is the same in every process."""
    digest = hashlib.sha256(f"{rater}/{item}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56
