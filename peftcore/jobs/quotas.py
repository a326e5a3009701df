"""How much disk and time one person may take, where the server sets it.

PEFTCORE_QUOTA_GB counts the runs that somebody owns as they lie on the disk, PEFTCORE_QUOTA_HOURS
what workers, and commands by themselves, spent on their jobs within 30 days. Admins, and whoever
has no name, have no quota.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from peftcore.errors import BadInput
from peftcore.system import people, rights
from peftcore.system.database import JOBS, Database

DAYS = 30
GB = 10**9  # bytes
CHUNK = 500  # names a query carries at most


@dataclass(frozen=True)
class Quota:
    """Limits of one person, and what counts against them; None where there is no limit."""

    disk: float | None  # GB
    disk_used: float
    hours: float | None  # within DAYS
    hours_used: float


def quota_of(name: str, database: Database, runs_folder: Path) -> Quota:
    """Count what somebody has taken, as far as there is a limit."""
    disk, hours = _limit("PEFTCORE_QUOTA_GB"), _limit("PEFTCORE_QUOTA_HOURS")
    ids = [thing.split()[-1] for thing in rights.owned_by(name)] if disk or hours else []
    return Quota(
        disk,
        _disk_used(ids, runs_folder) / GB if disk is not None else 0.0,
        hours,
        _seconds_used(ids, database) / 3600 if hours is not None else 0.0,
    )


def refuse_beyond_quota(database: Database, runs_folder: Path) -> None:
    """Raise BadInput where who acts has taken all they may."""
    person = people.who()
    if not person.name or person.role == "admin":
        return
    quota = quota_of(person.name, database, runs_folder)
    if quota.disk is not None and quota.disk_used >= quota.disk:
        raise BadInput(
            f"your runs take {quota.disk_used:.2f} GB, and you may take {quota.disk:g}: delete "
            "some, or their checkpoints, on Runs"
        )
    if quota.hours is not None and quota.hours_used >= quota.hours:
        raise BadInput(
            f"your jobs took {quota.hours_used:.1f} hours in the last {DAYS} days, and may take "
            f"{quota.hours:g}: wait, or ask an admin"
        )


def _limit(variable: str) -> float | None:
    """Read a limit; None if it is not set."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise BadInput(f"{variable} must be a number above 0; got {text[:40]!r}")
    return limit


def _disk_used(ids: list[str], runs_folder: Path) -> int:
    """Count the bytes in these runs' folders."""
    files = (file for run in ids for file in (runs_folder / run).rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file())


def _seconds_used(ids: list[str], database: Database) -> float:
    """Add up how long workers were at these jobs, within the days that count."""
    now, used = time.time(), 0.0
    for first in range(0, len(ids), CHUNK):
        query = sa.select(JOBS.c.started, JOBS.c.finished).where(
            JOBS.c.run_id.in_(ids[first : first + CHUNK]), JOBS.c.started > now - DAYS * 86400
        )
        used += sum((row["finished"] or now) - row["started"] for row in database.read(query))
    return used
