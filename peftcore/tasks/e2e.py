"""E2E: a restaurant's meaning representation, verbalised in one or two sentences.

The data have one row per human text.
"""

from __future__ import annotations

from collections.abc import Iterator

from peftcore.data import sources
from peftcore.data.task import Split, register
from peftcore.tasks.kinds.data_to_text import DataToTextTask

HUB = sources.HubSource("tuetschek/e2e_nlg", None, "refs/convert/parquet")
FIELDS = {"meaning_representation": str, "human_reference": str}


@register
class E2E(DataToTextTask):
    """Slots and values → text."""

    name = "e2e_nlg"
    title = "E2E restaurants"
    source_note = "E2E NLG (Novikova, Dušek, Rieser, SIGDIAL 2017), CC BY-SA 4.0"

    def input_text_pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """Yield meaning representation and text of every row."""
        for row in sources.load_rows(self.name, split, HUB, FIELDS):
            yield row["meaning_representation"].strip(), row["human_reference"].strip()
