"""The queue: a job is a row that says which run should be worked on, and who is at it.

A queued job becomes running when a worker claims it, by priority and then by age, one at a time on
a device.  A running job whose worker is gone is lost; `resume` queues its run again.  The process
that works is in `worker`, the results are in `runs.store`.
"""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system import processes
from peftcore.system.database import JOBS, WORKERS, Database
from peftcore.system.job_folder import ACTIVE_STATES, HEARTBEAT_TIMEOUT_SECONDS, JobState
from peftcore.system.processes import ProcessIdentity

WORKER_COMMAND = ["-m", "peftcore", "worker"]
UNCLAIMED_COLUMNS = {
    "pid": None,
    "process_started": None,
    "token": None,
    "host": None,
    "heartbeat": None,
}


@dataclass(frozen=True)
class QueueJob:
    """A row of the queue.  Times are epoch seconds; `worker` is who has or had it."""

    id: int
    run_id: str
    spec: RunSpec
    data: str
    device: str
    state: JobState
    priority: int
    created: float
    started: float | None
    finished: float | None
    worker: ProcessIdentity | None
    heartbeat: float | None
    cancel: bool
    message: str

    @property
    def active(self) -> bool:
        """Whether it waits or is being worked on."""
        return self.state in ACTIVE_STATES


class Queue:
    """Jobs of all processes that use one database."""

    def __init__(self, url: str | None = None, store: RunStore | None = None) -> None:
        self.database = Database(url)
        self.store = store or RunStore()

    def submit(self, spec: RunSpec, priority: int = 0, device: str = "auto") -> QueueJob:
        """A job for the run of this spec: the one it has, or a new one unless the run is done."""
        run = self.store.create(spec)
        with self.database.write(exclusive=True) as connection:
            job = _latest_job(connection, run.id)
            if job and job.active:
                return job
            done = run.status().state == "done"
            if done and job and job.state == "done":
                return job
            return self._insert_job(connection, run, job, priority, device, done=done)

    def resume(self, run_id: str, priority: int = 0, device: str = "auto") -> QueueJob:
        """Queue a run that stopped short of its end; it goes on from its checkpoint."""
        run = self.store.open(run_id)
        if run.demo:
            raise BadInput(f"run {run_id} is a demo run, which cannot be trained")
        if run.status().state == "done":
            raise BadInput(f"run {run_id} is done; there is nothing to resume")
        with self.database.write(exclusive=True) as connection:
            job = _latest_job(connection, run_id)
            if job and job.active:
                raise BadInput(f"run {run_id} is {job.state} already")
            return self._insert_job(connection, run, job, priority, device)

    def cancel(self, job_id: int) -> QueueJob:
        """Take a waiting job out of the queue, or ask its worker to stop within a step."""
        with self.database.write(exclusive=True) as connection:
            job = _job_by_id(connection, job_id)
            if not job.active and job.state != "lost":
                raise BadInput(f"job {job_id} is {job.state} already")
            if job.state == "running":
                return _update_job(connection, job, cancel=True)
            self.store.open(job.run_id).write_status(state="cancelled", message="Cancelled.")
            return _update_job(connection, job, state="cancelled", finished=time.time())

    def set_priority(self, job_id: int, priority: int) -> QueueJob:
        """Move a waiting job: higher numbers come first."""
        with self.database.write(exclusive=True) as connection:
            job = _job_by_id(connection, job_id)
            if job.state != "queued":
                raise BadInput(f"job {job_id} is {job.state}; only waiting jobs can be moved")
            return _update_job(connection, job, priority=priority)

    def jobs(self) -> list[QueueJob]:
        """Every job: what runs, what waits in the order it will be taken, then the past."""
        jobs = [_job_of_row(row) for row in self.database.read(sa.select(JOBS))]
        return sorted(jobs, key=_sort_key)

    def job_for(self, run_id: str) -> QueueJob | None:
        """The latest job of a run, if it ever had one."""
        query = sa.select(JOBS).where(JOBS.c.run_id == run_id).order_by(JOBS.c.id.desc()).limit(1)
        rows = self.database.read(query)
        return _job_of_row(rows[0]) if rows else None

    def claim(self, device: str, worker: ProcessIdentity) -> QueueJob | None:
        """The next job for a worker on this device, now running; None if there is none."""
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
            .where(JOBS.c.state == "queued", JOBS.c.device.in_((device, "auto")))
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
        """A sign of life; False if the job is no longer this worker's."""
        assert job.worker is not None
        with self.database.write() as connection:
            change = sa.update(JOBS).where(*_still_claimed(job)).values(heartbeat=time.time())
            return connection.execute(change).rowcount == 1

    def stop_requested(self, job: QueueJob) -> bool:
        """Whether the job should stop: cancelled, or no longer this worker's."""
        rows = self.database.read(sa.select(JOBS.c.cancel).where(*_still_claimed(job)))
        return not rows or rows[0]["cancel"]

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
        """The devices that jobs wait for; empty if no job waits."""
        query = sa.select(JOBS.c.device).where(JOBS.c.state == "queued").distinct()
        return [row["device"] for row in self.database.read(query)]

    def register_worker(self, device: str, worker: ProcessIdentity) -> bool:
        """Make this process the worker of a device; False if a living one is there."""
        with self.database.write(exclusive=True) as connection:
            return _register_worker(connection, device, worker)

    def worker_heartbeat(self, device: str, worker: ProcessIdentity) -> None:
        """A worker's sign of life."""
        with self.database.write() as connection:
            connection.execute(
                _where_worker(sa.update(WORKERS), device, worker).values(heartbeat=time.time())
            )

    def unregister_worker(
        self, requested_device: str, device: str, worker: ProcessIdentity, force: bool = False
    ) -> bool:
        """Take a worker off the list; False if work came in the meantime, unless forced."""
        with self.database.write(exclusive=True) as connection:
            for_this_worker = JOBS.c.device.in_((requested_device, device, "auto"))
            query = sa.select(JOBS.c.id).where(JOBS.c.state == "queued", for_this_worker)
            if not force and connection.execute(query).first():
                return False
            connection.execute(_where_worker(sa.delete(WORKERS), requested_device, worker))
            return True

    def _insert_job(
        self,
        connection: sa.Connection,
        run: Run,
        previous: QueueJob | None,
        priority: int,
        device: str,
        done: bool = False,
    ) -> QueueJob:
        """A new row.  The run is marked first: once the row is seen, a worker may be at it."""
        if run.status().busy:
            raise BadInput(f"run {run.id} is being trained by another process")
        _mark_lost(connection)
        if previous and previous.state == "lost":
            _kill_hung(connection, previous)
        if not done:
            run.write_status(state="queued", message="", error_id="")
        now = time.time()
        values = {
            "run_id": run.id,
            "spec": run.spec.model_dump(mode="json"),
            "data": str(paths.data_folder()),
            "device": device,
            "state": "done" if done else "queued",
            "priority": priority,
            "created": now,
            "finished": now if done else None,
            "message": "This run had been done before." if done else "",
        }
        row = connection.execute(sa.insert(JOBS).values(values).returning(JOBS)).mappings().one()
        return _job_of_row(row)


