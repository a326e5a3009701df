"""The process that works off the queue: one job after the other, base models kept warm.

It outlives the app.  What goes wrong with a job is written to its run, and the next job begins.
SIGTERM hands the current job back to the queue; after SIGKILL the job reads as lost.  How a run is
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
from peftcore.jobs.queue import Queue, QueueJob
from peftcore.models.cache import BaseModelCache
from peftcore.runs.store import Run, RunStatus
from peftcore.system import processes
from peftcore.system.job_folder import JobFailed, JobState, heartbeat_thread, run_recording_errors

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

POLL_SECONDS = 0.3  # seconds between two looks at an empty queue


class Worker:
    """Works off the jobs of one device.  `perform` and `load` are replaced in tests."""

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
        self._job: QueueJob | None = None
        self._stopping = threading.Event()

    def run(self, once: bool = False, idle_seconds: float = 900.0) -> int:
        """Work until nothing has come for a while, with `once` until the queue is empty.

        Returns the number of jobs worked on.  BadInput if the device has a worker already.
        """
        if not self.queue.register_worker(self.requested_device, self.identity):
            raise BadInput(f"a worker is alive on device {self.requested_device!r} already")
        finished_jobs, idle_deadline = 0, time.monotonic() + idle_seconds
        with self._handling_sigterm(), heartbeat_thread(self._send_heartbeats):
            try:
                self.device = resolve_device(
                    self.requested_device
                )  # inside: importing torch takes seconds
                while not self._stopping.is_set():
                    job = self.queue.claim(self.device, self.identity)
                    if job:
                        self._process_job(job)
                        finished_jobs, idle_deadline = (
                            finished_jobs + 1,
                            time.monotonic() + idle_seconds,
                        )
                    elif (once or time.monotonic() > idle_deadline) and self._unregister_if_idle():
                        break
                    else:
                        self._stopping.wait(POLL_SECONDS)
            finally:
                self.queue.unregister_worker(
                    self.requested_device, self.device, self.identity, force=True
                )
        return finished_jobs

    def _process_job(self, job: QueueJob) -> None:
        """One job from claim to end; nothing that happens to it ends the worker."""
        try:
            run = self.queue.store.open(job.run_id)
        except BadInput as error:
            self.queue.finish(job, "cancelled", str(error))
            return
        if run.status().state == "done":  # trained from a terminal while it waited here
            self.queue.finish(job, "done")
            return
        self._job = job
        os.environ["PEFTCORE_DATA"] = job.data
        try:
            status = run_recording_errors(run, lambda: self._train(run, job))
        except (BadInput, JobFailed) as error:
            self.queue.finish(job, "failed", str(error))
        else:
            self._finish_job(job, run, status)
        finally:
            self._job = None

    def _train(self, run: Run, job: QueueJob) -> RunStatus:
        if self._run_training is None:
            from peftcore.training.run_training import execute_run

            self._run_training = execute_run
        base = self._base_model(run.spec.base)
        return self._run_training(
            run, device=self.device, base=base, stop=lambda: self._should_stop(job)
        )

    def _finish_job(self, job: QueueJob, run: Run, status: RunStatus) -> None:
        if (
            status.state == "cancelled"
            and self._stopping.is_set()
            and not self.queue.stop_requested(job)
        ):
            run.write_status(
                state="queued", message="Waits for a worker; goes on where it stopped."
            )
            self.queue.finish(job, "queued")
        else:
            state: JobState = "done" if status.state == "done" else "cancelled"
            self.queue.finish(job, state, status.message)

    def _should_stop(self, job: QueueJob) -> bool:
        return self._stopping.is_set() or self.queue.stop_requested(job)

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


def resolve_device(device: str) -> str:
    """The device meant: "auto" is the GPU if there is one.  BadInput if it is not there."""
    if device == "cpu":
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
