"""Kinds of background jobs: the request, the folder with what came in, start and stop.

| file | holds |
| --- | --- |
| ask.json | the request; its hash names the folder |
| plan.json | the facts that stand on the figure, and rows for what will be measured |
| values.jsonl | numbers as they come in; only appended to, so a stop loses nothing |

Status, lock, stop and log are those of every job (`system.job_folder`).  A measurement is done in
a process of its own, one at a time on a machine.  Needs no torch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd
from pydantic import Field

from peftcore import paths
from peftcore.errors import BadInput, unknown_name
from peftcore.jobs.queue import Queue, ensure_worker
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStatus, RunStore
from peftcore.settings import Settings
from peftcore.system import atomic_files, rights
from peftcore.system.job_folder import JobFolder, run_recording_errors
from peftcore.system.job_folder import JobStatus as JobStatus

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
        """Parse RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; BadInput otherwise."""
        match = ADAPTER_REF_PATTERN.fullmatch(text)
        if not match:
            raise BadInput(
                f"an adapter is named RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; got {text[:40]!r}"
            )
        run, step, seed = match.groups()
        return cls(run, None if step is None else int(step), None if seed is None else int(seed))


class JobRequest(Settings):
    """All that decides a background computation; equal requests are computed once."""

    runs: tuple[str, ...] = Field(description="What is measured, as `Part.read` reads it")

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits: equal requests have equal ids."""
        return self.digest()

    def canonical_values(self) -> dict[str, Any]:
        """Return the fields that enter the digest, with the request's kind."""
        return super().canonical_values() | self.kind_fields()

    def adapter_refs(self) -> list[AdapterRef]:
        """List the adapters that are used, by run, step and seed."""
        return [AdapterRef.parse(text) for text in self.runs]

    def kind_fields(self) -> dict[str, str]:
        """Return the fields that distinguish kinds of requests."""
        return {}

    def command(self) -> list[str]:
        """Return the arguments that compute this, without its settings."""
        raise NotImplementedError

    def command_arguments(self) -> list[str]:
        """Return the arguments of the command that computes this."""
        explicit_values = self.model_dump(
            mode="json", exclude={"kind", "runs"}, exclude_defaults=True
        )
        assignments = [
            f"{n}={v if isinstance(v, str) else json.dumps(v)}" for n, v in explicit_values.items()
        ]
        return [*self.command(), *(word for each in assignments for word in ("--set", each))]