def ensure_worker(device: str = "auto", queue: Queue | None = None) -> bool:
    """Start a worker that outlives this process unless one is alive; True if one was started."""
    queue = queue or Queue()
    with queue.database.write(exclusive=True) as connection:
        if _living_worker(connection, device):
            return False
        _register_worker(connection, device, _spawn_worker(device, queue))
        return True


def restart_missing_workers(queue: Queue) -> int:
    """Start the workers that waiting jobs miss, after a crash for example; returns how many.

    Cheap when nothing waits, so a page may call it at every look.
    """
    return sum(ensure_worker(device, queue) for device in queue.waiting_devices())


def _spawn_worker(device: str, queue: Queue) -> ProcessIdentity:
    """Start the process in a session of its own, so that nobody's Ctrl+C or end reaches it."""
    environment = {"PEFTCORE_DATABASE": queue.database.url}
    arguments, log = [*WORKER_COMMAND, "--device", device], paths.workspace_folder() / "worker.log"
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
    return QueueJob(
        **columns | {"spec": RunSpec.make(row["spec"]), "state": state, "worker": worker}
    )


def _sort_key(job: QueueJob) -> tuple[int, float, int]:
    order = {"running": 0, "queued": 1}.get(job.state, 2)
    return (order, -job.priority if order == 1 else 0, job.id if order < 2 else -job.id)
