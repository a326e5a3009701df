"""What a landscape adds to the lab's context: which examples are read, and facts of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.common.context import LabContext
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation
from peftcore.runs.store import Run
from peftcore.training import forgetting, planning
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.general_text import choose_general_text
from peftcore.training.text_likelihood import TextBatcher

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

    @cached_property
    def batcher(self) -> ExampleBatcher:
        """Return what batches the examples; BadInput where general text cannot be looked at."""
        if self.request.split != "general":
            return super().batcher
        if reason := forgetting.reason_without(self.base):
            raise BadInput(reason)
        if self.request.kind in ("curve", "validation") or self.request.metric:
            raise BadInput(
                "general text has no answers and nothing is trained on it: look at its loss over "
                "another kind of picture, or choose examples of the task"
            )
        return TextBatcher(self.base, (), planning.prompt_length(self.run.spec, self.base))

    def examples(self, seed: int) -> list[Example]:
        """Return the examples read at every point for a seed: its own draw, or a whole split."""
        split, limit = self.request.split, self.request.examples
        if split == "general":
            texts = choose_general_text(self.base.name).texts
            return TextBatcher.examples(texts[: limit or len(texts)])
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
