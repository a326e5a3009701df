"""What every lab needs while it measures: the job, its runs, their base and tasks, progress, stop.

A lab writes a request (what is wanted) and one function of a context that measures what the job
does not have yet, appending entry by entry so that a stop loses at most one pass.  `run_job` does
the rest.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypedDict, TypeVar, Unpack

import torch

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.data.task import Episode, Task
from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef, BackgroundJob, JobStatus
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import Run, RunStore
from peftcore.training import planning
from peftcore.training.trainer import autocast_dtype

J = TypeVar("J", bound=BackgroundJob)
C = TypeVar("C", bound="LabContext[Any]")


@dataclass
class LabContext(Generic[J]):
    """One job while it is carried out.

    Runs are opened and the base is loaded at first use, so that a request that is refused early
    loads nothing.
    """

    job: J
    device: str = "cpu"
    preloaded_base: BaseModel | None = None
    report: Callable[[JobStatus], None] = lambda status: None
    stop: Callable[[], bool] = lambda: False
    done: int = 0  # of `total`, in whatever the lab counts: points, atoms, steps
    total: int = 0

    def __post_init__(self) -> None:
        self.started_at = time.monotonic()
        self.seconds_before = self.job.status().seconds  # of earlier starts of the same job

    @cached_property
    def adapter_refs(self) -> list[AdapterRef]:
        """Return the adapters of the request; BadInput for a name that is none."""
        return self.job.request.adapter_refs()

    @cached_property
    def runs(self) -> list[Run]:
        """Open the run of every adapter; BadInput for one that does not exist."""
        return [RunStore().open(ref.run) for ref in self.adapter_refs]

    @property
    def run(self) -> Run:
        """Return the first run, the only one of most requests."""
        return self.runs[0]

    @cached_property
    def base(self) -> BaseModel:
        """Return the base model of the first run, loaded unless it was passed in."""
        return self.preloaded_base or load(self.run.spec.base, self.device)

    @cached_property
    def tasks(self) -> list[Task]:
        """Return the task of each run."""
        return [tasks.task_of(run.spec) for run in self.runs]

    @property
    def task(self) -> Task:
        """Return the task of the first run."""
        return self.tasks[0]

    @cached_property
    def batcher(self) -> ExampleBatcher:
        """Return the tokenizer of the first run's examples, kept because it remembers tokens."""
        return self.batcher_for(0)

    def batcher_for(self, run_index: int = 0) -> ExampleBatcher:
        """Tokenise a run's examples, with room in the window for its soft prompt."""
        prompt_length = planning.prompt_length(self.runs[run_index].spec, self.base)
        return ExampleBatcher(self.base, self.tasks[run_index].labels, prompt_length)

    def run_dtype(self) -> torch.dtype | None:
        """Return the autocast type the first run was scored in, None for single precision."""
        return autocast_dtype(self.run.spec.training.precision, self.base.device)

    def seed_number(self, seed: int) -> int:
        """Return the number of a seed counted from 0; BadInput if the first run has fewer."""
        numbers = self.run.spec.population.seed_numbers()
        if seed >= len(numbers):
            raise BadInput(f"seed must lie in [0, {len(numbers) - 1}]; got {seed}")
        return numbers[seed]

    def episode(self, seed: int) -> Episode:
        """Draw the training and validation examples a seed of the first run was trained on."""
        training = self.run.spec.training
        return self.task.few_shot(training.shots, self.seed_number(seed), training.dev)

    @cached_property
    def adapter_digests(self) -> list[str]:
        """Return a digest of every adapter's file; BadInput where there is none."""
        return [
            adapter_digest(run, ref.step)
            for run, ref in zip(self.runs, self.adapter_refs, strict=True)
        ]

    def require_runs(self, count: int) -> None:
        """Raise BadInput unless the request names so many adapters."""
        if len(self.job.request.runs) != count:
            kind = getattr(self.job.request, "kind", "this")
            plural = "s" * (count != 1)
            raise BadInput(f"{kind} takes {count} run{plural}; got {len(self.job.request.runs)}")

    def clear_if_stale(self) -> None:
        """Forget what was measured if an adapter has been trained again since."""
        if self.job.facts.get("adapters", self.adapter_digests) != self.adapter_digests:
            self.job.clear()

    def common_facts(self) -> dict[str, Any]:
        """Return what a reader must know of model, data and adapters to judge any figure."""
        return {
            "base": self.base.name,
            "fingerprint": self.base.fingerprint,
            "task": self.run.spec.task,
            "data_hash": self.task.data_hash(),
            "metric": self.task.main_metric,
            "adapters": self.adapter_digests,
        }

    def write_status(self, message: str = "") -> None:
        """Write and report how far the job is, with the seconds of earlier starts."""
        seconds = self.seconds_before + time.monotonic() - self.started_at
        self.report(
            self.job.write_status(
                state="running", done=self.done, of=self.total, message=message, seconds=seconds
            )
        )

    def report_progress(self, message: str = "") -> None:
        """Write and report how far the job is; InterruptedError if it was asked to stop."""
        self.write_status(message)
        if self.stop_requested():
            raise InterruptedError

    def stop_requested(self) -> bool:
        """Return whether the caller, or anyone through the job's folder, asked to stop."""
        return self.stop() or self.job.stop_requested()


class JobOptions(TypedDict, total=False):
    """Options of carrying out a job that leave its numbers alone; the fields of LabContext."""

    device: str
    preloaded_base: BaseModel | None
    report: Callable[[JobStatus], None]
    stop: Callable[[], bool]


def run_job(
    context_class: type[C],
    compute: Callable[[C], None],
    job: BackgroundJob,
    **options: Unpack[JobOptions],
) -> JobStatus:
    """Carry out a job to its end, or to where it is stopped; returns its status.

    Errors of `compute` are written to the job and raised again.
    """
    return job.run(lambda: compute(context_class(job, **options)))


def adapter_digest(run: Run, step: int | None) -> str:
    """Return twelve digits of the hash of an adapter's file; BadInput if there is none."""
    path = run.folder / "adapter.safetensors" if step is None else run.intermediate_file(step)
    if not METHODS[run.spec.method].trains():
        title = METHODS[run.spec.method].title
        raise BadInput(f"run {run.id} has no adapter: {title} trains nothing")
    if not path.is_file():
        raise BadInput(
            f"run {run.id} has no adapter yet: it is {run.status().state}"
            if step is None
            else f"run {run.id} kept no adapter of step {step}; steps kept: "
            f"{', '.join(map(str, run.intermediate_steps())) or 'none'}"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
