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
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system import processes
from peftcore.system.database import JOBS, WORKERS, Database
from peftcore.system.processes import Identity

JobState = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
LIVE = ("queued", "running")
PATIENCE = 60.0  # seconds without a heartbeat after which a worker counts as gone
COMMAND = ["-m", "peftcore", "worker"]
FREED = {"pid": None, "process_started": None, "token": None, "host": None, "heartbeat": None}


@dataclass(frozen=True)
class Job:
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
    worker: Identity | None
    heartbeat: float | None
    cancel: bool
    message: str

    @property
    def live(self) -> bool:
        """Whether it waits or is being worked on."""
        return self.state in LIVE


class Queue:
    """Jobs of all processes that use one database."""

    def __init__(self, url: str | None = None, store: RunStore | None = None) -> None:
        self.database = Database(url)
        self.store = store or RunStore()

    def submit(self, spec: RunSpec, priority: int = 0, device: str = "auto") -> Job:
        """A job for the run of this spec: the one it has, or a new one unless the run is done."""
        run = self.store.create(spec)
        with self.database.write(exclusive=True) as connection:
            job = _latest(connection, run.id)
            if job and job.live:
                return job
            done = run.status().state == "done"
            if done and job and job.state == "done":
                return job
            return self._enter(connection, run, job, priority, device, done=done)

    def resume(self, run_id: str, priority: int = 0, device: str = "auto") -> Job:
        """Queue a run that stopped short of its end; it goes on from its checkpoint."""
        run = self.store.open(run_id)
        if run.demo:
            raise BadInput(f"run {run_id} is a demo run, which cannot be trained")
        if run.status().state == "done":
            raise BadInput(f"run {run_id} is done; there is nothing to resume")
        with self.database.write(exclusive=True) as connection:
            job = _latest(connection, run_id)
            if job and job.live:
                raise BadInput(f"run {run_id} is {job.state} already")
            return self._enter(connection, run, job, priority, device)

    def cancel(self, job_id: int) -> Job:
        """Take a waiting job out of the queue, or ask its worker to stop within a step."""
        with self.database.write(exclusive=True) as connection:
            job = _find(connection, job_id)
            if not job.live and job.state != "lost":
                raise BadInput(f"job {job_id} is {job.state} already")
            if job.state == "running":
                return _change(connection, job, cancel=True)
            self.store.open(job.run_id).write_status(state="cancelled", message="Cancelled.")
            return _change(connection, job, state="cancelled", finished=time.time())

    def set_priority(self, job_id: int, priority: int) -> Job:
        """Move a waiting job: higher numbers come first."""
        with self.database.write(exclusive=True) as connection:
            job = _find(connection, job_id)
            if job.state != "queued":
                raise BadInput(f"job {job_id} is {job.state}; only waiting jobs can be moved")
            return _change(connection, job, priority=priority)

    def jobs(self) -> list[Job]:
        """Every job: what runs, what waits in the order it will be taken, then the past."""
        jobs = [_job(row) for row in self.database.read(sa.select(JOBS))]
        return sorted(jobs, key=_turn)

    def job_for(self, run_id: str) -> Job | None:
        """The latest job of a run, if it ever had one."""
        query = sa.select(JOBS).where(JOBS.c.run_id == run_id).order_by(JOBS.c.id.desc()).limit(1)
        rows = self.database.read(query)
        return _job(rows[0]) if rows else None

    def claim(self, device: str, worker: Identity) -> Job | None:
        """The next job for a worker on this device, now running; None if there is none."""
        try:
            with self.database.write() as connection:
                return self._claim(connection, device, worker)
        except IntegrityError:  # another worker of this device was quicker
            return None

    def _claim(self, connection: sa.Connection, device: str, worker: Identity) -> Job | None:
        _bury(connection)
        at_it = (JOBS.c.state == "running", JOBS.c.host == worker.host, JOBS.c.device == device)
        if connection.execute(sa.select(JOBS.c.id).where(*at_it)).first():
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
        signed = _signature(worker) | {"device": device, "heartbeat": now, "started": now}
        return _change(connection, _job(row), state="running", **signed)

    def beat(self, job: Job) -> bool:
        """A sign of life; False if the job is no longer this worker's."""
        assert job.worker is not None
        with self.database.write() as connection:
            change = sa.update(JOBS).where(*_mine(job)).values(heartbeat=time.time())
            return connection.execute(change).rowcount == 1

    def stop_asked(self, job: Job) -> bool:
        """Whether the job should stop: cancelled, or no longer this worker's."""
        rows = self.database.read(sa.select(JOBS.c.cancel).where(*_mine(job)))
        return not rows or rows[0]["cancel"]

    def finish(self, job: Job, state: JobState, message: str = "") -> bool:
        """Record how a job ended; False, and nothing changed, if it is no longer this worker's."""
        end = {"finished": time.time()} if state != "queued" else FREED | {"started": None}
        with self.database.write() as connection:
            change = sa.update(JOBS).where(*_mine(job)).values(state=state, message=message, **end)
            return connection.execute(change).rowcount == 1

    def waiting(self) -> list[str]:
        """The devices that jobs wait for; empty if no job waits."""
        query = sa.select(JOBS.c.device).where(JOBS.c.state == "queued").distinct()
        return [row["device"] for row in self.database.read(query)]

    def enlist(self, device: str, worker: Identity) -> bool:
        """Make this process the worker of a device; False if a living one is there."""
        with self.database.write(exclusive=True) as connection:
            return _enlist(connection, device, worker)

    def present(self, device: str, worker: Identity) -> None:
        """A worker's sign of life."""
        with self.database.write() as connection:
            connection.execute(
                _at(sa.update(WORKERS), device, worker).values(heartbeat=time.time())
            )

    def dismiss(self, asked: str, device: str, worker: Identity, force: bool = False) -> bool:
        """Take a worker off the list; False if work came in the meantime, unless forced."""
        with self.database.write(exclusive=True) as connection:
            mine = JOBS.c.device.in_((asked, device, "auto"))
            query = sa.select(JOBS.c.id).where(JOBS.c.state == "queued", mine)
            if not force and connection.execute(query).first():
                return False
            connection.execute(_at(sa.delete(WORKERS), asked, worker))
            return True

    def _enter(
        self,
        connection: sa.Connection,
        run: Run,
        before: Job | None,
        priority: int,
        device: str,
        done: bool = False,
    ) -> Job:
        """A new row.  The run is marked first: once the row is seen, a worker may be at it."""
        if run.status().busy:
            raise BadInput(f"run {run.id} is being trained by another process")
        _bury(connection)
        if before and before.state == "lost":
            _silence(connection, before)
        if not done:
            run.write_status(state="queued", message="", error_id="")
        now = time.time()
        values = {
            "run_id": run.id,
            "spec": run.spec.model_dump(mode="json"),
            "data": str(paths.data()),
            "device": device,
            "state": "done" if done else "queued",
            "priority": priority,
            "created": now,
            "finished": now if done else None,
            "message": "This run had been done before." if done else "",
        }
        row = connection.execute(sa.insert(JOBS).values(values).returning(JOBS)).mappings().one()
        return _job(row)


