"""The process that works off the queue: one job after the other, base models kept warm.

It outlives the app.  What goes wrong with a job is written to its run, and the next job begins.
SIGTERM hands the current job back to the queue; after SIGKILL the job reads as lost.  How a run is
trained is in `training.run_training`; `attempt` is what the worker and the command line have in
common.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from peftcore.errors import BadInput
from peftcore.jobs.queue import Job, JobState, Queue
from peftcore.runs.store import Run, Status
from peftcore.system import malloc, processes

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

BEAT = 2.0  # seconds between two signs of life
NAP = 0.3  # seconds between two looks at an empty queue
WARM = 2  # base models kept in memory


class Failed(RuntimeError):
    """Our own fault while working on a run; the run's log has the traceback under the error id."""


class Worker:
    """Works off the jobs of one device.  `perform` and `load` are replaced in tests."""

    def __init__(
        self,
        queue: Queue | None = None,
        device: str = "auto",
        perform: Callable[..., Status] | None = None,
        load: Callable[[str, str], BaseModel] | None = None,
    ) -> None:
        self.queue = queue or Queue()
        self.asked, self.device = device, device
        self.identity = processes.current()
        self._perform = perform
        self._load = load
        self._warm: dict[str, Any] = {}
        self._job: Job | None = None
        self._leaving = threading.Event()

    def run(self, once: bool = False, idle_seconds: float = 900.0) -> int:
        """Work until nothing has come for a while, with `once` until the queue is empty.

        Returns the number of jobs worked on.  BadInput if the device has a worker already.
        """
        if not self.queue.enlist(self.asked, self.identity):
            raise BadInput(f"a worker is alive on device {self.asked!r} already")
        worked, until = 0, time.monotonic() + idle_seconds
        with self._terminating(), beating(self._beat):
            try:
                self.device = resolve(self.asked)  # inside: importing torch takes seconds
                while not self._leaving.is_set():
                    job = self.queue.claim(self.device, self.identity)
                    if job:
                        self._work(job)
                        worked, until = worked + 1, time.monotonic() + idle_seconds
                    elif (once or time.monotonic() > until) and self._dismissed():
                        break
                    else:
                        self._leaving.wait(NAP)
            finally:
                self.queue.dismiss(self.asked, self.device, self.identity, force=True)
        return worked

    def _work(self, job: Job) -> None:
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
            status = attempt(run, lambda: self._train(run, job))
        except (BadInput, Failed) as error:
            self.queue.finish(job, "failed", str(error))
        else:
            self._end(job, run, status)
        finally:
            self._job = None

    def _train(self, run: Run, job: Job) -> Status:
        if self._perform is None:
            from peftcore.training.run_training import perform

            self._perform = perform
        base = self._base(run.spec.base)
        return self._perform(run, device=self.device, base=base, stop=lambda: self._stop(job))

    def _end(self, job: Job, run: Run, status: Status) -> None:
        if (
            status.state == "cancelled"
            and self._leaving.is_set()
            and not self.queue.stop_asked(job)
        ):
            run.write_status(
                state="queued", message="Waits for a worker; goes on where it stopped."
            )
            self.queue.finish(job, "queued")
        else:
            state: JobState = "done" if status.state == "done" else "cancelled"
            self.queue.finish(job, state, status.message)

    def _stop(self, job: Job) -> bool:
        return self._leaving.is_set() or self.queue.stop_asked(job)

    def _base(self, name: str) -> Any:
        """The base model, loaded once; the one that was not used for longest makes room."""
        if name in self._warm:
            self._warm[name] = self._warm.pop(name)
            return self._warm[name]
        if self._load is None:
            from peftcore.models.base_model import load

            self._load = load
        while len(self._warm) >= WARM:
            del self._warm[next(iter(self._warm))]
        self._warm[name] = self._load(name, self.device)
        return self._warm[name]

    def _beat(self) -> None:
        job = self._job
        with contextlib.suppress(SQLAlchemyError):  # busy database: the next beat will do
            self.queue.present(self.asked, self.identity)
            if job:
                self.queue.beat(job)

    def _dismissed(self) -> bool:
        return self.queue.dismiss(self.asked, self.device, self.identity)

    @contextlib.contextmanager
    def _terminating(self) -> Iterator[None]:
        """SIGTERM means: hand the job back and go."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self._leaving.set())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def attempt(run: Run, work: Callable[[], Status]) -> Status:
    """Work on a run that nobody else is at, and write down whatever goes wrong.

    BadInput passes through, with its sentence in the status; anything else becomes Failed.
    """
    try:
        return _attempted(run, work)
    finally:
        malloc.release()


def _attempted(run: Run, work: Callable[[], Status]) -> Status:
    with run.hold():
        run.claim()
        with beating(run.beat):
            try:
                return work()
            except BadInput as error:
                run.append_log(str(error))
                run.write_status(state="failed", message=str(error))
                raise
            except KeyboardInterrupt:
                run.write_status(state="cancelled", message="Interrupted; it can be resumed.")
                raise
            except Exception as error:
                raise _recorded(run, error) from error


def _recorded(run: Run, error: Exception) -> Failed:
    error_id = secrets.token_hex(4)
    run.append_log(f"error {error_id}\n{traceback.format_exc()}")
    message = f"Stopped by an error of type {type(error).__name__}; the log has it as {error_id}."
    run.write_status(state="failed", message=message, error_id=error_id)
    return Failed(message)


def resolve(device: str) -> str:
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


@contextlib.contextmanager
def beating(beat: Callable[[], None], every: float = BEAT) -> Iterator[None]:
    """Call `beat` from a thread for as long as the block lasts."""
    over = threading.Event()

    def keep_on() -> None:
        while not over.wait(every):
            beat()

    thread = threading.Thread(target=keep_on, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
