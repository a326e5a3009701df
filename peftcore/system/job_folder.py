"""The folder of a job of any kind: its status, process, heartbeat, stop and log.

| file | holds |
| --- | --- |
| status.json | state, how much is done, and the process that works on it; replaced as a whole |
| lock | locked by the process that works, for as long as it lives |
| stop | empty; there when somebody asked the process to stop |
| log.txt | what happened, with the traceback of a failure |

A process that dies leaves "running" behind; it reads as "lost" once the process is gone or has not
touched status.json for a while.  Whose turn it is to run is decided in `jobs.queue`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

from peftcore.errors import BadInput
from peftcore.system import atomic_files, file_locks, malloc, processes

JobState = Literal["queued", "running", "done", "cancelled", "failed", "lost"]
ACTIVE_STATES = ("queued", "running")
# What folders written by earlier versions call a state, and a field.
STORED_STATES = {"waiting": "queued", "working": "running", "stopped": "cancelled"}
STORED_FIELDS = {"step": "done", "steps": "of"}
PHASES = ("training", "answering")  # of a run; stored as its state before

HEARTBEAT_SECONDS = 2.0  # seconds between two signs of life
HEARTBEAT_TIMEOUT_SECONDS = 60.0  # seconds of silence after which whoever works counts as gone
StatusType = TypeVar("StatusType", bound="JobStatus")
T = TypeVar("T")


class JobFailed(RuntimeError):
    """Our own fault while working on a job; its log has the traceback under the error id."""


@dataclass(frozen=True)
class JobStatus:
    """State and progress of a job.  Times are epoch seconds; `seconds` is work done so far."""

    state: JobState = "cancelled"  # of what was never begun as well
    phase: str = ""  # of a run that is running: one of PHASES
    done: int = 0
    of: int = 0
    seconds: float = 0.0
    message: str = ""
    error_id: str = ""
    updated: float = 0.0
    process: dict[str, Any] | None = None  # a ProcessIdentity while somebody is at it

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self:
        """Read a status as any version wrote it."""
        known = {part.name for part in fields(cls)}
        values = {STORED_FIELDS.get(name, name): value for name, value in stored.items()}
        if values.get("state") in PHASES:
            values |= {"state": "running", "phase": values["state"]}
        if "state" in values:
            values["state"] = STORED_STATES.get(values["state"], values["state"])
        if values.get("state") != "running":
            values["phase"] = ""
        return cls(**{name: value for name, value in values.items() if name in known})

    @property
    def active(self) -> bool:
        """Return whether it waits or is being worked on."""
        return self.state in ACTIVE_STATES

    @property
    def busy(self) -> bool:
        """Return whether a living process works on it, or has just begun to."""
        return self.state == "running" or (self.state == "queued" and self.process is not None)

    @property
    def resumable(self) -> bool:
        """Return whether it stopped before its end and can go on from there."""
        return self.state in ("lost", "cancelled", "failed")

    @property
    def label(self) -> str:
        """The state in the most exact word: the phase of a run, otherwise the state."""
        return self.phase or self.state

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, by the speed so far."""
        return self.seconds / self.done * (self.of - self.done) if self.done else None


@functools.lru_cache(maxsize=20_000)
def _read_status(kind: Any, file: str, _stamp: tuple[int, int, int]) -> Any:
    """Read a status as its file is now; a list of thousands of jobs asks for it again and again."""
    return kind.parse(atomic_files.read_json(Path(file)))


