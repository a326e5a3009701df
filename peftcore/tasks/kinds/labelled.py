"""Classification tasks: tables of fields and labels, phrased by one template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from peftcore.data import sources
from peftcore.data.task import Answer, Example, Split, Task
from peftcore.errors import BadInput
from peftcore.metrics import scores


class LabelledTextTask(Task):
    """One or two texts → one of a few labels, which the data number from 0."""

    kind = "classify"
    downloaded = True
    max_new_tokens = 16
    columns: ClassVar[tuple[str, ...]]  # fields of the texts, in the order of the template
    words: ClassVar[tuple[str, ...]] = ()  # what the template calls them; empty: as the fields
    prefix: ClassVar[str]  # what the template begins with
    hub: ClassVar[sources.HubSource | None] = None

    def rows(self, split: Split) -> list[sources.Row]:
        """Return a split's rows with texts and label."""
        fields = {**dict.fromkeys(self.columns, str), "label": int}
        return sources.load_rows(self.name, split, self.hub, fields)

    def load(self, split: Split) -> list[Example]:
        """Return all examples; BadInput for the hub's unlabelled test rows."""
        return [
            self._example(f"{split}-{number}", row) for number, row in enumerate(self.rows(split))
        ]

    def _example(self, key: str, row: sources.Row) -> Example:
        """Build the example of a row; BadInput if it has no label."""
        if row["label"] not in range(len(self.labels)):
            numbers = ", ".join(map(str, range(len(self.labels))))
            raise BadInput(
                f"{self.name} {key}: label must be one of {numbers}; got {row['label']!r} (the "
                "hub's own test split has no labels: score the validation split instead)"
            )
        return self._labelled(key, row, self.labels[row["label"]])

    def _labelled(
        self, key: str, row: sources.Row, label: str, value: float | None = None
    ) -> Example:
        """Build the example of a row with this label."""
        texts = [row[column].strip() for column in self.columns]
        named = zip(self.words or self.columns, texts, strict=True)
        source = " ".join([self.prefix, *(f"{word}: {text}" for word, text in named)])
        return Example(key, source, label, label, parts=tuple(texts), value=value)

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return accuracy, F1, Matthews and the share of answers that are no label."""
        return scores.classification_scores(answers, gold, self.labels)
