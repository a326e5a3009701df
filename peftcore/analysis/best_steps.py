"""Runs whose best step is the start or the last one: either was not given its chance.

Best at the start, and what is compared is the start; best at the last, and dev was still getting
better when the steps ran out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from peftcore.runs.spec import RunSpec, Training


class Trained(Protocol):
    """The parts of a run that say where its seeds are best."""

    @property
    def id(self) -> str:
        """Id of the run."""

    @property
    def spec(self) -> RunSpec:
        """Spec of the run."""

    def status(self) -> Any:
        """Return its status, whose `seeds` have a best step each."""


KEPT_BY = {  # what chooses the step that is kept of a seed, in words
    "loss": "lowest validation loss",
    "labels": "most validation labels right, the loss breaking ties",
}


def kept_by(trainings: Iterable[Training]) -> str:
    """Return by what the step that is kept was chosen: "lowest validation loss", or by labels."""
    return ", or with the ".join(dict.fromkeys(KEPT_BY[each.select] for each in trainings))


@dataclass(frozen=True)
class BestSteps:
    """Counts of a run's seeds that are best at the start, and at the last step there could be."""

    at_start: int
    at_last: int
    seeds: int

    def in_words(self) -> str:
        """Say it in half a sentence, empty where no seed is at an end."""
        parts = []
        if self.at_start:
            parts.append(f"{self.at_start} of {self.seeds} seeds best before the first step")
        if self.at_last:
            parts.append(f"{self.at_last} of {self.seeds} seeds best at the last step")
        return ", ".join(parts)


def best_steps(run: Trained) -> BestSteps:
    """Count the seeds of a finished run whose best step is an end."""
    steps = [seed.get("best_step") for seed in run.status().seeds]
    last = run.spec.training.steps
    return BestSteps(steps.count(0), steps.count(last), len(steps))


def notes(runs: Sequence[Trained], names: Mapping[str, str]) -> list[str]:
    """Say which runs have seeds whose best step is an end; a sentence for each end.

    names: the runs' names by id.
    """
    found = {names.get(run.id, run.id): best_steps(run) for run in runs}
    kinds = (
        ("at_start", "Best before the first step, so that what is compared is the start"),
        ("at_last", "Best at the last step, so that more steps may help"),
    )
    sentences = []
    for field, words in kinds:
        counted = [
            f"{name} ({getattr(each, field)} of {each.seeds} seeds)"
            for name, each in found.items()
            if getattr(each, field)
        ]
        if counted:
            sentences.append(f"{words}: {', '.join(counted)}.")
    return sentences
