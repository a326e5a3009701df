"""Locks on files that end with their process, however it ends, on every system.

The operating system keeps them (flock, or its like on Windows), so nothing is left to clean up; the
files themselves stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from peftcore.errors import BadInput


@contextmanager
def hold_or_refuse(path: Path, refusal: str) -> Iterator[None]:
    """Lock a file inside the block; BadInput with this sentence if it is locked already."""
    lock = FileLock(path)
    if not try_acquire(lock):
        raise BadInput(refusal)
    with released_after(lock):
        yield


def try_acquire(lock: FileLock) -> bool:
    """Lock the file if it is free now, and return whether that was so."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


@contextmanager
def released_after(lock: FileLock) -> Iterator[None]:
    """Release a lock that was acquired, after the block."""
    try:
        yield
    finally:
        lock.release()
