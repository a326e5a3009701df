"""What every landscape needs at hand while it is measured, and the stamp of an adapter."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from peftcore.data.task import Example, Task
from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef, JobStatus
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation
from peftcore.runs.store import Run
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import autocast_dtype


@dataclass
class LandscapeContext:
    """Everything a landscape needs at hand."""

    job: LandscapeJob
    base: BaseModel
    run: Run
    task: Task
    batcher: ExampleBatcher
    report: Callable[[JobStatus], None]
    stop: Callable[[], bool]
    started_at: float
    seconds_before: float  # seconds of earlier sittings

    @property
    def request(self) -> LandscapeRequest:
        """What was asked."""
        return self.job.request

    def write_progress(self, done: int, total: int, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.seconds_before + time.monotonic() - self.started_at
        status = self.job.write_status(
            state="working", done=done, of=total, message=message, seconds=seconds
        )
        self.report(status)
        if self.stop() or self.job.stop_requested():
            raise InterruptedError

    def seed_number(self, seed: int) -> int:
        """The number of a seed counted from 0."""
        numbers = self.run.spec.population.seed_numbers()
        if seed >= len(numbers):
            raise BadInput(f"seed must lie in [0, {len(numbers) - 1}]; got {seed}")
        return numbers[seed]

    def examples(self, seed: int, split: str | None = None) -> list[Example]:
        """The examples that are read for a seed."""
        split, limit = split or self.request.split, self.request.examples
        training = self.run.spec.training
        if split in ("dev", "train"):
            episode = self.task.few_shot(training.shots, self.seed_number(seed), training.dev)
            rows = episode.dev if split == "dev" else episode.train
        else:
            dataset_split = "test" if split == "test" else "validation"
            rows = examples_to_answer(
                self.task, Evaluation(split=dataset_split, limit=limit or 100_000)
            )
        return list(rows[: limit or len(rows)])

    def run_dtype(self) -> torch.dtype | None:
        """The arithmetic the run itself would use."""
        return autocast_dtype(self.run.spec.training.precision, self.base.device)

    def facts(
        self, adapter_refs: Sequence[AdapterRef], runs: Sequence[Run], rows: Sequence[Example]
    ) -> dict[str, Any]:
        """What a reader must know to judge a figure."""
        return {
            "base": self.base.name,
            "fingerprint": self.base.fingerprint,
            "task": self.run.spec.task,
            "data_hash": self.task.data_hash(),
            "methods": [run.spec.method for run in runs],
            "metric": self.task.main_metric,
            "split": self.request.split,
            "n": len(rows),
            "seed": self.seed_number(self.request.seed),
            "adapters": [
                adapter_digest(run, part.step) for run, part in zip(runs, adapter_refs, strict=True)
            ],
            "vertices": self.run.spec.population.vertices,
        }


def adapter_digest(run: Run, step: int | None) -> str:
    """Twelve digits of the file of an adapter; BadInput if there is none."""
    path = run.folder / "adapter.safetensors" if step is None else run.intermediate_file(step)
    if not path.is_file():
        raise BadInput(
            f"run {run.id} has no adapter yet: it is {run.status().state}"
            if step is None
            else f"run {run.id} kept no adapter of step {step}; steps kept: "
            f"{', '.join(map(str, run.intermediate_steps())) or 'none'}"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
