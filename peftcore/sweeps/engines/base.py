"""Who does the parts of a sweep: processes of this machine, or the machines of a Ray cluster.

An engine takes parts and yields how each ended, in the order they end; it never decides what a part
is or where its results belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from peftcore.runs.spec import RunSpec

NOT_STARTABLE_STATES = ("done", "failed", "running")  # over, or at work elsewhere


@dataclass(frozen=True)
class Shard:
    """One part, and the folder of runs that its run belongs to."""

    spec: RunSpec
    store_folder: Path


@dataclass(frozen=True)
class ShardOutcome:
    """How a part ended: done, failed, or cancelled with what was learnt kept."""

    shard_id: str
    state: str
    message: str = ""
    worker: str = ""  # the process or machine


class Engine(Protocol):
    """Works off parts until all have ended, or until `stop` says so."""

    def run_shards(
        self, shards: Sequence[Shard], stop: Callable[[], bool]
    ) -> Iterator[ShardOutcome]:
        """Yield each part's end as it comes; InterruptedError never leaves an engine."""
        ...
