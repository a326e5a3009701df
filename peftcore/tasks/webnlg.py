"""WebNLG 3.0 (English): facts from DBpedia, verbalised in one or more sentences.

A fact is one text, "subject | predicate | object", with underscores for the spaces of names. The
modified triples, whose spelling was made consistent, are read; the original ones are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from peftcore.data import sources
from peftcore.data.task import Split, register
from peftcore.errors import BadInput
from peftcore.tasks.kinds.data_to_text import DataToTextTask, Triple, linearize_triples

HUB = sources.HubSource("webnlg-challenge/web_nlg", "release_v3.0_en", "refs/convert/parquet")
HUB_SPLITS: Mapping[Split, str] = {"train": "train", "validation": "dev", "test": "test"}
FIELDS = {"modified_triple_sets": dict, "lex": dict}


@register
class WebNLG(DataToTextTask):
    """Facts → text."""

    name = "web_nlg"
    title = "WebNLG facts"
    source_note = (
        "WebNLG 3.0 (Castro Ferreira et al., WebNLG+ 2020), CC BY-NC-SA 4.0: not for commercial use"
    )

    def input_text_pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """Yield facts in a line and text, for every English text that is not empty."""
        rows = sources.load_rows(self.name, split, HUB, FIELDS, HUB_SPLITS[split])
        for number, row in enumerate(rows):
            sets = row["modified_triple_sets"].get("mtriple_set") or [[]]
            key = f"{self.name} {split}-{number}"
            meaning = linearize_triples(parse_triple(fact, key) for fact in sets[0])
            texts = row["lex"].get("text") or []
            languages = row["lex"].get("lang") or [""] * len(texts)
            for text, language in zip(texts, languages, strict=True):
                if text.strip() and language in ("", "en"):
                    yield meaning, text.strip()


def parse_triple(fact: str, key: str) -> Triple:
    """Split "subject | predicate | object" into its parts, without underscores in names."""
    parts = [part.strip() for part in fact.split(" | ")]
    if len(parts) != 3:
        raise BadInput(f"{key}: a fact must read 'subject | predicate | object'; got {fact!r}")
    subject, predicate, object_ = parts
    return subject.replace("_", " "), predicate, object_.replace("_", " ")
