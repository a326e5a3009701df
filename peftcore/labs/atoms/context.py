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
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.labs.atoms.request import Ask, Study
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import stamp
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import Encoder
from peftcore.runs.store import Run, RunStore
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.trainer import autocast_dtype


@dataclass
class Bench:
    """Everything a measurement needs at hand."""

    study: Study
    device: str
    given: BaseModel | None
    report: Callable[[JobStatus], None]
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.began, self.before = time.monotonic(), self.study.status().seconds
        self.done = self.of = 0

    @property
    def ask(self) -> Ask:
        """What was asked."""
        return self.study.request

    @cached_property
    def parts(self) -> list[AdapterRef]:
        """The runs asked for, and seeds where they are named."""
        return self.ask.adapter_refs()

    @cached_property
    def runs(self) -> list[Run]:
        """The runs asked for."""
        return [RunStore().open(part.run) for part in self.parts]

    @cached_property
    def base(self) -> BaseModel:
        """The base all of it rests on."""
        return self.given or load(self.runs[0].spec.base, self.device)

    @cached_property
    def tasks(self) -> list[Task]:
        """The task of each run."""
        return [tasks.find(run.spec.task) for run in self.runs]

    def encoder(self, place: int = 0) -> Encoder:
        """Tokenises the examples of a run's task."""
        return Encoder(self.base, self.tasks[place].labels)

    def facts(self, found: Dictionary, **more: Any) -> None:
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
            "read": len(self.dev(0)),
            "seeds": run.spec.population.numbers(),
            "adapters": [stamp(each, None) for each in self.runs],
            "sites": found.sites,
            "atoms": found.each,
            "arithmetic": "fp32" if self.wanted() is None else "bf16",
        }
        self.study.write_plan(facts | more, [])

    def wanted(self) -> torch.dtype | None:
        """The arithmetic the run itself was scored in."""
        return autocast_dtype(self.runs[0].spec.training.precision, self.base.device)

    def examples(self, place: int = 0) -> list[Example]:
        """The examples that are judged: the run's own split, as many as were asked for."""
        options = self.runs[place].spec.evaluation
        many = self.ask.examples or options.limit
        return list(
            examples_to_answer(self.tasks[place], options.model_copy(update={"limit": many}))
        )

    def dev(self, seed: int) -> list[Example]:
        """A seed's own validation examples: no importance is measured on what is judged later."""
        t = self.runs[0].spec.training
        number = self.runs[0].spec.population.numbers()[seed]
        rows = self.tasks[0].few_shot(t.shots, number, t.dev).dev
        return list(rows[: self.ask.read or len(rows)])

    def tell(self, message: str = "") -> None:
        """Write down how far it is; InterruptedError if somebody asked for the end."""
        seconds = self.before + time.monotonic() - self.began
        status = self.study.write_status(
            state="working", done=self.done, of=self.of, message=message, seconds=seconds
        )
        self.report(status)
        if self.asked_to_stop():
            raise InterruptedError

    def asked_to_stop(self) -> bool:
        """Whether somebody asked for the end."""
        return self.stop() or self.study.stop_requested()

    def surveyor(self, found: Dictionary, seed: int, rows: Sequence[Example]) -> PointEvaluator:
        """Measures one seed at gains, on the first run's examples."""
        return found.evaluator(seed, rows, self.encoder(), self.wanted())
