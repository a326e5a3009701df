"""The queue: a row says which job of which kind should be worked on, and who is at it.

A queued job becomes running when a worker claims it, by priority and then by age.  A worker takes
one job at a time: the training runs of a device, or the commands of a lane ("measure", "sweep").  A
running job whose worker is gone is lost, and can be queued again.  The process that works is in
`worker`; how far a job is stands in its own folder (`system.job_folder`).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs import quotas
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.settings import Settings
from peftcore.system import processes, rights
from peftcore.system.database import JOBS, WORKERS, Database
from peftcore.system.job_folder import (
    ACTIVE_STATES,
    HEARTBEAT_TIMEOUT_SECONDS,
    JobFolder,
    JobState,
)
from peftcore.system.processes import ProcessIdentity

WORKER_COMMAND = ["-m", "peftcore", "worker"]
COMMAND_LANES = ("measure", "sweep")  # stand in place of a device; their jobs are commands
UNCLAIMED_COLUMNS = {
    "pid": None,
    "process_started": None,
    "token": None,
    "host": None,
    "heartbeat": None,
}


@dataclass(frozen=True)
class QueueJob:
    """A row of the queue; times are epoch seconds, `worker` is who has or had it."""

    id: int
    kind: str
    run_id: str  # the job's id, of any kind
    spec: dict[str, Any]  # the request as JSON
    data: str
    device: str
    state: JobState
    priority: int
    created: float
    started: float | None
    finished: float | None
    worker: ProcessIdentity | None
    heartbeat: float | None
    message: str

    @property
    def active(self) -> bool:
        """True if it waits or is being worked on."""
        return self.state in ACTIVE_STATES

    @property
    def called(self) -> str:
        """Return what owners and the audit log call it."""
        return f"{'run' if self.kind == 'train' else 'job'} {self.run_id}"


class Queue:
    """Jobs of all processes that use one database."""

    def __init__(self, url: str | None = None, store: RunStore | None = None) -> None:
        self.database = Database(url)
        self.store = store or RunStore()

    def submit(self, spec: RunSpec, priority: int = 0, device: str = "auto") -> QueueJob:
        """Return the run's job, a new one unless it has one or is done."""
        rights.require_maker()  # before there is a folder
        quotas.refuse_beyond_quota(self.database, self.store.folder)
        rights.start("train", f"run {spec.id}")
        return self.enqueue(self.store.create(spec), "train", spec, device, priority)

    def enqueue(
        self, job: JobFolder[Any], kind: str, request: Settings, device: str, priority: int = 0
    ) -> QueueJob:
        """Queue a job: the row it has while it is active or done, otherwise a new one."""
        if kind != "train":
            rights.require_maker()
            quotas.refuse_beyond_quota(self.database, self.store.folder)
            rights.start(kind, f"job {job.id}")
        with self.database.write(exclusive=True) as connection:
            previous = _latest_job(connection, job.id)
            done = job.status().state == "done"
            if previous and (previous.active or (done and previous.state == "done")):
                return previous
            row = _row(kind, job, request, device, priority)
            return _insert_job(connection, job, previous, row)

    def note_ended(
        self, kind: str, job: JobFolder[Any], request: Settings, device: str, began: float
    ) -> None:
        """Note what a command did without the queue from `began` (epoch seconds) until now."""
        state = job.status().state
        row = _row(kind, job, request, device) | {
            "state": "cancelled" if state in ACTIVE_STATES else state,
            "created": began,
            "started": began,
            "finished": time.time(),
            "message": "By a command, without the queue.",
        }
        with self.database.write() as connection:
            connection.execute(sa.insert(JOBS).values(row))

    def resume(self, run_id: str, priority: int = 0, device: str = "auto") -> QueueJob:
        """Queue a run that stopped short of its end; it goes on from its checkpoint."""
        run, row = self.store.open(run_id), self.job_for(run_id)
        if run.demo:
            raise BadInput(f"run {run_id} is a demo run, which cannot be trained")
        if run.status().state == "done":
            raise BadInput(f"run {run_id} is done; there is nothing to resume")
        if row and row.active:
            raise BadInput(f"run {run_id} is {row.state} already")
        rights.change("resume", f"run {run_id}")
        return self.submit(run.spec, priority, device)

    def withdraw(self, job: JobFolder[Any]) -> bool:
        """Cancel a job that waits or is lost; False if there is something else to stop."""
        with self.database.write(exclusive=True) as connection:
            row = _latest_job(connection, job.id)
            if (row and row.state == "running") or job.status().state not in ("queued", "lost"):
                return False
            if row and row.state in ("queued", "lost"):
                _update_job(connection, row, state="cancelled", finished=time.time())
            job.write_status(state="cancelled", message="Cancelled.")
            return True

    def set_priority(self, job_id: int, priority: int) -> QueueJob:
        """Move a waiting job: higher numbers come first."""
        rights.administer("change the order of", "the queue")
        with self.database.write(exclusive=True) as connection:
            job = _job_by_id(connection, job_id)
            if job.state != "queued":
                raise BadInput(f"job {job_id} is {job.state}; only waiting jobs can be moved")
            return _update_job(connection, job, priority=priority)

    def jobs(self) -> list[QueueJob]:
        """List every job: running, then waiting in their order, then finished."""
        jobs = [_job_of_row(row) for row in self.database.read(sa.select(JOBS))]
        return sorted(jobs, key=_sort_key)

    def job_for(self, run_id: str) -> QueueJob | None:
        """Return the latest job of a run, or None."""
        query = sa.select(JOBS).where(JOBS.c.run_id == run_id).order_by(JOBS.c.id.desc()).limit(1)
        rows = self.database.read(query)
        return _job_of_row(rows[0]) if rows else None

    @property
    def paused(self) -> bool:
        """Return whether workers of this workspace begin nothing new."""
        return _pause_file().exists()

    def pause(self) -> None:
        """Let workers of this workspace begin nothing new; what is at work goes on."""
        rights.administer("pause", "the queue")
        _pause_file().touch()

    def unpause(self) -> None:
        """Let workers begin what waits again."""
        rights.administer("start", "the queue")
        _pause_file().unlink(missing_ok=True)

    def claim(self, device: str, worker: ProcessIdentity) -> QueueJob | None:
        """Claim the next job for a worker on this device; None if there is none."""
        if self.paused:
            return None
        try:
            with self.database.write() as connection:
                return self._claim(connection, device, worker)
        except IntegrityError:  # another worker of this device was quicker
            return None

    def _claim(
        self, connection: sa.Connection, device: str, worker: ProcessIdentity
    ) -> QueueJob | None:
        _mark_lost(connection)
        running_here = (
            JOBS.c.state == "running",
            JOBS.c.host == worker.host,
            JOBS.c.device == device,
        )
        if connection.execute(sa.select(JOBS.c.id).where(*running_here)).first():
            return None
        query = (
            sa.select(JOBS)
            .where(JOBS.c.state == "queued", JOBS.c.device.in_(_lanes(device)))
            .order_by(JOBS.c.priority.desc(), JOBS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # SQLite has no row locks and ignores it
        )
        row = connection.execute(query).mappings().first()
        if row is None:
            return None
        now = time.time()
        claim_columns = _worker_columns(worker) | {
            "device": device,
            "heartbeat": now,
            "started": now,
        }
        return _update_job(connection, _job_of_row(row), state="running", **claim_columns)

    def job_heartbeat(self, job: QueueJob) -> bool:
        """Send a sign of life; False if the job is no longer this worker's."""
        assert job.worker is not None
        with self.database.write() as connection:
            change = sa.update(JOBS).where(*_still_claimed(job)).values(heartbeat=time.time())
            return connection.execute(change).rowcount == 1

    def is_claimed(self, job: QueueJob) -> bool:
        """Return whether the job is still claimed by this worker."""
        return bool(self.database.read(sa.select(JOBS.c.id).where(*_still_claimed(job))))

    def finish(self, job: QueueJob, state: JobState, message: str = "") -> bool:
        """Record how a job ended; False, and nothing changed, if it is no longer this worker's."""
        end = (
            {"finished": time.time()}
            if state != "queued"
            else UNCLAIMED_COLUMNS | {"started": None}
        )
        with self.database.write() as connection:
            change = (
                sa.update(JOBS)
                .where(*_still_claimed(job))
                .values(state=state, message=message, **end)
            )
            return connection.execute(change).rowcount == 1

    def waiting_devices(self) -> list[str]:
        """List the devices that jobs wait for."""
        query = sa.select(JOBS.c.device).where(JOBS.c.state == "queued").distinct()
        return [row["device"] for row in self.database.read(query)]

    def register_worker(self, device: str, worker: ProcessIdentity) -> bool:
        """Make this process the worker of a device; False if a living one is there."""
        with self.database.write(exclusive=True) as connection:
            return _register_worker(connection, device, worker)

    def worker_heartbeat(self, device: str, worker: ProcessIdentity) -> None:
        """Send a worker's sign of life."""
        with self.database.write() as connection:
            connection.execute(
                _where_worker(sa.update(WORKERS), device, worker).values(heartbeat=time.time())
            )

    def unregister_worker(
        self, requested_device: str, device: str, worker: ProcessIdentity, force: bool = False
    ) -> bool:
        """Take a worker off the list; False if work came in the meantime, unless forced."""
        with self.database.write(exclusive=True) as connection:
            for_this_worker = JOBS.c.device.in_(_lanes(requested_device, device))
            query = sa.select(JOBS.c.id).where(JOBS.c.state == "queued", for_this_worker)
            if not force and connection.execute(query).first():
                return False
            connection.execute(_where_worker(sa.delete(WORKERS), requested_device, worker))
            return True


def _row(
    kind: str, job: JobFolder[Any], request: Settings, device: str, priority: int = 0
) -> dict[str, Any]:
    """Return what a job's row says of what is asked for."""
    return {
        "kind": kind,
        "run_id": job.id,
        "spec": request.model_dump(mode="json"),
        "data": str(paths.data_folder()),
        "device": device,
        "priority": priority,
    }


def _insert_job(
    connection: sa.Connection, job: JobFolder[Any], previous: QueueJob | None, row: dict[str, Any]
) -> QueueJob:
    """A new row.  The folder is marked first: once the row is seen, a worker may be at it."""
    status, now = job.status(), time.time()
    if status.busy:
        raise BadInput(f"{job.id} is being worked on by another process")
    _mark_lost(connection)
    if previous and previous.state == "lost":
        _kill_hung(connection, previous)
    end: dict[str, Any] = {"state": "queued", "created": now}
    if status.state == "done":
        end |= {"state": "done", "finished": now, "message": "This job had been done before."}
    else:
        job.withdraw_stop()
        job.write_status(state="queued", message="", error_id="")
    inserted = connection.execute(sa.insert(JOBS).values(row | end).returning(JOBS))
    return _job_of_row(inserted.mappings().one())


def _pause_file() -> Path:
    """Return the file that is there while the queue is paused."""
    return paths.workspace_folder() / "queue.paused"


def _lanes(*devices: str) -> tuple[str, ...]:
    """Return the lanes and devices whose jobs a worker may claim."""
    return devices if set(devices) & set(COMMAND_LANES) else (*devices, "auto")


def ensure_worker(device: str = "auto", queue: Queue | None = None) -> bool:
    """Start a worker that outlives this process unless one is alive; True if one was started.

    None where PEFTCORE_WORKERS=elsewhere: workers of other machines or containers do the work.
    """
    if os.environ.get("PEFTCORE_WORKERS") == "elsewhere":
        return False
    queue = queue or Queue()
    with queue.database.write(exclusive=True) as connection:
        if _living_worker(connection, device):
            return False
        _register_worker(connection, device, _spawn_worker(device, queue))
        return True


def restart_missing_workers(queue: Queue) -> int:
    """Start the workers that waiting jobs miss, after a crash for example; returns how many.

    Cheap when nothing waits, so a page may call it at every look.  None while the queue is paused.
    """
    if queue.paused:
        return 0
    return sum(ensure_worker(device, queue) for device in queue.waiting_devices())


def _spawn_worker(device: str, queue: Queue) -> ProcessIdentity:
    """Start a worker in a session of its own, which no Ctrl+C or end of ours reaches."""
    environment = {"PEFTCORE_DATABASE": queue.database.url}
    arguments, log = [*WORKER_COMMAND, "--device", device], paths.workspace_folder() / "worker.log"
    if device in COMMAND_LANES:
        arguments.append("--once")  # nothing is kept warm, so nothing is gained by waiting
    return processes.start_python(arguments, log, secrets.token_hex(8), environment)


def _register_worker(connection: sa.Connection, device: str, worker: ProcessIdentity) -> bool:
    living = _living_worker(connection, device)
    if living:
        return living == worker
    key = {"host": worker.host, "device": device}
    connection.execute(sa.delete(WORKERS).filter_by(**key))
    row = key | _worker_columns(worker) | {"heartbeat": time.time()}
    connection.execute(sa.insert(WORKERS).values(row))
    return True


def _living_worker(connection: sa.Connection, device: str) -> ProcessIdentity | None:
    """The living worker of a device of this machine."""
    query = sa.select(WORKERS).filter_by(host=socket.gethostname(), device=device)
    row = connection.execute(query).mappings().first()
    identity = _worker_of_row(row) if row else None
    alive = (
        row
        and identity
        and identity.is_alive(time.time() - row["heartbeat"], HEARTBEAT_TIMEOUT_SECONDS)
    )
    return identity if alive else None


def _mark_lost(connection: sa.Connection) -> None:
    """Write down which running jobs are lost, so that they do not keep their device."""
    for row in connection.execute(sa.select(JOBS).where(JOBS.c.state == "running")).mappings():
        job = _job_of_row(row)
        if job.state == "lost":
            _update_job(connection, job, state="lost", finished=time.time())


def _kill_hung(connection: sa.Connection, job: QueueJob) -> None:
    """End a worker that is there but hung, so that it cannot wake up and write to its run."""
    if job.worker is None:
        return
    heartbeat_query = sa.select(WORKERS.c.heartbeat).filter_by(**_worker_columns(job.worker))
    last_heartbeat = connection.execute(heartbeat_query).scalar()
    if last_heartbeat is None or time.time() - last_heartbeat > HEARTBEAT_TIMEOUT_SECONDS:
        processes.terminate(job.worker)


def _job_by_id(connection: sa.Connection, job_id: int) -> QueueJob:
    row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
    if row is None:
        raise BadInput(f"no job {job_id}")
    return _job_of_row(row)


def _latest_job(connection: sa.Connection, run_id: str) -> QueueJob | None:
    query = sa.select(JOBS).where(JOBS.c.run_id == run_id).order_by(JOBS.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return _job_of_row(row) if row else None


def _update_job(connection: sa.Connection, job: QueueJob, **values: Any) -> QueueJob:
    statement = sa.update(JOBS).where(JOBS.c.id == job.id).values(**values).returning(JOBS)
    return _job_of_row(connection.execute(statement).mappings().one())


def _still_claimed(job: QueueJob) -> tuple[sa.ColumnElement[bool], ...]:
    """The job, as long as the worker that claimed it has it."""
    assert job.worker is not None
    same_worker = (JOBS.c[name] == value for name, value in _worker_columns(job.worker).items())
    return (JOBS.c.id == job.id, JOBS.c.state == "running", *same_worker)


def _where_worker(statement: Any, device: str, worker: ProcessIdentity) -> Any:
    return statement.filter_by(device=device, **_worker_columns(worker))


def _worker_columns(worker: ProcessIdentity) -> dict[str, Any]:
    values = asdict(worker)
    return values | {"process_started": values.pop("started")}


def _worker_of_row(row: sa.RowMapping) -> ProcessIdentity | None:
    if row["pid"] is None:
        return None
    return ProcessIdentity(row["pid"], row["process_started"], row["token"], row["host"])


def _job_of_row(row: sa.RowMapping) -> QueueJob:
    """A row as a job; a running one without a living worker reads as lost."""
    worker = _worker_of_row(row)
    state = row["state"]
    seconds_silent = time.time() - (row["heartbeat"] or 0)
    if state == "running" and not (
        worker and worker.is_alive(seconds_silent, HEARTBEAT_TIMEOUT_SECONDS)
    ):
        state = "lost"
    columns = {name: row[name] for name in QueueJob.__dataclass_fields__ if name in row}
    return QueueJob(**columns | {"state": state, "worker": worker})


def _sort_key(job: QueueJob) -> tuple[int, float, int]:
    order = {"running": 0, "queued": 1}.get(job.state, 2)
    return (order, -job.priority if order == 1 else 0, job.id if order < 2 else -job.id)
