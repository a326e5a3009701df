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
from peftcore.labs.landscape.request import Ask, Landscape
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import Encoder
from peftcore.runs.spec import Evaluation
from peftcore.runs.store import Run
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import autocast_dtype


@dataclass
class Survey:
    """Everything a landscape needs at hand."""

    landscape: Landscape
    base: BaseModel
    run: Run
    task: Task
    encoder: Encoder
    report: Callable[[JobStatus], None]
    stop: Callable[[], bool]
    began: float
    before: float  # seconds of earlier sittings

    @property
    def ask(self) -> Ask:
        """What was asked."""
        return self.landscape.request

    def tell(self, done: int, of: int, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.before + time.monotonic() - self.began
        status = self.landscape.write_status(
            state="working", done=done, of=of, message=message, seconds=seconds
        )
        self.report(status)
        if self.stop() or self.landscape.stop_requested():
            raise InterruptedError

    def number(self, seed: int) -> int:
        """The number of a seed counted from 0."""
        numbers = self.run.spec.population.numbers()
        if seed >= len(numbers):
            raise BadInput(f"seed must lie in [0, {len(numbers) - 1}]; got {seed}")
        return numbers[seed]

    def examples(self, seed: int, split: str | None = None) -> list[Example]:
        """The examples that are read for a seed."""
        split, n = split or self.ask.split, self.ask.examples
        t = self.run.spec.training
        if split in ("dev", "train"):
            drawn = self.task.few_shot(t.shots, self.number(seed), t.dev)
            rows = drawn.dev if split == "dev" else drawn.train
        else:
            whole = "test" if split == "test" else "validation"
            rows = examples_to_answer(self.task, Evaluation(split=whole, limit=n or 100_000))
        return list(rows[: n or len(rows)])

    def wanted(self) -> torch.dtype | None:
        """The arithmetic the run itself would use."""
        return autocast_dtype(self.run.spec.training.precision, self.base.device)

    def facts(
        self, parts: Sequence[AdapterRef], runs: Sequence[Run], rows: Sequence[Example]
    ) -> dict[str, Any]:
        """What a reader must know to judge a figure."""
        return {
            "base": self.base.name,
            "fingerprint": self.base.fingerprint,
            "task": self.run.spec.task,
            "data_hash": self.task.data_hash(),
            "methods": [run.spec.method for run in runs],
            "metric": self.task.main_metric,
            "split": self.ask.split,
            "n": len(rows),
            "seed": self.number(self.ask.seed),
            "adapters": [stamp(run, part.step) for run, part in zip(runs, parts, strict=True)],
            "vertices": self.run.spec.population.vertices,
        }


def stamp(run: Run, step: int | None) -> str:
    """Twelve digits of the file of an adapter; BadInput if there is none."""
    path = run.folder / "adapter.safetensors" if step is None else run.path_file(step)
    if not path.is_file():
        raise BadInput(
            f"run {run.id} has no adapter yet: it is {run.status().state}"
            if step is None
            else f"run {run.id} kept no adapter of step {step}; steps kept: "
            f"{', '.join(map(str, run.path_steps())) or 'none'}"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
