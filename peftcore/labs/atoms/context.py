"""What a measurement of atoms needs at hand: runs, base, examples, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from peftcore import tasks
from peftcore.data.task import Example, Task
from peftcore.jobs.background import AdapterRef, JobStatus
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import adapter_digest
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import Run, RunStore
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import autocast_dtype


@dataclass
class AtomsContext:
    """Everything a measurement needs at hand."""

    job: AtomsJob
    device: str
    preloaded_base: BaseModel | None
    report: Callable[[JobStatus], None]
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.started_at, self.seconds_before = time.monotonic(), self.job.status().seconds
        self.done = self.total = 0

    @property
    def request(self) -> AtomsRequest:
        """What was asked."""
        return self.job.request

    @cached_property
    def adapter_refs(self) -> list[AdapterRef]:
        """The runs asked for, and seeds where they are named."""
        return self.request.adapter_refs()

    @cached_property
    def runs(self) -> list[Run]:
        """The runs asked for."""
        return [RunStore().open(part.run) for part in self.adapter_refs]

    @cached_property
    def base(self) -> BaseModel:
        """The base all of it rests on."""
        return self.preloaded_base or load(self.runs[0].spec.base, self.device)

    @cached_property
    def tasks(self) -> list[Task]:
        """The task of each run."""
        return [tasks.find_task(run.spec.task) for run in self.runs]

    def batcher_for(self, run_index: int = 0) -> ExampleBatcher:
        """Tokenises the examples of a run's task."""
        return ExampleBatcher(self.base, self.tasks[run_index].labels)

    def write_facts(self, atom_dict: AtomDictionary, **extra: Any) -> None:
        """Write down what a reader must know to judge the figures."""
        run = self.runs[0]
        facts = {
            "base": self.base.name,
            "fingerprint": self.base.fingerprint,
            "task": run.spec.task,
            "data_hash": self.tasks[0].data_hash(),
            "metric": self.tasks[0].main_metric,
            "split": run.spec.evaluation.split,
            "n": len(self.examples()),
            "read": len(self.validation_examples(0)),
            "seeds": run.spec.population.seed_numbers(),
            "adapters": [adapter_digest(other_run, None) for other_run in self.runs],
            "sites": atom_dict.sites,
            "atoms": atom_dict.atoms_per_site,
            "arithmetic": "fp32" if self.run_dtype() is None else "bf16",
        }
        self.job.write_plan(facts | extra, [])

    def run_dtype(self) -> torch.dtype | None:
        """The arithmetic the run itself was scored in."""
        return autocast_dtype(self.runs[0].spec.training.precision, self.base.device)

    def examples(self, run_index: int = 0) -> list[Example]:
        """The examples that are judged: the run's own split, as many as were asked for."""
        evaluation = self.runs[run_index].spec.evaluation
        limit = self.request.examples or evaluation.limit
        return list(
            examples_to_answer(
                self.tasks[run_index], evaluation.model_copy(update={"limit": limit})
            )
        )

    def validation_examples(self, seed: int) -> list[Example]:
        """A seed's own validation examples: no importance is measured on what is judged later."""
        training = self.runs[0].spec.training
        seed_number = self.runs[0].spec.population.seed_numbers()[seed]
        rows = self.tasks[0].few_shot(training.shots, seed_number, training.dev).dev
        return list(rows[: self.request.read or len(rows)])

    def report_progress(self, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.seconds_before + time.monotonic() - self.started_at
        status = self.job.write_status(
            state="working", done=self.done, of=self.total, message=message, seconds=seconds
        )
        self.report(status)
        if self.stop_requested():
            raise InterruptedError

    def stop_requested(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stop() or self.job.stop_requested()

    def evaluator_for(
        self, atom_dict: AtomDictionary, seed: int, rows: Sequence[Example]
    ) -> PointEvaluator:
        """Measures one seed at gains, on the first run's examples."""
        return atom_dict.evaluator(seed, rows, self.batcher_for(), self.run_dtype())
