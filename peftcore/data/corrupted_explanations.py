"""Training explanations that are wrong on purpose: does their quality matter for what is learnt?

Only what a seed trains on is changed.  Labels, validation examples and the examples that are
answered keep their own explanations, so runs with and without are compared by the same questions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from peftcore.data.task import SEPARATOR, Episode, Example, Split, Task
from peftcore.errors import BadInput

Corruption = Literal["own", "shuffled", "truncated", "same_label", "other_label"]
KEPT_SHARE = 3  # a truncated explanation keeps its first third


def corrupt(examples: Sequence[Example], how: Corruption, key: str) -> list[Example]:
    """Return the examples with corrupted explanations; equal keys corrupt equally.

    shuffled: its own words in another order.  truncated: its first third.  same_label and
    other_label: the explanation of another of the examples.  BadInput where there is no other.
    """
    rng = random.Random(f"{key}/{how}")
    return [
        _with_explanation(example, _corrupted(example, examples, how, rng)) for example in examples
    ]


def _corrupted(
    example: Example, examples: Sequence[Example], how: Corruption, rng: random.Random
) -> str:
    own = explanation_of(example)
    words = own.split()
    if how == "shuffled":
        return " ".join(rng.sample(words, len(words)))
    if how == "truncated":
        return " ".join(words[: max(1, len(words) // KEPT_SHARE)])
    if how == "own":
        return own
    same = how == "same_label"
    pool = sorted(
        {
            explanation_of(other)
            for other in examples
            if (other.label == example.label) == same and explanation_of(other) != own
        }
    )
    if not pool:
        which = "its label" if same else "another label"
        raise BadInput(
            f"explanations of {which} are to stand in for each other, and a seed's training "
            "examples have no other one: ask for more training examples"
        )
    return rng.choice(pool)


def explanation_of(example: Example) -> str:
    """Return the explanation in an example's target; empty if it has none."""
    return example.target.partition(SEPARATOR)[2]


def _with_explanation(example: Example, explanation: str) -> Example:
    head, separator, _ = example.target.partition(SEPARATOR)
    return replace(example, target=f"{head}{separator}{explanation}") if separator else example


class _CorruptedTask(Task):
    """A task that trains on corrupted explanations; what else it does is the plain task's."""

    plain: ClassVar[Task]
    corruption: ClassVar[Corruption]

    def few_shot(self, k: int, seed: int, dev: int) -> Episode:
        """Return the plain task's sample, with corrupted explanations in training."""
        episode = self.plain.few_shot(k, seed, dev)
        key = f"{self.name}/explanations/{seed}"
        return replace(episode, train=tuple(corrupt(episode.train, self.corruption, key)))

    def load(self, split: Split) -> list[Example]:
        """Return the plain task's rows, as they are."""
        return self.plain.load(split)

    def data_hash(self) -> str:
        """Return the plain task's hash: only what is trained on differs."""
        return self.plain.data_hash()


def check_corruption(task: Task, how: str) -> None:
    """Raise BadInput where a task has no explanations that could be corrupted."""
    if how != "own" and task.kind != "explain":
        raise BadInput(
            f"{task.title} asks for no explanations, so none can be {how.replace('_', ' ')}: "
            "choose a task with explanations, or explanations own"
        )


def with_corruption(task: Task, how: Corruption) -> Task:
    """Return the task with so corrupted training explanations; itself if they are its own."""
    if how == "own":
        return task
    fields: Mapping[str, object] = {
        "__doc__": type(task).__doc__,
        "plain": task,
        "corruption": how,
    }
    corrupted: Task = type("CorruptedTask", (_CorruptedTask, type(task)), dict(fields))()
    return corrupted
