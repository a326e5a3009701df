"""ComVE: which of two sentences makes no sense, and why?

SemEval-2020 task 4, as the few-shot explanation benchmark uses it: everything in lower case, a
training row for each of the three human reasons (so a sample may contain a pair twice), and all
three together where answers are scored.
"""

from __future__ import annotations

from peftcore.data import sources
from peftcore.data.task import Example, Split, register
from peftcore.data.wording import NONSENSE
from peftcore.errors import BadInput
from peftcore.tasks.kinds.explained import (
    MARKER,
    ExplainedTask,
    explained_example,
    human_explanations,
    one_line,
)

FIELDS = {"sent0": str, "sent1": str, "label": int, "explanation_1": str}


@register
class ComVE(ExplainedTask):
    """Two sentences → the one against common sense, and the reason."""

    name = "comve"
    title = "ComVE nonsense"
    labels = ("choice1", "choice2")
    wording = NONSENSE
    source_note = "ComVE (Wang et al., SemEval 2020 task 4), CC BY-SA 4.0"

    def load(self, split: Split) -> list[Example]:
        """Return one example per reason in training, one per pair elsewhere."""
        examples: list[Example] = []
        for number, row in enumerate(sources.load_rows(self.name, split, None, FIELDS)):
            key, reasons = f"{split}-{number}", human_explanations(row)
            if row["label"] not in (0, 1):
                raise BadInput(f"{self.name} {key}: label must be 0 or 1; got {row['label']!r}")
            if split != "train":
                examples += [self._example(key, row, reasons)] if reasons else []
                continue
            examples += [
                self._example(f"{key}-{reason_number}", row, (reason,))
                for reason_number, reason in enumerate(reasons)
            ]
        return examples

    def _example(self, key: str, row: sources.Row, reasons: tuple[str, ...]) -> Example:
        """Build the example of a row."""
        first, second = one_line(row["sent0"]), one_line(row["sent1"])
        source = (
            f"explain what is more nonsensical? {MARKER} "
            f"choice1: {first.lower()} choice2: {second.lower()}"
        )
        return explained_example(key, source, self.labels[row["label"]], reasons, (first, second))
