"""A workspace that is moved to another path or machine, and a clock that is set back."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from peftcore.benchmarks.soak import children, homes
from peftcore.benchmarks.soak.homes import Campaign, Reference, Row
from peftcore.benchmarks.soak.kills import missing_ratings, project_and_token, rate_items
from peftcore.jobs.queue import Queue
from peftcore.jobs.worker import Worker
from peftcore.runs.store import RunStore
from peftcore.system.job_folder import HEARTBEAT_TIMEOUT_SECONDS

HOUR = 3600.0
SHARE = 4  # of the campaign's kills that each of these is done


def move_home(campaign: Campaign, reference: Reference) -> Row:
    """Kill a run half-way, move its workspace, and resume it there; ratings come along."""
    row = Row("a workspace moved to another path", "in mid-run")
    while row.times < max(1, campaign.times // SHARE):
        with campaign.home() as home:
            row.wrong += _move_once(campaign, reference, home)
            row.times += 1
    row.found = "resumed to equal bytes, ratings complete" if not row.wrong else ""
    return row


def _move_once(campaign: Campaign, reference: Reference, home: Path) -> list[str]:
    """Move a workspace in mid-run and go on there; name what is wrong."""
    moved = home.with_name("elsewhere")
    _leave_half_way(campaign, home, reference)
    made = children.call(home, lambda: ":".join(project_and_token(_url(home), 6)))
    project, token = made.split(":", 1)
    rated = children.fork(home, lambda say: rate_items(_url(home), token, say)).wait()
    acknowledged = {line for line in rated if line.startswith("rate ")}
    os.rename(home, moved)
    run = homes.open_run(moved, homes.small_spec())
    homes.resume(moved, run.id)
    homes.start_worker(campaign, moved).wait()
    wrong = homes.differences(run, reference.results)
    wrong += children.call(
        moved, lambda: "\n".join(missing_ratings(_url(moved), project, acknowledged, 0))
    ).splitlines()
    return wrong + (["something was written at the old path"] if home.exists() else [])


def move_to_another_machine(campaign: Campaign, reference: Reference) -> Row:
    """Resume a run where the machine has another name, as soon as its worker counts as gone."""
    row, spec = Row("a workspace moved to another machine", "another host name"), homes.small_spec()
    base = campaign.load_base()

    def resume_there(acknowledge: children.Acknowledge) -> None:
        be_another_machine()
        acknowledge(RunStore().open(spec.id).status().state)
        Queue().resume(spec.id)
        Worker(Queue(), "cpu", load_base=lambda name, device: base).run(once=True)

    while row.times < max(1, campaign.times // SHARE):
        with campaign.home() as home:
            _leave_half_way(campaign, home, reference)
            [state] = children.fork(home, resume_there, "a worker elsewhere").wait()
            row.times += 1
            if state != "lost":
                row.wrong.append(f"reads {state} on the other machine")
            row.wrong += homes.differences(homes.open_run(home, spec), reference.results)
    row.found = "resumed to equal bytes" if not row.wrong else ""
    return row


def be_another_machine() -> None:
    """Give this process another host name, and the clock after the silence of a move."""
    now = time.time
    socket.gethostname = lambda: "another-machine"
    time.time = lambda: now() + 2 * HEARTBEAT_TIMEOUT_SECONDS


def set_clock_back(campaign: Campaign, reference: Reference) -> Row:
    """Set the clock back by an hour while a run is trained; kill and resume it after that."""
    row = Row("the clock set back an hour", "in mid-run, seen by every process")
    while row.times < max(1, campaign.times // SHARE):
        with campaign.home() as home:
            row.wrong += _set_back_once(campaign, reference, home)
            row.times += 1
    row.found = "living workers seen as living, resumed to equal bytes" if not row.wrong else ""
    return row


def _set_back_once(campaign: Campaign, reference: Reference, home: Path) -> list[str]:
    """Set the clock back in mid-run, kill the worker, and go on; name what is wrong."""
    spec, flag, wrong = homes.small_spec(), home.parent / "set-back", []
    homes.submit(home, spec)
    run, child = (
        homes.open_run(home, spec),
        homes.start_worker(campaign, home, lambda: follow_clock(flag)),
    )
    homes.wait_for_phase(child, run, "training")
    flag.touch()
    states = children.call(home, look_at(spec.id, flag), "what looks at a run")
    if child.running() and states != "running running":
        wrong.append(f"a living worker reads {states} after the clock was set back")
    child.kill()
    if run.stored_status().state != "done":
        states = children.call(home, look_at(spec.id, flag), "what looks at a run")
        if states != "lost lost":
            wrong.append(f"a killed worker reads {states} after the clock was set back")
        homes.resume(home, run.id)
        homes.start_worker(campaign, home, lambda: follow_clock(flag)).wait()
    return wrong + homes.differences(run, reference.results)


def look_at(run_id: str, flag: Path) -> Callable[[], str]:
    """Return what reads the states of a run and of its job by the clock of a flag."""

    def look() -> str:
        follow_clock(flag)
        job = Queue().job_for(run_id)
        return f"{RunStore().open(run_id).status().state} {job.state if job else ''}"

    return look


def follow_clock(flag: Path) -> None:
    """Let this process see a clock that is an hour behind from when a file appears.

    The start of the system, which processes' starts are counted from, moves along, as in a kernel.
    """
    now, boot = time.time, psutil._psplatform.boot_time

    def behind() -> float:
        """Return the seconds that the clock is behind."""
        return HOUR if flag.exists() else 0.0

    time.time = lambda: now() - behind()
    psutil._psplatform.boot_time = lambda: boot() - behind()


def _leave_half_way(campaign: Campaign, home: Path, reference: Reference) -> None:
    """Start a run and kill its worker in the middle of training."""
    spec = homes.small_spec()
    homes.submit(home, spec)
    run, child = homes.open_run(home, spec), homes.start_worker(campaign, home)
    homes.wait_for_phase(child, run, "training")
    time.sleep(campaign.rng.uniform(0.2, 0.7) * reference.seconds["training"])
    child.kill()


def _url(home: Path) -> str:
    """Return the address of a workspace's database."""
    return f"sqlite:///{home}/lab.sqlite"
