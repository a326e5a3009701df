"""The users of a rating project and what each may do.

There are two roles. An experimenter makes projects, invites raters and reads everything. A rater
comes by a secret link (or a login) and reads and writes their own items of one project only. Every
function of this package that reads or writes takes the user and checks the role; pages check
nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.rating.schema import PROJECTS, RATERS
from peftcore.rating.store import RatingStore, require_row
from peftcore.system import rights
from peftcore.system.rights import NotAllowed as NotAllowed

SECONDS_PER_DAY = 86_400.0  # seconds
DUMMY_HASH = "0" * 64  # compared with when there is no such rater, so that both cases take as long


@dataclass(frozen=True)
class RatingUser:
    """A user with a role; `rater` and `project` are empty for experimenters.

    link: hash of the secret that a rater came by, empty for a login.
    """

    role: Literal["experimenter", "rater"]
    name: str
    rater: str = ""
    project: str = ""
    link: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Invitation:
    """A rater and the secret of their link, which is shown once and stored nowhere."""

    rater: str
    name: str
    token: str


def experimenter(name: str = "experimenter") -> RatingUser:
    """Return the user who runs the lab: on this machine anybody without a rater's link."""
    return RatingUser("experimenter", name)


def sign_in(store: RatingStore, token: str) -> RatingUser:
    """Return the rater of this link; NotAllowed if it is unknown, withdrawn or has ended.

    Every act asks again (`require_link`): a visit ends with its link.
    """
    rater, _, secret = token.partition(".")
    row = store.first_row(
        sa.select(RATERS).where(RATERS.c.id == rater, RATERS.c.token_hash.is_not(None))
    )
    matches = hmac.compare_digest(row["token_hash"] if row else DUMMY_HASH, _hash(secret))
    if row is None or not matches:
        raise NotAllowed(
            "this link is not valid: a part of it may be missing, or a newer one has replaced it. "
            "Copy it once more as a whole, or ask whoever sent it for a new one"
        )
    user = RatingUser("rater", row["name"], row["id"], row["project"], row["token_hash"])
    require_link(user, row, store.clock())
    return user


def require_link(user: RatingUser, row: Mapping[Any, Any] | None, now: float) -> None:
    """Raise NotAllowed unless a rater may still act: not closed, replaced or past its end.

    row: of the rater, as it is now; a login has no link that could end.
    """
    require_active(row is not None and row["active"])
    if row is None or not user.link:
        return
    if not hmac.compare_digest(row["token_hash"] or DUMMY_HASH, user.link):
        raise NotAllowed(
            "a newer link has replaced the one that you came by. What you rated is kept; open the "
            "newer one to go on"
        )
    until = row["link_until"]
    if until is not None and until < now:
        raise NotAllowed(
            f"this link worked until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC. What "
            "you rated is kept; ask whoever sent it for a new one if you should go on"
        )


def sign_in_by_login(store: RatingStore, login: str) -> list[RatingUser]:
    """Return one user for each open project that admits this login, newest first."""
    query = (
        sa.select(RATERS)
        .join(PROJECTS, PROJECTS.c.id == RATERS.c.project)
        .where(RATERS.c.login == login.strip().lower(), RATERS.c.active, PROJECTS.c.state == "open")
        .order_by(PROJECTS.c.created.desc())
    )
    return [
        RatingUser("rater", row["name"], row["id"], row["project"]) for row in store.read(query)
    ]


def invite(
    store: RatingStore, user: RatingUser, project: str, name: str, login: str = ""
) -> Invitation:
    """Create a rater of a project and a secret link; with `login` they may sign in instead."""
    require_experimenter(user)
    rater, secret = store.new_id(), secrets.token_urlsafe(32)
    values = {
        "id": rater,
        "project": project,
        "name": name.strip()[:80] or "rater",
        "token_hash": _hash(secret),
        "login": login.strip().lower() or None,
        "created": store.clock(),
        "active": True,
    }
    rights.change("invite to", called(project))
    with store.write() as connection:
        row = store.lock_project(connection, project)
        if row["demo"]:
            raise BadInput("the demo project takes no raters; make one of your own from runs")
        same_login = sa.select(RATERS.c.id).where(
            RATERS.c.project == project, RATERS.c.login == values["login"]
        )
        if values["login"] and connection.execute(same_login).first():
            raise BadInput(f"{login.strip()!r} rates in this project already")
        values["link_until"] = _link_until(store, row)
        connection.execute(sa.insert(RATERS).values(values))
    return Invitation(rater, str(values["name"]), f"{rater}.{secret}")


def renew_link(store: RatingStore, user: RatingUser, rater: str) -> Invitation:
    """Create a new link for a rater, who keeps all progress; the old link stops working."""
    require_experimenter(user)
    secret = secrets.token_urlsafe(32)
    row = require_row(
        store.first_row(sa.select(RATERS).where(RATERS.c.id == rater)), "rater", rater
    )
    project = require_row(
        store.first_row(sa.select(PROJECTS).where(PROJECTS.c.id == row["project"])),
        "project",
        rater,
    )
    rights.change("invite to", called(project["id"]))
    until = _link_until(store, project)
    _update_rater(store, rater, token_hash=_hash(secret), active=True, link_until=until)
    return Invitation(rater, row["name"], f"{rater}.{secret}")


def revoke_link(store: RatingStore, user: RatingUser, rater: str) -> None:
    """Close a rater's link; their ratings are kept."""
    require_experimenter(user)
    query = sa.select(RATERS.c.project).where(RATERS.c.id == rater)
    rights.change(
        "close a link of", called(require_row(store.first_row(query), "rater", rater)["project"])
    )
    _update_rater(store, rater, active=False)


def _link_until(store: RatingStore, project: sa.RowMapping) -> float | None:
    """Return when a link made now ends, in epoch seconds; None if never."""
    days = project["settings"].get("link_days", 0)  # projects of before have no such setting
    return store.clock() + days * SECONDS_PER_DAY if days else None


def _update_rater(store: RatingStore, rater: str, **values: object) -> None:
    """Change a rater's row; BadInput if there is none."""
    with store.write() as connection:
        change = sa.update(RATERS).where(RATERS.c.id == rater).values(**values)
        if connection.execute(change).rowcount != 1:
            raise BadInput(f"no rater {rater[:40]!r}")


def called(project: str) -> str:
    """Return what owners and the audit log call a project."""
    return f"project {project}"


def require_experimenter(user: RatingUser) -> None:
    """Raise NotAllowed unless the user is an experimenter."""
    if user.role != "experimenter":
        raise NotAllowed("only an experimenter may do this; you came as a rater")


def require_rater(user: RatingUser) -> None:
    """Raise NotAllowed unless the user is a rater."""
    if user.role != "rater" or not user.rater:
        raise NotAllowed("only a rater may do this; open the project by a rater's link")


def require_active(active: bool | None) -> None:
    """Raise NotAllowed if the rater's link was withdrawn in the meantime."""
    if not active:
        raise NotAllowed(
            "this link is not valid any more: it was closed. What you rated is kept; ask whoever "
            "sent it for a new one if you should go on"
        )


def _hash(secret: str) -> str:
    """Hash a link's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash
