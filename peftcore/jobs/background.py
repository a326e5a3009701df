"""Long measurements: what was asked for, how far each is, and what is known; folders on disk.

| file | holds |
| --- | --- |
| ask.json | what was asked; its hash names the folder |
| plan.json | the facts that stand on the figure, and rows for what will be measured |
| values.jsonl | numbers as they come in; only appended to, so a stop loses nothing |
| status.json | state, how much is done, which process is at it |

A measurement is carried out in a process of its own, one at a time on a machine.  Needs no torch.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd
from filelock import FileLock
from pydantic import Field

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.settings import Settings
from peftcore.system import atomic_files, file_locks, processes

STATES = ("waiting", "working", "done", "stopped", "failed", "lost")
# Without a sign of life for so long a process counts as hung.
HEARTBEAT_TIMEOUT_SECONDS = 300.0
JOB_ID_PATTERN = re.compile(r"[0-9a-f]{12}")
ADAPTER_REF_PATTERN = re.compile(r"([0-9a-f]{12})(?:@(\d+))?(?:/(\d+))?")


@dataclass(frozen=True)
class AdapterRef:
    """One adapter by run, step of its path (None: the result) and seed (None: the asked one)."""

    run: str
    step: int | None = None
    seed: int | None = None

    @classmethod
    def parse(cls, text: str) -> AdapterRef:
        """RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; BadInput otherwise."""
        match = ADAPTER_REF_PATTERN.fullmatch(text)
        if not match:
            raise BadInput(
                f"an adapter is named RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; got {text[:40]!r}"
            )
        run, step, seed = match.groups()
        return cls(run, None if step is None else int(step), None if seed is None else int(seed))


class JobRequest(Settings):
    """Everything that decides a measurement; equal asks are computed once."""

    runs: tuple[str, ...] = Field(description="What is measured, as `Part.read` reads it")

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits: equal asks have equal ids."""
        return self.digest()

    def canonical_values(self) -> dict[str, Any]:
        """The fields that enter the digest, and what tells sorts of asks apart."""
        return super().canonical_values() | self.kind_fields()

    def adapter_refs(self) -> list[AdapterRef]:
        """What is measured by run, step and seed."""
        return [AdapterRef.parse(text) for text in self.runs]

    def kind_fields(self) -> dict[str, str]:
        """What tells asks of different sorts apart."""
        return {}

    def command(self) -> list[str]:
        """The arguments that compute this, without its settings."""
        raise NotImplementedError

    def command_arguments(self) -> list[str]:
        """The arguments of the command that computes this."""
        explicit_values = self.model_dump(
            mode="json", exclude={"kind", "runs"}, exclude_defaults=True
        )
        assignments = [
            f"{n}={v if isinstance(v, str) else json.dumps(v)}" for n, v in explicit_values.items()
        ]
        return [*self.command(), *(word for each in assignments for word in ("--set", each))]


@dataclass(frozen=True)
class JobStatus:
    """How far a measurement is."""

    state: str = "stopped"
    done: int = 0
    of: int = 0
    message: str = ""
    seconds: float = 0.0  # of work so far
    updated: float = 0.0
    process: dict[str, Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a living process is at it, or waits for its turn."""
        return self.state in ("waiting", "working")

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, by the speed so far."""
        return self.seconds / self.done * (self.of - self.done) if self.done else None


@dataclass(frozen=True)
class BackgroundJob:
    """The folder of one ask; shipped ones lie among the assets and cannot be changed."""

    folder: Path
    request: JobRequest
    shipped: bool = False

    FOLDER_NAME: ClassVar[str]  # name of the folder they lie in
    REQUEST: ClassVar[type[JobRequest]]
    EXTRA_FILES: ClassVar[tuple[str, ...]] = ()  # files of its own that go when it is cleared
    TURN_LOCK_FILE: ClassVar[str] = "measuring.lock"  # those with the same one wait for each other
    START_VERB: ClassVar[str] = "Measure"  # on the button that starts it
    PROGRESS_WORDS: ClassVar[str] = "measured"  # what is counted as done: "3 of 7 measured"

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits."""
        return self.folder.name

    def status(self) -> JobStatus:
        """The state as it is now: what claims to work but has no living process is "lost"."""
        stored = atomic_files.read_json(self.folder / "status.json")
        known = {part.name for part in fields(JobStatus)}
        status = JobStatus(**{k: v for k, v in stored.items() if k in known})
        if self.shipped or not status.busy or status.process is None:
            return status
        alive = processes.ProcessIdentity(**status.process).is_alive(
            time.time() - status.updated, HEARTBEAT_TIMEOUT_SECONDS
        )
        return status if alive else replace(status, state="lost")

    def plan(self) -> dict[str, Any]:
        """Facts and rows as they were written; empty before it has begun."""
        return atomic_files.read_json(self.folder / "plan.json")

    @property
    def facts(self) -> dict[str, Any]:
        """What stands on the figure: examples, seed, data hash, normalisation and so on."""
        facts: dict[str, Any] = self.plan().get("facts", {})
        return facts

    def entries(self) -> list[dict[str, Any]]:
        """Everything that was measured, in the order it came in."""
        return atomic_files.read_json_lines(self.folder / "values.jsonl")

    def measures(self) -> pd.DataFrame:
        """What has been measured beside points: one row per entry, columns as they were written."""
        return pd.DataFrame([e for e in self.entries() if e.get("what") not in ("loss", "score")])

    def clear(self) -> None:
        """Forget everything but the ask."""
        for name in ("plan.json", "values.jsonl", *self.EXTRA_FILES):
            (self.folder / name).unlink(missing_ok=True)

    def append_value(self, entry: Mapping[str, Any]) -> None:
        """Add one line of values."""
        atomic_files.append_lines(
            self.folder / "values.jsonl", json.dumps(atomic_files.to_jsonable(entry)) + "\n"
        )

    def write_plan(self, facts: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
        """Replace the plan."""
        text = json.dumps(atomic_files.to_jsonable({"facts": facts, "rows": rows}))
        atomic_files.replace_file(self.folder / "plan.json", text.encode())

    def write_status(self, **changes: Any) -> JobStatus:
        """Change some fields of the status."""
        stored = atomic_files.read_json(self.folder / "status.json")
        now = stored | changes | {"updated": time.time()}
        atomic_files.replace_file(
            self.folder / "status.json", json.dumps(atomic_files.to_jsonable(now)).encode()
        )
        return self.status()

    def stop(self) -> None:
        """Ask the process to stop; what was measured is kept."""
        if self.shipped:
            return
        (self.folder / "stop").touch()
        if self.status().state == "lost":
            self.write_status(state="stopped", process=None)

    def stop_requested(self) -> bool:
        """Whether somebody asked the process to stop."""
        return (self.folder / "stop").exists()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other process from working on this one; BadInput if one already does."""
        with file_locks.hold_or_refuse(
            self.folder / "lock", f"{self.id} is being computed already"
        ):
            yield

    @classmethod
    def home(cls) -> Path:
        """Where those of this workspace lie."""
        return paths.workspace_folder() / cls.FOLDER_NAME

    @classmethod
    def assets(cls) -> Path:
        """Where those that come with the project lie."""
        return paths.ASSETS / cls.FOLDER_NAME

    @classmethod
    def find(cls, request: JobRequest) -> Self | None:
        """The one of an ask, if it was ever begun; the workspace's own comes first."""
        for root, shipped in ((cls.home(), False), (cls.assets(), True)):
            if (root / request.id / "ask.json").is_file():
                return cls(root / request.id, request, shipped)
        return None

    @classmethod
    def create(cls, request: JobRequest) -> Self:
        """The folder of an ask, made if there is none; a shipped one that is done will do."""
        existing = cls.find(request)
        if existing and (existing.status().state == "done" or not existing.shipped):
            return existing
        return cls.create_own(request)

    @classmethod
    def create_own(cls, request: JobRequest) -> Self:
        """The folder of an ask in this workspace, made if there is none."""
        folder = cls.home() / request.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_files.replace_file(
            folder / "ask.json", json.dumps(request.model_dump(mode="json")).encode()
        )
        return cls(folder, request)

    @classmethod
    def list_all(cls) -> list[Self]:
        """All that were begun here or come with the project."""
        jobs: dict[str, Self] = {}
        for root, shipped in ((cls.home(), False), (cls.assets(), True)):
            for path in sorted(root.glob("*/ask.json")):
                if not JOB_ID_PATTERN.fullmatch(path.parent.name) or path.parent.name in jobs:
                    continue
                try:
                    request = cls.REQUEST.make(atomic_files.read_json(path))
                except BadInput:  # of another version
                    continue
                jobs[path.parent.name] = cls(path.parent, request, shipped)
        return list(jobs.values())

    @classmethod
    def start(cls, request: JobRequest) -> Self:
        """Compute in a process that outlives this one; nothing if one is at it or it is done."""
        job = cls.create(request)
        job.launch()
        return job

    def launch(self) -> None:
        """Run its command in a process that outlives this one, unless it is done."""
        status = self.status()
        if self.shipped or status.busy or status.state == "done":
            return
        (self.folder / "stop").unlink(missing_ok=True)
        arguments = ["-m", "peftcore", *self.request.command_arguments(), "--json"]
        identity = processes.start_python(arguments, self.folder / "log.txt")
        self.write_status(state="waiting", message="Starting", process=asdict(identity))

    @contextmanager
    def wait_for_turn(self) -> Iterator[None]:
        """One measurement at a time on a machine; InterruptedError if stopped while waiting."""
        lock = FileLock(paths.workspace_folder() / self.TURN_LOCK_FILE)
        while not file_locks.try_acquire(lock):
            if self.stop_requested():
                raise InterruptedError
            self.write_status(state="waiting", message="Waits for another one to finish")
            time.sleep(0.5)
        with file_locks.released_after(lock):
            yield

    def run(self, work: Callable[[], None]) -> JobStatus:
        """Do the work, to its end or to where it is stopped, and write down how it went.

        Nothing if it is done already.  What `work` raises reaches the caller, except for a stop.
        """
        if self.shipped or self.status().state == "done":
            return self.status()
        with self.hold():
            identity = vars(processes.current_process())
            if (self.status().process or {}).get("pid") != identity["pid"]:
                (self.folder / "stop").unlink(missing_ok=True)  # of an earlier time
            self.write_status(state="waiting", message="Loading the base model", process=identity)
            try:
                if self.stop_requested():  # between the launch and now
                    raise InterruptedError
                with self.wait_for_turn():
                    work()
            except (InterruptedError, KeyboardInterrupt):
                return self.write_status(
                    state="stopped", process=None, message="Stopped; what was measured is kept."
                )
            except BadInput as error:
                self.write_status(state="failed", process=None, message=str(error))
                raise
            except Exception as error:
                kind = type(error).__name__
                self.write_status(state="failed", process=None, message=f"An error: {kind}")
                raise
            return self.write_status(state="done", process=None, message="")
