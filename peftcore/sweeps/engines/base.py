"""The contract of an engine, which trains the shards of a sweep.

An engine takes shards and yields how each ended, in the order they end; it never decides what a
shard is or where its results belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore

NOT_STARTABLE_STATES = ("done", "failed", "running")  # over, or being trained elsewhere


@dataclass(frozen=True)
class Shard:
    """One shard of a sweep, and the run store that its run belongs to."""

    spec: RunSpec
    store_folder: Path


@dataclass(frozen=True)
class ShardOutcome:
    """The end of a shard: done, failed, or cancelled with its checkpoint kept."""

    shard_id: str
    state: str
    message: str = ""
    worker: str = ""  # the process or machine


class Engine(Protocol):
    """Trains shards until all have ended, or until `stop` returns true."""

    def run_shards(
        self, shards: Sequence[Shard], stop: Callable[[], bool]
    ) -> Iterator[ShardOutcome]:
        """Yield each shard's outcome as it ends; InterruptedError never leaves an engine."""
        ...


def mark_failed(shard: Shard, message: str) -> None:
    """Write to a shard's run the failure that whoever trained it no longer could."""
    run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
    run.append_log(message)
    run.write_status(state="failed", message=message)
