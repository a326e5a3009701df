"""Write files that survive a crash at any moment: complete or absent, readable when torn."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file's content as a whole, or leave the old file as it is."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def move_into_place(part: Path, path: Path) -> None:
    """Put a whole file that was written beside it in a file's place, so that it outlives a crash.

    On the disk before it gets its name, and its name before this returns: a power cut leaves the
    old file or the new one, never a new name over nothing.
    """
    _sync(part)
    os.replace(part, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_lines(path: Path, text: str) -> None:
    """Append whole lines to a file, after ending a line that a crash left incomplete."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file; empty if the file is missing or torn."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read every complete object of a file of JSON lines; torn lines are left out."""
    rows = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def file_stamp(path: str | Path) -> tuple[int, int, int] | None:
    """Return inode, size and time of change, which change with a file's content; None if missing.

    The inode, because a file that is replaced twice within a tick of the clock has one time.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def modified_ns(path: Path) -> int:
    """Return when a file was changed, in nanoseconds since the epoch; 0 if it is missing."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def to_jsonable(value: Any) -> Any:
    """Convert a value for JSON: NumPy numbers become Python's, what is not finite None."""
    if isinstance(value, Mapping):
        return {str(name): to_jsonable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonable(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
