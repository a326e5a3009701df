"""QNLI: does the sentence contain the answer to the question?"""

from __future__ import annotations

from collections.abc import Sequence

from peftcore import metrics, sources
from peftcore.errors import BadInput
from peftcore.tasks.base import Answer, Example, Split, Task, register

HUB = sources.HubSource("nyu-mll/glue", "qnli", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")
FIELDS = {"question": str, "sentence": str, "label": int}


@register
class QNLI(Task):
    """Question and sentence → label."""

    name = "glue_qnli"
    title = "QNLI questions"
    kind = "classify"
    labels = ("entailment", "not_entailment")
    main_metric = "accuracy"
    source_note = "GLUE QNLI (Wang et al., ICLR 2019) from SQuAD 1.1, CC BY-SA 4.0"
    max_new_tokens = 16

    def load(self, split: Split) -> list[Example]:
        """All rows; the hub's test split is refused, its labels are not public."""
        rows = sources.rows(self.name, split, HUB, FIELDS)
        return [self._example(f"{split}-{number}", row) for number, row in enumerate(rows)]

    def _example(self, key: str, row: sources.Row) -> Example:
        if row["label"] not in range(len(self.labels)):
            raise BadInput(
                f"{self.name} {key}: label must be 0 or 1; got {row['label']!r} (the hub's test "
                "split has no labels: score the validation split instead)"
            )
        label = self.labels[row["label"]]
        question, sentence = row["question"].strip(), row["sentence"].strip()
        return Example(
            id=key,
            source=f"qnli question: {question} sentence: {sentence}",
            target=label,
            label=label,
            parts=(question, sentence),
        )

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Accuracy, F1, Matthews and the share of answers that are no label."""
        return metrics.classification_scores(answers, gold, self.labels)