def ensure_worker(device: str = "auto", queue: Queue | None = None) -> bool:
    """Start a worker that outlives this process unless one is alive; True if one was started."""
    queue = queue or Queue()
    with queue.database.write(exclusive=True) as connection:
        if _worker_of(connection, device):
            return False
        _enlist(connection, device, _spawn(device, queue))
        return True


def tend(queue: Queue) -> int:
    """Start the workers that waiting jobs miss, after a crash for example; returns how many.

    Cheap when nothing waits, so a page may call it at every look.
    """
    return sum(ensure_worker(device, queue) for device in queue.waiting())


def _spawn(device: str, queue: Queue) -> Identity:
    """Start the process in a session of its own, so that nobody's Ctrl+C or end reaches it."""
    more = {"PEFTCORE_DATABASE": queue.database.url}
    words, log = [*COMMAND, "--device", device], paths.home() / "worker.log"
    return processes.start(words, log, secrets.token_hex(8), more)


def _enlist(connection: sa.Connection, device: str, worker: Identity) -> bool:
    there = _worker_of(connection, device)
    if there:
        return there == worker
    key = {"host": worker.host, "device": device}
    connection.execute(sa.delete(WORKERS).filter_by(**key))
    row = key | _signature(worker) | {"heartbeat": time.time()}
    connection.execute(sa.insert(WORKERS).values(row))
    return True


