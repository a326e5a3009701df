"""The four tasks of the few-shot explanation benchmark (arXiv:2111.08284).

A label, the separator, an explanation in lower case; 60 episodes of 48 training examples; scores of
the labels, then of the explanations. Templates are those that arXiv:2305.13235 uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from peftcore.data import sources
from peftcore.data.task import SEPARATOR, Answer, EpisodeProtocol, Example, Task
from peftcore.metrics import scores, semantic

MARKER = "\\n"  # two characters, not a line break: how UnifiedQA separates question and context


class ExplainedTask(Task):
    """A label and its explanation; the benchmark reports its validation split."""

    kind = "explain"
    downloaded = True
    main_metric = "accuracy"
    max_new_tokens = 100
    protocol: ClassVar[EpisodeProtocol | None] = EpisodeProtocol(train=48, dev=350)

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return scores of the labels, then of the explanations."""
        return {
            **scores.classification_scores(answers, gold, self.labels),
            **scores.explanation_scores(answers, gold),
            **semantic.semantic_explanation_scores(answers, gold),
        }


def one_line(text: object) -> str:
    """Replace every run of white space by one space."""
    return " ".join(str(text).split())


def explained_example(
    key: str, source: str, label: str, explanations: Sequence[str], parts: Iterable[str]
) -> Example:
    """Build the example that asks for this label and the first of these explanations."""
    return Example(
        id=key,
        source=one_line(source),
        target=f"{label}{SEPARATOR}{explanations[0].lower()}",
        label=label,
        references=tuple(explanations),
        parts=tuple(parts),
    )


def human_explanations(row: sources.Row) -> tuple[str, ...]:
    """Return the human explanations that are not empty, on one line each."""
    texts = (row.get(f"explanation_{number}") or "" for number in (1, 2, 3))
    return tuple(line for text in texts if (line := one_line(text)))