class JobFolder(Generic[StatusType]):
    """The folder of a job of any kind; those that ship with the project are fixed."""

    STATUS: ClassVar[Any] = JobStatus  # the type of its status
    folder: Path

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits."""
        return self.folder.name

    @property
    def fixed(self) -> bool:
        """Return whether it ships with the project and cannot be changed."""
        raise NotImplementedError

    def refuse_if_fixed(self) -> None:
        """BadInput if it ships with the project."""
        if self.fixed:
            raise BadInput(f"{self.id} ships with the project and cannot be changed")

    def status(self) -> StatusType:
        """Return the state as it is now: what has no living process any more is "lost"."""
        status = self.stored_status()
        if self.fixed or status.process is None or not status.busy:
            return status
        silent = time.time() - atomic_files.modified_ns(self.folder / "status.json") / 1e9
        if processes.ProcessIdentity(**status.process).is_alive(silent, HEARTBEAT_TIMEOUT_SECONDS):
            return status
        return replace(
            status, state="lost", message="The process that worked on it is gone; resume it."
        )

    def stored_status(self) -> StatusType:
        """Read the state as it was written last, whatever became of its process."""
        file = f"{self.folder}/status.json"
        stamp = atomic_files.file_stamp(file)
        if stamp is None:
            return self.STATUS.parse({})
        status: StatusType = _read_status(self.STATUS, file, stamp)
        return status

    def write_status(self, **changes: Any) -> StatusType:
        """Change some fields; "running" is signed with this process, other states are released."""
        self.refuse_if_fixed()
        before = self.stored_status()
        status: StatusType = self.STATUS.parse(asdict(before) | changes)
        if status.state not in get_args(JobState):
            raise ValueError(f"no state {status.state!r}; known: {', '.join(get_args(JobState))}")
        if status.state != before.state and "message" not in changes:
            status = replace(status, message="")
        if "process" not in changes:
            signed = asdict(processes.current_process()) if status.state == "running" else None
            status = replace(status, process=signed)
        text = json.dumps(atomic_files.to_jsonable(asdict(replace(status, updated=time.time()))))
        atomic_files.replace_file(self.folder / "status.json", text.encode())
        return status

    def claim(self) -> StatusType:
        """Sign it with this process, so that it reads as lost if this process dies."""
        if self.stored_status().state != "queued":  # whoever queued it has withdrawn old stops
            self.withdraw_stop()
        process = asdict(processes.current_process())
        return self.write_status(state="queued", process=process, message="Starting", error_id="")

    def heartbeat(self) -> None:
        """A sign of life between two changes of the status."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.folder / "status.json")

    def request_stop(self) -> None:
        """Ask the process that is at it to stop; what was done is kept."""
        (self.folder / "stop").touch()

    def withdraw_stop(self) -> None:
        """Forget that somebody asked for a stop."""
        (self.folder / "stop").unlink(missing_ok=True)

    def stop_requested(self) -> bool:
        """Return whether the process was asked to stop."""
        return (self.folder / "stop").exists()

    def log(self) -> str:
        """Read what happened, one line each, with the traceback of a failure."""
        path = self.folder / "log.txt"
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def append_log(self, line: str) -> None:
        """Add a line to the log, with the time."""
        self.refuse_if_fixed()
        stamped = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line.rstrip()}\n"
        atomic_files.append_lines(self.folder / "log.txt", stamped)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process from working on it; BadInput if one already does.

        The lock belongs to the operating system, so it ends with its process however that ends.
        """
        self.refuse_if_fixed()
        with file_locks.hold_or_refuse(
            self.folder / "lock", f"{self.id} is being worked on by another process"
        ):
            yield


def run_recording_errors(job: JobFolder[Any], work: Callable[[], T]) -> T:
    """Work on a job that nobody else is at, and write down whatever goes wrong.

    BadInput passes through, with its sentence in the status, and so does a stop; anything else
    becomes JobFailed.
    """
    try:
        with job.lock():
            job.claim()
            with heartbeat_thread(job.heartbeat):
                return _recording_errors(job, work)
    finally:
        malloc.return_freed_memory()


def _recording_errors(job: JobFolder[Any], work: Callable[[], T]) -> T:
    try:
        return work()
    except BadInput as error:
        job.append_log(str(error))
        job.write_status(state="failed", message=str(error))
        raise
    except (InterruptedError, KeyboardInterrupt):
        job.write_status(state="cancelled", message="Stopped; what was done is kept.")
        raise
    except Exception as error:
        error_id = secrets.token_hex(4)
        job.append_log(f"error {error_id}\n{traceback.format_exc()}")
        kind = type(error).__name__
        message = f"Stopped by an error of type {kind}; the log has it as {error_id}."
        job.write_status(state="failed", message=message, error_id=error_id)
        raise JobFailed(message) from error


@contextlib.contextmanager
def heartbeat_thread(
    send_heartbeat: Callable[[], None], interval_seconds: float = HEARTBEAT_SECONDS
) -> Iterator[None]:
    """Call `send_heartbeat` from a thread for as long as the block lasts."""
    finished = threading.Event()

    def keep_on() -> None:
        while not finished.wait(interval_seconds):
            send_heartbeat()

    thread = threading.Thread(target=keep_on, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
