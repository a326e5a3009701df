"""What somebody may do to runs, tables, bases, the queue and projects: checked, owned, noted.

Everything that begins or changes something calls `start`, `change` or `administer` first.  An
object is named "run 0123456789ab" or "table ab12"; who began it owns it.  What has no owner, as all
that was made before there were owners or without a name, any experimenter may change.  Acts of
people with a name are noted in a table that is only added to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from peftcore.errors import BadInput
from peftcore.system import people

if TYPE_CHECKING:
    from peftcore.system.database import Database


class NotAllowed(BadInput):
    """An attempt to do what somebody's role, link or ownership does not cover."""


@dataclass(frozen=True)
class Act:
    """A row of the audit log; `at` is in epoch seconds."""

    at: float
    person: str
    role: str
    act: str
    object: str
    allowed: bool


def start(act: str, thing: str) -> None:
    """Begin something, which becomes this person's unless it has an owner; for experimenters."""
    person = people.who()
    _check_and_note(person, act, thing, _refusal_to_work(person))
    if person.name:
        _own(thing, person.name)


def require_maker() -> None:
    """Raise NotAllowed for who may not begin anything; asked before anything is made."""
    if refusal := _refusal_to_work(people.who()):
        raise NotAllowed(refusal)


def change(act: str, thing: str) -> None:
    """Change, stop or delete something: its owner or an admin; experimenters what has no owner."""
    _check_and_note(people.who(), act, thing, refusal_to_change(act, thing))


def inherit(thing: str, source: str) -> None:
    """Give something the owner of what made it, unless it has one or that has none."""
    if owner := owner_of(source):
        _own(thing, owner)


def administer(act: str, thing: str) -> None:
    """Do what concerns everybody, such as pausing the queue; for admins."""
    _check_and_note(people.who(), act, thing, refusal_to_administer(act, thing))


def refusal_to_start() -> str:
    """Return why `start` would be refused, for a button's help; empty if it would not."""
    return _refusal_to_work(people.who())


def refusal_to_change(act: str, *things: str) -> str:
    """Return why `change` of any would be refused, for a button's help; empty if it would not."""
    person = people.who()
    refusal = _refusal_to_work(person)
    if refusal or person.role == "admin":
        return refusal
    for thing, owner in owners(list(things)).items():
        if owner != person.name:
            return f"{thing} belongs to {owner}; only they or an admin may {act} it"
    return ""


def refusal_to_administer(act: str, thing: str) -> str:
    """Return why `administer` would be refused, for a button's help; empty if it would not."""
    person = people.who()
    refusal = _refusal_to_work(person)
    if not refusal and person.role != "admin":
        refusal = f"only an admin may {act} {thing}; ask one"
    return refusal


def refuse_viewers() -> None:
    """Raise NotAllowed for who may only look; raters have checks of their own."""
    person = people.who()
    if person.role == "viewer":
        raise NotAllowed(_refusal_to_work(person))


def owner_of(thing: str) -> str:
    """Return who owns something; empty if nobody does."""
    return owners([thing]).get(thing, "")


def owners(things: list[str]) -> dict[str, str]:
    """Return thing → owner of those that have one."""
    import sqlalchemy as sa

    from peftcore.system.database import OWNERS

    query = sa.select(OWNERS).where(OWNERS.c.object.in_(things))
    return {row["object"]: row["person"] for row in _database().read(query)}


def owned_by(name: str) -> list[str]:
    """List what somebody owns."""
    import sqlalchemy as sa

    from peftcore.system.database import OWNERS

    query = sa.select(OWNERS.c.object).where(OWNERS.c.person == name)
    return [row["object"] for row in _database().read(query)]


def acts(limit: int = 200, person: str = "", thing: str = "") -> list[Act]:
    """Read the audit log, newest first; for admins."""
    reader = people.who()
    if reader.role != "admin":
        raise NotAllowed("only an admin may read the audit log")
    import sqlalchemy as sa

    from peftcore.system.database import AUDIT

    query = sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if person:
        query = query.where(AUDIT.c.person == person)
    if thing:
        query = query.where(AUDIT.c.object == thing)
    names = Act.__dataclass_fields__
    return [Act(**{name: row[name] for name in names}) for row in _database().read(query)]


def _refusal_to_work(person: people.Person) -> str:
    """Return why somebody may begin or change nothing at all; empty if they may."""
    if people.read_only() and person.role == "viewer":
        return "this server only shows: nothing can be started or changed here"
    if person.role == "viewer":
        return "you may look at everything and change nothing; an admin can make you experimenter"
    if person.role == "rater":
        return "only an experimenter may do this; you came as a rater"
    return ""


def _check_and_note(person: people.Person, act: str, thing: str, refusal: str) -> None:
    """Note an act of somebody with a name; NotAllowed if it is refused."""
    if person.name:
        from peftcore.system.database import AUDIT

        row = {
            "at": time.time(),
            "person": person.name,
            "role": person.role,
            "act": act,
            "object": thing,
            "allowed": not refusal,
        }
        with _database().write() as connection:
            connection.execute(AUDIT.insert().values(row))
    if refusal:
        raise NotAllowed(refusal)


def _own(thing: str, name: str) -> None:
    """Write down an owner, unless there is one."""
    from sqlalchemy.exc import IntegrityError

    from peftcore.system.database import OWNERS

    row = {"object": thing, "person": name, "since": time.time()}
    try:
        with _database().write() as connection:
            connection.execute(OWNERS.insert().values(row))
    except IntegrityError:
        return  # it is somebody's, perhaps this person's


def _database() -> Database:
    """Return the database of this workspace, opened once."""
    from peftcore.system.database import database_url

    return _open(database_url())


@lru_cache(maxsize=4)
def _open(url: str) -> Database:
    from peftcore.system.database import Database

    return Database(url)
