"""Deleted runs: for 30 days they lie in a folder beside the runs and can be restored."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from peftcore.errors import BadInput

KEPT_DAYS = 30
ENTRY = re.compile(r"([0-9a-f]{12})-(\d{10,})")  # a run's id and when it was deleted, in ms


@dataclass(frozen=True)
class DeletedRun:
    """A run in the bin; `deleted` is in epoch seconds."""

    id: str
    deleted: float
    folder: Path

    @property
    def days_left(self) -> float:
        """Days until it is deleted for good."""
        return max(0.0, KEPT_DAYS - (time.time() - self.deleted) / 86400)


def bin_folder(runs_folder: Path) -> Path:
    """Return the folder of the deleted runs of a folder of runs."""
    return runs_folder.with_name("deleted_runs")


def put_in_bin(folder: Path) -> DeletedRun:
    """Move a run's folder into the bin; it leaves the runs in one step."""
    target = bin_folder(folder.parent)
    target.mkdir(mode=0o700, exist_ok=True)
    moment = time.time_ns() // 10**6
    while (target / f"{folder.name}-{moment}").exists():
        moment += 1
    entry = target / f"{folder.name}-{moment}"
    folder.rename(entry)
    return DeletedRun(folder.name, moment / 1000, entry)


def deleted_runs(runs_folder: Path) -> list[DeletedRun]:
    """List the runs in the bin, the one deleted last first."""
    place = bin_folder(runs_folder)
    found = [
        DeletedRun(match[1], int(match[2]) / 1000, path)
        for path in (place.iterdir() if place.is_dir() else ())
        if (match := ENTRY.fullmatch(path.name)) and not path.is_symlink()
    ]
    return sorted(found, key=lambda entry: -entry.deleted)


def take_from_bin(runs_folder: Path, run_id: str) -> Path:
    """Move the run of this id that was deleted last back, and return its folder."""
    entry = next((each for each in deleted_runs(runs_folder) if each.id == run_id), None)
    if entry is None:
        raise BadInput(f"no deleted run {run_id[:40]!r}; `runs deleted` lists them")
    target = runs_folder / run_id
    if target.exists():
        raise BadInput(f"run {run_id} has been trained again since it was deleted; delete it first")
    runs_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry.folder.rename(target)
    return target


def empty_bin(runs_folder: Path, older_than_days: float = KEPT_DAYS) -> list[str]:
    """Delete for good what has lain there for so many days; return the ids."""
    limit = time.time() - older_than_days * 86400
    old = [entry for entry in deleted_runs(runs_folder) if entry.deleted <= limit]
    for entry in old:
        shutil.rmtree(entry.folder, ignore_errors=True)
    return [entry.id for entry in old]
