"""A disk that is full at a random moment: what was acknowledged stays, and work goes on from there.

A small disk in memory where this process may mount one; elsewhere the same error, made up at a
random call that puts a file on the disk.
"""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peftcore.benchmarks.soak import children, homes
from peftcore.benchmarks.soak.homes import Campaign, Reference, Row
from peftcore.benchmarks.soak.kills import (
    missing_ratings,
    project_and_token,
    rate_items,
)
from peftcore.system import atomic_files, disk_space

DISK_BYTES = 24 * 2**20
BALLAST = "ballast"


@dataclass(frozen=True)
class SmallDisk:
    """A workspace on a small disk; `real` unless the errors have to be made up."""

    home: Path
    real: bool

    def fill(self) -> None:
        """Write until nothing more fits."""
        if not self.real:
            return
        with (self.home.parent / BALLAST).open("ab", buffering=0) as file:
            for size in (2**16, 2**10, 1):  # to the last byte
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def clear(self) -> None:
        """Make room again."""
        (self.home.parent / BALLAST).unlink(missing_ok=True)


@contextmanager
def small_disk(campaign: Campaign) -> Iterator[SmallDisk]:
    """Yield a workspace on a disk of 24 MiB, or on any disk where none may be mounted."""
    with campaign.home() as outer:
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(outer)]
        try:
            real = subprocess.run(["mount", *options], capture_output=True).returncode == 0
        except OSError:  # no such program
            real = False
        home = outer / "workspace" if real else outer
        home.mkdir(mode=0o700, exist_ok=True)
        try:
            yield SmallDisk(home, real)
        finally:
            if real:
                subprocess.run(["umount", "--lazy", str(outer)], capture_output=True)


def refuse_after(count: int) -> None:
    """Let this process meet a full disk at its count-th file that is put in its place."""
    calls = itertools.count(1)

    def refusing(name: str) -> None:
        put = getattr(atomic_files, name)

        def put_or_refuse(first: Path, second: object) -> None:
            if next(calls) >= count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(first))
            put(first, second)

        setattr(atomic_files, name, put_or_refuse)

    for name in ("replace_file", "move_into_place"):
        refusing(name)


def _work_whatever_room_there_is() -> None:
    """Let a run begin on a small disk, which it would refuse to do."""
    disk_space.require_space = lambda folder, needed: None


def fill_in_training(campaign: Campaign, reference: Reference) -> Row:
    """Fill the disk at random moments of a run, make room, resume, and compare."""
    row, spec = Row("full disk in a run", ""), homes.small_spec()
    whole = sum(reference.seconds.values())
    refused = 0
    while row.times < campaign.times:
        with small_disk(campaign) as disk:
            row.how = _how(disk)
            homes.submit(disk.home, spec)
            run = homes.open_run(disk.home, spec)
            at = campaign.rng.uniform(0, whole)
            calls = campaign.rng.randint(3, 20)

            def prepare(real: bool = disk.real, calls: int = calls) -> None:
                _work_whatever_room_there_is()
                if not real:
                    refuse_after(calls)

            child = homes.start_worker(campaign, disk.home, prepare)
            while child.running() and run.stored_status().state != "running":
                time.sleep(children.POLL_SECONDS)
            time.sleep(at if disk.real else 0)
            disk.fill()
            while child.running():
                child.read(0.02)
            disk.clear()
            row.times += 1
            status = run.status()
            refused += status.state != "done"
            if status.state not in ("done", "failed", "lost", "queued"):
                row.wrong.append(f"reads {status.state} on a full disk")
            if status.state != "done":
                homes.resume(disk.home, run.id) if status.state != "queued" else None
                homes.start_worker(campaign, disk.home, _work_whatever_room_there_is).wait()
            row.wrong += homes.differences(run, reference.results)
    row.found = f"{refused} runs stopped by it, all resumed to equal bytes" if not row.wrong else ""
    return row


def fill_in_rating(campaign: Campaign) -> Row:
    """Fill the disk while ratings are saved, make room, and count."""
    row = Row("full disk in saving a rating", "")
    with small_disk(campaign) as disk:
        row.how = _how(disk)
        if not disk.real:
            row.how, row.times = "left out: no small disk can be mounted here", 0
            return row
        url, items = f"sqlite:///{disk.home}/lab.sqlite", 6 * campaign.times
        made = children.call(disk.home, lambda: ":".join(project_and_token(url, items)))
        project, token = made.split(":", 1)
        acknowledged: set[str] = set()
        refused = 0
        for _ in range(campaign.times):
            child = children.fork(disk.home, lambda say: rate_items(url, token, say), "a rater")
            while child.running() and not child.read(0.05):
                pass
            time.sleep(campaign.rng.uniform(0, 0.1))
            disk.fill()
            while child.running():
                child.read(0.02)
            refused += child.status != 0
            acknowledged |= {line for line in child.lines if line.startswith("rate ")}
            disk.clear()
            row.times += 1
        rest = children.fork(disk.home, lambda say: rate_items(url, token, say), "a rater").wait()
        acknowledged |= {line for line in rest if line.startswith("rate ")}
        row.wrong += children.call(
            disk.home, lambda: "\n".join(missing_ratings(url, project, acknowledged, refused))
        ).splitlines()
        row.found = f"{refused} acts refused, {len(acknowledged)} ratings acknowledged, 0 lost"
    return row


def _how(disk: SmallDisk) -> str:
    """Say what stood for the full disk."""
    return "a disk of 24 MiB in memory, filled" if disk.real else "the error made up at a write"
