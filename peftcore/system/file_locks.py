"""Locks on files that end with their process however that ends, on every system.

The operating system holds them (flock, or its like on Windows), so nothing is left to clean up; the
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
    """Hold the lock while the block runs; BadInput, with this sentence, if someone else does."""
    lock = FileLock(path)
    if not try_acquire(lock):
        raise BadInput(refusal)
    with released_after(lock):
        yield


def try_acquire(lock: FileLock) -> bool:
    """Take the lock if it is free now, and say whether that was so."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


@contextmanager
def released_after(lock: FileLock) -> Iterator[None]:
    """Give a lock that was acquired back after the block."""
    try:
        yield
    finally:
        lock.release()
