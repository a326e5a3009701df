"""What one task of a Slurm array does on its node: `python -m …slurm_part FOLDER INDEX`.

It trains the part of its index in the shared store and leaves its outcome beside the array's file.
A signal, before its time is over or from the sweep, ends it after its step with a checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.system import atomic_files, malloc
from peftcore.system.job_folder import HEARTBEAT_TIMEOUT_SECONDS

PARTS_FILE = "parts.json"


def write_parts(folder: Path, shards: list[Shard]) -> None:
    """Write the parts of an array, in the order of its indices."""
    rows = [
        {"spec": shard.spec.model_dump(mode="json"), "store": str(shard.store_folder)}
        for shard in shards
    ]
    atomic_files.replace_file(folder / PARTS_FILE, json.dumps({"parts": rows}).encode())


def read_parts(folder: Path) -> list[Shard]:
    """Read the parts of an array; none where its file was never finished."""
    rows = atomic_files.read_json(folder / PARTS_FILE).get("parts", [])
    return [Shard(RunSpec.make(row["spec"]), Path(row["store"])) for row in rows]


def outcome_file(folder: Path, index: int) -> Path:
    """Return the file in which a task says how its part ended."""
    return folder / f"{index}.outcome.json"


def read_outcome(folder: Path, index: int) -> ShardOutcome | None:
    """Read how a part ended; None before it has."""
    values = atomic_files.read_json(outcome_file(folder, index))
    return ShardOutcome(**values) if values else None


def train_part(folder: Path, index: int, trainer: Any) -> ShardOutcome:
    """Train a part to its end or to a signal, and write down how it ended."""
    asked_to_end: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: asked_to_end.append(received))
    outcome_file(folder, index).unlink(missing_ok=True)  # of a beginning before this one
    shard = read_parts(folder)[index]
    _wait_for_earlier(shard)
    node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    outcome: ShardOutcome = trainer.train_shard(shard, lambda: bool(asked_to_end), f"node {node}")
    atomic_files.replace_file(outcome_file(folder, index), json.dumps(asdict(outcome)).encode())
    return outcome


def _wait_for_earlier(shard: Shard) -> None:
    """Wait for the process of a node that was given up, until it ends or has been silent."""
    deadline = time.monotonic() + 2 * HEARTBEAT_TIMEOUT_SECONDS
    run = RunStore(shard.store_folder).find(shard.spec)
    while run and run.status().state == "running" and time.monotonic() < deadline:
        time.sleep(1.0)


def main() -> None:
    """Read the arguments and train the part."""
    from peftcore.sweeps.engines.trainer_process import ShardTrainer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("index", type=int)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    malloc.keep_freed_memory()
    train_part(given.folder.resolve(), given.index, ShardTrainer(resolve_device(given.device)))


if __name__ == "__main__":
    main()
