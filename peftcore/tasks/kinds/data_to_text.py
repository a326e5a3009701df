"""Data-to-text tasks: inputs with several human texts each.

Training keeps the texts apart, an example each; validation and test group them, so that one answer
is scored against all texts of its input.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from peftcore.data.task import Answer, Example, Split, Task
from peftcore.metrics import scores

Triple = tuple[str, str, str]  # subject, predicate, object


class DataToTextTask(Task):
    """Structured data → text."""

    kind = "generate"
    downloaded = True
    main_metric = "bleu"
    max_new_tokens = 128

    @abstractmethod
    def input_text_pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """Yield input and human text, a pair for every text, in the order of the data."""

    def load(self, split: Split) -> list[Example]:
        """Return one example per text in training, one per input elsewhere."""
        groups: list[tuple[str, list[str]]] = []
        group_index: dict[str, int] = {}
        for meaning, text in self.input_text_pairs(split):
            if split == "train" or meaning not in group_index:
                group_index[meaning] = len(groups)
                groups.append((meaning, [text]))
            else:
                groups[group_index[meaning]][1].append(text)
        return [
            Example(
                id=f"{split}-{number}",
                source=f"describe: {meaning}",
                target=texts[0],
                references=tuple(texts),
                parts=(meaning,),
            )
            for number, (meaning, texts) in enumerate(groups)
        ]

    def score(self, answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """Return BLEU, chrF, ROUGE-L and TER against all texts of an input."""
        return scores.generation_scores(answers, gold) | scores.translation_edit_rate(answers, gold)


def linearize_triples(triples: Iterable[Triple]) -> str:
    """Write triples in one line: `subject | predicate | object && …`, in their order."""
    return " && ".join(" | ".join(" ".join(part.split()) for part in triple) for triple in triples)