@dataclass(frozen=True)
class BackgroundJob(JobFolder[JobStatus]):
    """The folder of one request; shipped ones are among the assets and cannot be changed."""

    folder: Path
    request: Any  # of the class REQUEST
    shipped: bool = False

    KIND: ClassVar[str]  # given with the class, as kind="…"
    LANE: ClassVar[str] = "measure"  # jobs of one lane wait for each other
    FOLDER_NAME: ClassVar[str]  # name of the folder they lie in
    REQUEST: ClassVar[type[Settings]]
    EXTRA_FILES: ClassVar[tuple[str, ...]] = ()  # files of its own that go when it is cleared
    START_VERB: ClassVar[str] = "Measure"  # on the button that starts it
    PROGRESS_WORDS: ClassVar[str] = "measured"  # what is counted as done: "3 of 7 measured"

    def __init_subclass__(cls, kind: str, **rest: Any) -> None:
        """Register the class as the one of its kind."""
        super().__init_subclass__(**rest)
        cls.KIND = kind
        if _KINDS.setdefault(kind, cls).__qualname__ != cls.__qualname__:
            raise TypeError(f"two kinds of jobs are called {kind!r}")

    @property
    def called(self) -> str:
        """Return what owners and the audit log call it."""
        return f"{'run' if self.KIND == 'train' else 'job'} {self.id}"

    @property
    def fixed(self) -> bool:
        """Return whether it ships with the project and cannot be changed."""
        return self.shipped

    def plan(self) -> dict[str, Any]:
        """Read the facts and rows; empty before it has begun."""
        return atomic_files.read_json(self.folder / "plan.json")

    @property
    def facts(self) -> dict[str, Any]:
        """Read what is written on the figure: examples, seed, data hash and so on."""
        facts: dict[str, Any] = self.plan().get("facts", {})
        return facts

    def entries(self) -> list[dict[str, Any]]:
        """Read every entry, in the order in which it came in."""
        return atomic_files.read_json_lines(self.folder / "values.jsonl")

    def measures(self) -> pd.DataFrame:
        """Read the entries that are not points, one row each."""
        return pd.DataFrame([e for e in self.entries() if e.get("what") not in ("loss", "score")])

    def clear(self) -> None:
        """Delete everything but the request."""
        for name in ("plan.json", "values.jsonl", *self.EXTRA_FILES):
            (self.folder / name).unlink(missing_ok=True)

    def append_value(self, entry: Mapping[str, Any]) -> None:
        """Append one entry."""
        atomic_files.append_lines(
            self.folder / "values.jsonl", json.dumps(atomic_files.to_jsonable(entry)) + "\n"
        )

    def write_plan(self, facts: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
        """Replace the plan."""
        text = json.dumps(atomic_files.to_jsonable({"facts": facts, "rows": rows}))
        atomic_files.replace_file(self.folder / "plan.json", text.encode())

    @classmethod
    def home(cls) -> Path:
        """Return the folder of this workspace's jobs of this kind."""
        return paths.workspace_folder() / cls.FOLDER_NAME

    @classmethod
    def assets(cls) -> Path:
        """Return the folder of shipped jobs of this kind."""
        return paths.ASSETS / cls.FOLDER_NAME

    @classmethod
    def find(cls, request: JobRequest) -> Self | None:
        """Return the job of a request, or None; the workspace's own comes first."""
        for root, shipped in ((cls.home(), False), (cls.assets(), True)):
            if (root / request.id / "ask.json").is_file():
                return cls(root / request.id, request, shipped)
        return None

    @classmethod
    def create(cls, request: JobRequest) -> Self:
        """Return the job of a request, created if there is none; a finished shipped one will do."""
        existing = cls.find(request)
        if existing and (existing.status().state == "done" or not existing.shipped):
            return existing
        return cls.create_own(request)

    @classmethod
    def create_own(cls, request: JobRequest) -> Self:
        """Return the job of a request in this workspace, created if there is none."""
        folder = cls.home() / request.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_files.replace_file(
            folder / "ask.json", json.dumps(request.model_dump(mode="json")).encode()
        )
        return cls(folder, request)

    @classmethod
    def list_all(cls) -> Sequence[Self]:
        """List all jobs of this workspace and the shipped ones."""
        jobs: dict[str, Self] = {}
        for root, shipped in ((cls.home(), False), (cls.assets(), True)):
            for path in sorted(root.glob("*/ask.json")):
                job = cls._load(path.parent, shipped)
                if job and job.id not in jobs:
                    jobs[job.id] = job
        return list(jobs.values())

    @classmethod
    def open(cls, job_id: str) -> Self:
        """The one of this workspace with this id; BadInput if there is none."""
        job = cls._load(cls.home() / job_id)
        if job is None:
            raise BadInput(f"no job {job_id!r} of kind {cls.KIND}")
        return job

    @classmethod
    def _load(cls, folder: Path, shipped: bool = False) -> Self | None:
        """The one in a folder; None if its request cannot be read, as of another version."""
        if not JOB_ID_PATTERN.fullmatch(folder.name):  # before it becomes part of a path
            return None
        try:
            request = cls.REQUEST.make(atomic_files.read_json(folder / "ask.json"))
        except BadInput:
            return None
        return cls(folder, request, shipped)

    @classmethod
    def start(cls, request: JobRequest) -> Self:
        """Compute in a process that outlives this one, unless it is busy or done."""
        job = cls.create(request)
        job.launch()
        return job

    def launch(self) -> None:
        """Run the job's command in a process that outlives this one, unless it is done."""
        status = self.status()
        if self.fixed or status.busy or status.state == "done":
            return
        queue = Queue()
        queue.enqueue(self, self.KIND, self.request, self.LANE)
        ensure_worker(self.LANE, queue)

    def stop(self) -> None:
        """Ask the process to stop; its entries are kept."""
        if self.fixed:
            return
        rights.change("stop", self.called)
        if self.status().busy or not Queue().withdraw(self):
            self.request_stop()

    def run(self, work: Callable[[], None]) -> JobStatus:
        """Do the work, to its end or to where it is stopped, and write down how it went.

        Nothing if it is done already.  BadInput reaches the caller, any other error as JobFailed.
        """
        if self.shipped or self.status().state == "done":
            return self.status()

        def work_to_the_end() -> None:
            if self.stop_requested():  # between the launch and now
                raise InterruptedError
            self.write_status(state="running", message="Loading the base model")
            work()
            self.write_status(state="done")

        with contextlib.suppress(InterruptedError, KeyboardInterrupt):
            run_recording_errors(self, work_to_the_end)
        return self.status()


_KINDS: dict[str, type[BackgroundJob]] = {}  # filled by the classes themselves


@dataclass(frozen=True)
class TrainingJob(BackgroundJob, kind="train"):
    """A training run as a job like the others; its folder is the run's."""

    request: RunSpec

    LANE: ClassVar[str] = "auto"  # a device, whichever there is
    FOLDER_NAME: ClassVar[str] = "runs"
    REQUEST: ClassVar[type[Settings]] = RunSpec
    STATUS: ClassVar[Any] = RunStatus
    PROGRESS_WORDS: ClassVar[str] = "steps trained"

    def launch(self) -> None:
        """Queue the run where whoever asks may change it, unless it is done or waits already."""
        status, queue = self.status(), Queue()
        if self.fixed or status.busy or status.state == "done":
            return
        row = queue.job_for(self.id)
        if not (row and row.active):
            queue.resume(self.id, device=self.LANE)
        ensure_worker(self.LANE, queue)

    @classmethod
    def of(cls, run: Run) -> Self:
        """A run as a job."""
        return cls(run.folder, run.spec, run.demo)

    @classmethod
    def list_all(cls) -> Sequence[Self]:
        """All runs of this workspace, and the demo runs."""
        return [cls.of(run) for run in RunStore().all()]

    @classmethod
    def open(cls, job_id: str) -> Self:
        """The run with this id; BadInput with similar ids if there is none."""
        return cls.of(RunStore().open(job_id))


def job_kinds() -> Mapping[str, type[BackgroundJob]]:
    """Every kind of job by name; a lab's class is in its module `request`, as is the intake's."""
    labs = importlib.import_module("peftcore.labs")
    folders = (lab.name for lab in pkgutil.iter_modules(labs.__path__) if lab.ispkg)
    requests = (f"peftcore.labs.{name}.request" for name in folders)
    for module in ("peftcore.sweeps.spec", "peftcore.intake.request", *requests):
        if importlib.util.find_spec(module):  # some labs have no jobs
            importlib.import_module(module)
    return _KINDS


def open_job(kind: str, job_id: str) -> BackgroundJob:
    """One job of this workspace; BadInput if there is none."""
    kinds = job_kinds()
    if kind not in kinds:
        raise unknown_name("kind of job", kind, kinds)
    return kinds[kind].open(job_id)


def find_job(job_id: str) -> BackgroundJob:
    """The job of this workspace with this id, of any kind; BadInput if there is none."""
    other_kinds = (kind for kind in job_kinds().values() if kind is not TrainingJob)
    jobs = (job for kind in other_kinds for job in kind.list_all() if job.id == job_id)
    return next(jobs, None) or TrainingJob.open(job_id)


def all_jobs() -> list[BackgroundJob]:
    """Every job of every kind that was begun in this workspace, newest first."""
    jobs = [job for kind in job_kinds().values() for job in kind.list_all() if not job.fixed]
    return sorted(jobs, key=lambda job: -job.status().updated)
