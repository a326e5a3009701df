"""What is wrong with a run's folder: one damaged run is named, and hides no other.

A file is damaged if it is no file, is cut off, or does not hold what its kind holds. A half last
line of the history is none: it is left out when it is read. What is missing is no damage either,
since a run grows file by file.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.system import atomic_files, safetensors_files
from peftcore.system.job_folder import PHASES, STORED_STATES, JobState

PARQUET_MARK = b"PAR1"  # at both ends of a whole file
NEW_SECONDS = 60.0  # seconds in which a new folder may still lack its spec
STATES = {*get_args(JobState), *STORED_STATES, *PHASES}


def find_damage(folder: Path) -> str:
    """Return what is wrong with a run's folder in a sentence without its end; empty if nothing is.

    Files are looked at again when one of them has changed.
    """
    try:
        stamp = tuple(atomic_files.file_stamp(f"{folder}/{name}") for name in CHECKS)
        if stamp[0] is None:  # what is missing now may come
            return _find_damage.__wrapped__(folder, stamp)
        return _find_damage(folder, stamp)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


@functools.lru_cache(maxsize=20_000)
def _find_damage(folder: Path, stamp: tuple[tuple[int, int, int] | None, ...]) -> str:
    for (name, check), known in zip(CHECKS.items(), stamp, strict=True):
        file = folder / name
        if known is None:
            continue
        if not file.is_file():
            return f"{name} is no file"
        try:
            check(file)
        except BadInput as error:
            return str(error)
        except (ValueError, RecursionError):
            return f"{name} is cut off or overwritten"
    # A run that is being made has its spec last.
    fresh = time.time() - folder.stat().st_mtime < NEW_SECONDS
    return "spec.json is missing" if stamp[0] is None and not fresh else ""


def _object(file: Path) -> dict[str, Any]:
    """Read a JSON object; BadInput for another value, ValueError for none."""
    value = json.loads(file.read_bytes())
    if not isinstance(value, dict):
        raise BadInput(f"{file.name} holds no object")
    return value


def _check_spec(file: Path) -> None:
    """Raise BadInput unless the file holds a spec."""
    RunSpec.make(_object(file))


def _check_status(file: Path) -> None:
    """Raise BadInput unless the file holds a state and what seeds are at."""
    value = _object(file)
    if value.get("state") not in STATES:
        raise BadInput(f"status.json has the state {str(value.get('state'))[:20]!r}")
    seeds = value.get("seeds") or []
    if not isinstance(seeds, list) or not all(isinstance(seed, dict) for seed in seeds):
        raise BadInput("status.json has no list of seeds")


def _check_scores(file: Path) -> None:
    """Raise BadInput unless the file holds numbers of each metric."""
    for metric, values in _object(file).items():
        if not isinstance(values, list) or not all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in values
        ):
            raise BadInput(f"scores.json has no list of numbers for {metric[:40]!r}")


def _check_parquet(file: Path) -> None:
    """Raise BadInput unless the file begins and ends as a whole one does."""
    with file.open("rb") as content:
        begin = content.read(4)
        content.seek(-min(4, file.stat().st_size), os.SEEK_END)
        if begin != PARQUET_MARK or content.read() != PARQUET_MARK:
            raise BadInput(f"{file.name} is cut off")


def _check_tensors(file: Path) -> None:
    """Raise BadInput unless the header is true of the file."""
    safetensors_files.read_header(file)


CHECKS: dict[str, Callable[[Path], object]] = {  # the spec first: without it nothing is a run
    "spec.json": _check_spec,
    "status.json": _check_status,
    "scores.json": _check_scores,
    "manifest.json": _object,
    "history.jsonl": lambda file: None,
    "answers.parquet": _check_parquet,
    "adapter.safetensors": _check_tensors,
}


def set_aside(folder: Path) -> Path:
    """Move a damaged run's folder beside the runs, and return where; BadInput if it is whole.

    Nothing is deleted: what can be read in it can still be rescued by hand.
    """
    if not find_damage(folder):
        raise BadInput(f"run {folder.name} is not damaged; `delete` deletes it")
    aside = folder.parent.with_name("damaged_runs")
    aside.mkdir(mode=0o700, exist_ok=True)
    target, number = aside / folder.name, 2
    while target.exists():
        target = aside / f"{folder.name}-{number}"
        number += 1
    shutil.move(folder, target)
    return target