def _worker_of(connection: sa.Connection, device: str) -> Identity | None:
    """The living worker of a device of this machine."""
    query = sa.select(WORKERS).filter_by(host=socket.gethostname(), device=device)
    row = connection.execute(query).mappings().first()
    identity = _identity(row) if row else None
    alive = row and identity and identity.alive(time.time() - row["heartbeat"], PATIENCE)
    return identity if alive else None


def _bury(connection: sa.Connection) -> None:
    """Write down which running jobs are lost, so that they do not keep their device."""
    for row in connection.execute(sa.select(JOBS).where(JOBS.c.state == "running")).mappings():
        job = _job(row)
        if job.state == "lost":
            _change(connection, job, state="lost", finished=time.time())


def _silence(connection: sa.Connection, job: Job) -> None:
    """End a worker that is there but hung, so that it cannot wake up and write to its run."""
    if job.worker is None:
        return
    here = sa.select(WORKERS.c.heartbeat).filter_by(**_signature(job.worker))
    heard = connection.execute(here).scalar()
    if heard is None or time.time() - heard > PATIENCE:
        processes.end(job.worker)


def _find(connection: sa.Connection, job_id: int) -> Job:
    row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
    if row is None:
        raise BadInput(f"no job {job_id}")
    return _job(row)


def _latest(connection: sa.Connection, run_id: str) -> Job | None:
    query = sa.select(JOBS).where(JOBS.c.run_id == run_id).order_by(JOBS.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return _job(row) if row else None


def _change(connection: sa.Connection, job: Job, **values: Any) -> Job:
    change = sa.update(JOBS).where(JOBS.c.id == job.id).values(**values).returning(JOBS)
    return _job(connection.execute(change).mappings().one())


def _mine(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    """The job, as long as the worker that claimed it has it."""
    assert job.worker is not None
    signed = (JOBS.c[name] == value for name, value in _signature(job.worker).items())
    return (JOBS.c.id == job.id, JOBS.c.state == "running", *signed)


def _at(statement: Any, device: str, worker: Identity) -> Any:
    return statement.filter_by(device=device, **_signature(worker))


def _signature(worker: Identity) -> dict[str, Any]:
    values = asdict(worker)
    return values | {"process_started": values.pop("started")}


def _identity(row: sa.RowMapping) -> Identity | None:
    if row["pid"] is None:
        return None
    return Identity(row["pid"], row["process_started"], row["token"], row["host"])


def _job(row: sa.RowMapping) -> Job:
    """A row as a job; a running one without a living worker reads as lost."""
    worker = _identity(row)
    state = row["state"]
    silent = time.time() - (row["heartbeat"] or 0)
    if state == "running" and not (worker and worker.alive(silent, PATIENCE)):
        state = "lost"
    own = {name: row[name] for name in Job.__dataclass_fields__ if name in row}
    return Job(**own | {"spec": RunSpec.make(row["spec"]), "state": state, "worker": worker})


def _turn(job: Job) -> tuple[int, float, int]:
    order = {"running": 0, "queued": 1}.get(job.state, 2)
    return (order, -job.priority if order == 1 else 0, job.id if order < 2 else -job.id)
