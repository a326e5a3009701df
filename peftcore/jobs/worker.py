"""The process that works off the queue: one job after the other, base models kept warm.

It outlives the app.  Training runs are done here, other jobs by a child process each.  What goes
wrong with a job is written to its folder, and the next job begins.  SIGTERM hands the current job
back to the queue; after SIGKILL the job reads as lost.  How a run is
trained is in `training.run_training`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from peftcore.errors import BadInput
from peftcore.jobs.background import BackgroundJob, open_job
from peftcore.jobs.queue import COMMAND_LANES, Queue, QueueJob
from peftcore.models.cache import BaseModelCache
from peftcore.runs.store import Run, RunStatus
from peftcore.system import notices, processes, rights
from peftcore.system.job_folder import JobFailed, JobStatus, heartbeat_thread, run_recording_errors

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

POLL_SECONDS = 0.3  # seconds between two looks at an empty queue


class Worker:
    """Works off the jobs of a device or lane; tests replace `run_training` and `load_base`."""

    def __init__(
        self,
        queue: Queue | None = None,
        device: str = "auto",
        run_training: Callable[..., RunStatus] | None = None,
        load_base: Callable[[str, str], BaseModel] | None = None,
    ) -> None:
        self.queue = queue or Queue()
        self.requested_device, self.device = device, device
        self.identity = processes.current_process()
        self._run_training = run_training
        self._base_models = BaseModelCache(load_base)
        self._job: QueueJob | None = None  # read by the thread that sends heartbeats
        self._stopping = threading.Event()

    def run(self, once: bool = False, idle_seconds: float = 900.0) -> int:
        """Work until nothing has come for a while, with `once` until the queue is empty.

        Returns the number of jobs worked on.  BadInput if the device has a worker already.
        """
        if not self.queue.register_worker(self.requested_device, self.identity):
            raise BadInput(f"a worker is alive on device {self.requested_device!r} already")
        finished_jobs, idle_deadline = 0, time.monotonic() + idle_seconds
        # Heartbeats come first: importing torch takes seconds, in which the worker must not seem to
        # be gone, or a second one would be started beside it.
        with self._handling_sigterm(), heartbeat_thread(self._send_heartbeats):
            try:
                self.device = resolve_device(self.requested_device)
                while not self._stopping.is_set():
                    job = self.queue.claim(self.device, self.identity)
                    if job:
                        self._process_job(job)
                        finished_jobs += 1
                        idle_deadline = time.monotonic() + idle_seconds
                    # Leaving takes the database's word that nothing waits: a job submitted now
                    # either keeps this worker or finds none and starts another.
                    elif (once or time.monotonic() > idle_deadline) and self._unregister_if_idle():
                        break
                    else:
                        self._stopping.wait(POLL_SECONDS)
            finally:  # whatever ended it, the next worker need not wait for the timeout
                self.queue.unregister_worker(
                    self.requested_device, self.device, self.identity, force=True
                )
        return finished_jobs

    def _process_job(self, job: QueueJob) -> None:
        """One job from claim to end; nothing that happens to it ends the worker."""
        try:
            folder = self._open_folder(job)
        except BadInput as error:  # deleted while it waited
            self.queue.finish(job, "cancelled", str(error))
            return
        if folder.status().state == "done":  # done from a terminal while it waited here
            self.queue.finish(job, "done")
            return
        self._job = job  # the heartbeats are for it from here on
        os.environ["PEFTCORE_DATA"] = job.data  # it may have been queued from another folder
        try:
            if isinstance(folder, Run):
                run = folder
                status: JobStatus = run_recording_errors(run, lambda: self._train(run, job))
            else:
                status = self._run_command(folder, job)
        except (BadInput, JobFailed) as error:
            if self.queue.finish(job, "failed", str(error)):
                _give_word(job, "failed", str(error))
        else:
            self._finish_job(job, folder, status)
        finally:
            self._job = None

    def _open_folder(self, job: QueueJob) -> Run | BackgroundJob:
        # Runs come from the queue's own store, which tests and engines put elsewhere.
        if job.kind == "train":
            return self.queue.store.open(job.run_id)
        return open_job(job.kind, job.run_id)

    def _train(self, run: Run, job: QueueJob) -> RunStatus:
        if self._run_training is None:
            from peftcore.training.run_training import execute_run

            self._run_training = execute_run
        base = self._base_model(run.spec.base)
        # A stop that somebody asked for is in the run's folder, where `execute_run` looks itself.
        return self._run_training(
            run, device=self.device, base=base, stop=lambda: self._should_stop(job)
        )

    def _run_command(self, folder: BackgroundJob, job: QueueJob) -> JobStatus:
        """Do a job as the command that anybody could type, in a process of its own.

        So a fault in it, or the memory it takes, ends with it and not with the worker.
        """
        arguments = ["-m", "peftcore", *folder.request.command_arguments(), "--json"]
        child = processes.start_python(arguments, folder.folder / "log.txt")
        stopped_here = False
        while child.find_process() is not None:
            if self._should_stop(job) and not folder.stop_requested():
                folder.request_stop()
                stopped_here = True
            time.sleep(POLL_SECONDS)
        if stopped_here:  # the stop was the worker's own, and must not count as somebody's
            folder.withdraw_stop()
        status = folder.status()
        if status.busy:
            raise BadInput(f"{folder.id} is being worked on by another process")
        if status.state == "queued":  # it did not come so far as to sign its folder
            message = "Its process ended before it began; the log may say why."
            folder.write_status(state="failed", message=message)
            raise JobFailed(message)
        return status

    def _finish_job(self, job: QueueJob, folder: Run | BackgroundJob, status: JobStatus) -> None:
        # Cut short by SIGTERM alone, the job goes back to the queue, for the next worker to go on.
        if (
            status.state == "cancelled"
            and self._stopping.is_set()
            and not folder.stop_requested()
            and self.queue.is_claimed(job)
        ):
            folder.write_status(
                state="queued", message="Waits for a worker; goes on where it stopped."
            )
            self.queue.finish(job, "queued")
        elif self.queue.finish(job, status.state, status.message) and status.state != "cancelled":
            _give_word(job, status.state, status.message)

    def _should_stop(self, job: QueueJob) -> bool:
        # A worker that was silent too long counts as gone, and its job may be another one's by now.
        return self._stopping.is_set() or not self.queue.is_claimed(job)

    def _base_model(self, name: str) -> BaseModel:
        """The base model, loaded once; the one that was not used for longest makes room."""
        return self._base_models.get(name, self.device)

    def _send_heartbeats(self) -> None:
        job = self._job
        with contextlib.suppress(SQLAlchemyError):  # busy database: the next beat will do
            self.queue.worker_heartbeat(self.requested_device, self.identity)
            if job:
                self.queue.job_heartbeat(job)

    def _unregister_if_idle(self) -> bool:
        return self.queue.unregister_worker(self.requested_device, self.device, self.identity)

    @contextlib.contextmanager
    def _handling_sigterm(self) -> Iterator[None]:
        """SIGTERM means: hand the job back and go."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def _give_word(job: QueueJob, state: str, message: str) -> None:
    """Say that a job is done or failed to whoever wants to know."""
    spec = job.spec
    if job.kind == "train":
        what = f"Run {job.run_id} ({spec['method']} on {spec['task']}, {spec['base']})"
    else:
        what = f"{job.kind.capitalize()} {job.run_id}"
    title = f"{what} {'is done' if state == 'done' else 'failed'}"
    owner = rights.owner_of(job.called)
    notices.send(notices.Notice(job.kind, job.run_id, state, title, message, owner))


def resolve_device(device: str) -> str:
    """The device meant: "auto" is the GPU if there is one.  BadInput if it is not there."""
    if device == "cpu" or device in COMMAND_LANES:  # torch is not needed to know
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise BadInput(
            f"no device {device!r} here; known: auto, cpu and, with a GPU, cuda"
        ) from None
    return device
