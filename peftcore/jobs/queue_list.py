"""The queue as a list: its order, moving, pausing, its workers, and stopping by force."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from peftcore.errors import BadInput
from peftcore.jobs.background import BackgroundJob
from peftcore.jobs.queue import Queue, QueueJob, ensure_worker, restart_missing_workers
from peftcore.system import processes, rights
from peftcore.system.database import JOBS, WORKERS
from peftcore.system.job_folder import HEARTBEAT_TIMEOUT_SECONDS
from peftcore.system.processes import ProcessIdentity

WATCH_SECONDS = 10.0  # between two looks at whether waiting jobs have their worker
NO_WORKER = "nobody works on it"


@dataclass(frozen=True)
class WorkerState:
    """A worker on the list: its lane or device, its process, and the job it has."""

    device: str
    identity: ProcessIdentity
    silent_seconds: float
    alive: bool  # it runs, and gave a sign of life lately
    hung: bool  # it runs, on this machine, without a sign of life
    job: QueueJob | None


def active_jobs(queue: Queue) -> list[QueueJob]:
    """List the jobs at work, then those that wait in their order."""
    return [job for job in queue.jobs() if job.active]


def move_job(queue: Queue, job_id: int, up: bool) -> list[QueueJob]:
    """Move a waiting job before the one that is ahead of it, or behind the next one.

    The order is kept in priorities; as few as possible are raised. Jobs of another lane are not
    passed, as nobody waits for them. Returns the waiting jobs in their new order.
    """
    waiting = [job for job in queue.jobs() if job.state == "queued"]
    job = next((each for each in waiting if each.id == job_id), None)
    if job is None:
        raise BadInput(f"job {job_id} does not wait; only waiting jobs can be moved")
    lane = [each for each in waiting if each.device == job.device]
    place = lane.index(job)
    other = place - 1 if up else place + 1
    if other not in range(len(lane)):
        return waiting
    lane[place], lane[other] = lane[other], lane[place]
    for each, priority in zip(lane, _priorities(lane), strict=True):
        if priority != each.priority:
            queue.set_priority(each.id, priority)
    return [job for job in queue.jobs() if job.state == "queued"]


def _priorities(ordered: Sequence[QueueJob]) -> list[int]:
    """Return priorities that give this order: the higher goes first, of equals the older."""
    found: list[int] = []
    behind: QueueJob | None = None
    for job in reversed(ordered):
        priority = job.priority
        if behind is not None:
            least = found[-1] if job.id < behind.id else found[-1] + 1
            priority = max(priority, least)
        found.append(priority)
        behind = job
    return found[::-1]


def list_workers(queue: Queue) -> list[WorkerState]:
    """List the workers that are on the list, with what each has."""
    running = [job for job in queue.jobs() if job.state in ("running", "lost") and job.worker]
    now, found = time.time(), []
    for row in queue.database.read(sa.select(WORKERS).order_by(WORKERS.c.host, WORKERS.c.device)):
        identity = ProcessIdentity(row["pid"], row["process_started"], row["token"], row["host"])
        silent = now - row["heartbeat"]
        alive = identity.is_alive(silent, HEARTBEAT_TIMEOUT_SECONDS)
        runs_here = identity.host == socket.gethostname() and bool(identity.find_process())
        job = next(
            (each for each in running if each.worker == identity and each.finished is None), None
        )
        found.append(
            WorkerState(row["device"], identity, silent, alive, runs_here and not alive, job)
        )
    return found


def end_by_force(queue: Queue, job: BackgroundJob) -> bool:
    """End the process that works on a job, after a graceful stop that led to nothing.

    What was kept by its last checkpoint stays, and it can be resumed. Returns False if no process
    was left. BadInput if it works on another machine.
    """
    status, row = job.status(), queue.job_for(job.id)
    if job.fixed or not (status.busy or status.state == "lost"):
        raise BadInput(f"{job.id} is {status.state}; {NO_WORKER}")
    stored = job.stored_status().process
    identity = ProcessIdentity(**stored) if stored else (row.worker if row else None)
    if identity is None:
        raise BadInput(f"{job.id} is {status.state}; {NO_WORKER}")
    if not identity.is_local():
        raise BadInput(f"{job.id} is worked on by {identity.host}; end it there")
    rights.change("end", job.called)
    ended = processes.terminate(identity)
    job.write_status(
        state="cancelled", message="Ended by force; what its last checkpoint has is kept."
    )
    if row and row.active:
        _mark_cancelled(queue, row)
    return ended


def _mark_cancelled(queue: Queue, job: QueueJob) -> None:
    with queue.database.write() as connection:
        change = sa.update(JOBS).where(JOBS.c.id == job.id, JOBS.c.state == "running")
        connection.execute(change.values(state="cancelled", finished=time.time()))


def start_worker(queue: Queue, device: str) -> bool:
    """Start a worker for a device by hand; False if one is there already."""
    rights.change("start", f"the worker of {device}")
    return ensure_worker(device, queue)


def end_worker(queue: Queue, worker: WorkerState) -> bool:
    """End a hung worker of this machine, so that another can take its lane; False if it is gone."""
    if not worker.hung:
        raise BadInput(f"the worker of {worker.device} gives signs of life; stop its job instead")
    rights.administer("end", f"the worker of {worker.device}")
    ended = processes.terminate(worker.identity)
    queue.unregister_worker(worker.device, worker.device, worker.identity, force=True)
    return ended


def look_after_workers(
    queue: Queue, is_wanted: Callable[[], bool], sleep: Callable[[float], object] = time.sleep
) -> int:
    """Start the workers that waiting jobs miss for as long as wanted; return how many there were.

    A database that is busy or away for a while is asked again.
    """
    started = 0
    while is_wanted():
        with contextlib.suppress(SQLAlchemyError):
            started += restart_missing_workers(queue)
        sleep(WATCH_SECONDS)
    return started
