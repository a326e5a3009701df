"""What a landscape adds to the lab's context: which examples are read, and facts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.common.context import LabContext
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.runs.spec import Evaluation
from peftcore.runs.store import Run
from peftcore.training.evaluation import examples_to_answer

ALL_EXAMPLES = 100_000  # a limit that no split reaches


class LandscapeContext(LabContext[LandscapeJob]):
    """A landscape while it is measured; all its adapters share base and task."""

    @property
    def request(self) -> LandscapeRequest:
        """Return what was requested."""
        return self.job.request

    @cached_property
    def runs(self) -> list[Run]:
        """Open the runs; BadInput unless their losses can stand in one picture."""
        runs = super().runs
        for run in runs[1:]:
            if run.spec.base != runs[0].spec.base:
                raise BadInput(
                    f"run {run.id} rests on {run.spec.base} and {runs[0].id} on {runs[0].spec.base}"
                )
            if run.spec.task != runs[0].spec.task:
                raise BadInput(
                    f"run {run.id} learnt {run.spec.task} and {runs[0].id} {runs[0].spec.task}: "
                    "losses of different tasks cannot be compared"
                )
        return runs

    def examples(self, seed: int) -> list[Example]:
        """Return the examples read at every point for a seed: its own draw, or a whole split."""
        split, limit = self.request.split, self.request.examples
        if split in ("dev", "train"):
            episode = self.episode(seed)
            rows = episode.dev if split == "dev" else episode.train
        else:
            rows = self.split_examples("test" if split == "test" else "validation")
        return list(rows[: limit or len(rows)])

    def split_examples(self, split: Literal["validation", "test"]) -> tuple[Example, ...]:
        """Return a whole split, at most as many examples as were requested."""
        limit = self.request.examples or ALL_EXAMPLES
        return examples_to_answer(self.task, Evaluation(split=split, limit=limit))

    def facts(self, rows: Sequence[Example]) -> dict[str, Any]:
        """Return what a reader must know to judge a figure measured on these examples."""
        return self.common_facts() | {
            "methods": [run.spec.method for run in self.runs],
            "split": self.request.split,
            "n": len(rows),
            "seed": self.seed_number(self.request.seed),
            "vertices": self.run.spec.population.vertices,
        }
