"""Parity: does a row of noughts and ones hold an even or an odd number of ones?"""

from __future__ import annotations

import random
from collections.abc import Sequence

from peftcore.data.task import Answer, Example, Split, Task, register
from peftcore.metrics import scores

SIZES: dict[Split, int] = {"train": 400, "validation": 200, "test": 200}


@register
class Parity(Task):
    """Eight digits → even or odd; a task that makes its own rows."""

    name = "parity"
    title = "Parity of eight digits"
    kind = "classify"
    labels = ("even", "odd")
    main_metric = "accuracy"
    source_note = "Made by a program"
    max_new_tokens = 4

    def load(self, split: Split) -> list[Example]:
        """Rows drawn by a program, the same in every process."""
        rng = random.Random(f"parity/{split}")
        return [
            self._example(f"{split}-{number}", [rng.randint(0, 1) for _ in range(8)])
            for number in range(SIZES[split])
        ]

    def _example(self, key: str, digits: Sequence[int]) -> Example:
        text, label = " ".join(map(str, digits)), self.labels[sum(digits) % 2]
        return Example(key, f"parity: {text}", label, label, parts=(text,))

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Accuracy, F1 and Matthews correlation."""
        return scores.classification_scores(answers, gold, self.labels)
