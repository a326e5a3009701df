"""E2E: a restaurant's meaning representation, told in one or two sentences.

One row per human text.  Training keeps them apart; validation and test group the texts of a meaning
representation, so that one answer is scored against all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from peftcore import metrics, sources
from peftcore.tasks.base import Answer, Example, Split, Task, register

HUB = sources.HubSource("tuetschek/e2e_nlg", None, "refs/convert/parquet")
FIELDS = {"meaning_representation": str, "human_reference": str}


@register
class E2E(Task):
    """Slots and values → text."""

    name = "e2e_nlg"
    title = "E2E restaurants"
    kind = "generate"
    main_metric = "bleu"
    source_note = "E2E NLG (Novikova, Dušek, Rieser, SIGDIAL 2017), CC BY-SA 4.0"
    max_new_tokens = 128

    def load(self, split: Split) -> list[Example]:
        """One example per text in training, one per meaning representation elsewhere."""
        groups: list[tuple[str, list[str]]] = []
        places: dict[str, int] = {}
        for row in sources.rows(self.name, split, HUB, FIELDS):
            meaning, text = row["meaning_representation"].strip(), row["human_reference"].strip()
            if split == "train" or meaning not in places:
                places[meaning] = len(groups)
                groups.append((meaning, [text]))
            else:
                groups[places[meaning]][1].append(text)
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
        """BLEU, chrF and ROUGE-L against all texts of a meaning representation."""
        return metrics.generation_scores(answers, gold)
