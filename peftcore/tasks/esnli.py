"""e-SNLI: does the premise entail the hypothesis, and why?

Template and target of arXiv:2305.13235 and the benchmark under it: hypothesis first, a label in
words, the explanation in lower case.  Answers are compared with up to three human explanations.
"""

from __future__ import annotations

from collections.abc import Sequence

from peftcore import metrics, sources
from peftcore.errors import BadInput
from peftcore.tasks.base import SEPARATOR, Answer, Example, Split, Task, register

HUB = sources.HubSource("esnli/esnli", None, "refs/convert/parquet")
FIELDS = {"premise": str, "hypothesis": str, "label": int, "explanation_1": str}


@register
class ESNLI(Task):
    """Premise and hypothesis → label and explanation."""

    name = "esnli"
    title = "e-SNLI inference"
    kind = "explain"
    labels = ("entailment", "neutral", "contradiction")
    main_metric = "accuracy"
    source_note = "e-SNLI (Camburu et al., NeurIPS 2018), MIT; sentences of SNLI, CC BY-SA 4.0"
    max_new_tokens = 100

    def load(self, split: Split) -> list[Example]:
        """Rows that have a human explanation; a handful at the hub have none."""
        rows = sources.rows(self.name, split, HUB, FIELDS)
        return [
            self._example(f"{split}-{number}", row, texts)
            for number, row in enumerate(rows)
            if (texts := _explanations(row))
        ]

    def _example(self, key: str, row: sources.Row, explanations: tuple[str, ...]) -> Example:
        if row["label"] not in range(len(self.labels)):
            raise BadInput(f"{self.name} {key}: label must be 0, 1 or 2; got {row['label']!r}")
        label = self.labels[row["label"]]
        premise, hypothesis = row["premise"].strip(), row["hypothesis"].strip()
        return Example(
            id=key,
            source=f"explain nli hypothesis: {hypothesis} premise: {premise}",
            target=f"{label}{SEPARATOR}{explanations[0].lower()}",
            label=label,
            references=explanations,
            parts=(premise, hypothesis),
        )

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Scores of the labels, then of the explanations."""
        return {
            **metrics.classification_scores(answers, gold, self.labels),
            **metrics.explanation_scores(answers, gold),
        }


def _explanations(row: sources.Row) -> tuple[str, ...]:
    """The human explanations that are not empty, on one line each."""
    texts = (row.get(f"explanation_{number}") or "" for number in (1, 2, 3))
    return tuple(line for text in texts if (line := " ".join(str(text).split())))
