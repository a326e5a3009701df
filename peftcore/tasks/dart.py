"""DART: triples from tables and dialogue data, verbalised in a sentence.

The hub stores the texts of a row as an object of lists, the authors' own files as a list of
objects; both are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from peftcore.data import sources
from peftcore.data.task import Split, register
from peftcore.errors import BadInput
from peftcore.tasks.kinds.data_to_text import DataToTextTask, Triple, linearize_triples

HUB = sources.HubSource("Yale-LILY/dart", None, "refs/convert/parquet")
FIELDS = {"tripleset": list}


@register
class DART(DataToTextTask):
    """Triples → text."""

    name = "dart"
    title = "DART tables"
    source_note = (
        "DART (Nan et al., NAACL 2021), MIT; parts of WikiTableQuestions and E2E, CC BY-SA 4.0, "
        "and WikiSQL, BSD"
    )

    def input_text_pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """Yield triples in a line and their text, for every text that is not empty."""
        for number, row in enumerate(sources.load_rows(self.name, split, HUB, FIELDS)):
            meaning = linearize_triples(
                _parse_triples(row["tripleset"], f"{self.name} {split}-{number}")
            )
            yield from ((meaning, text) for text in _texts(row.get("annotations")))


def _parse_triples(tripleset: list[object], key: str) -> list[Triple]:
    """Parse a row's triples; BadInput unless each has three texts."""
    triples = [tuple(map(str, triple)) for triple in tripleset if isinstance(triple, list)]
    if not triples or {len(triple) for triple in triples} != {3} or len(triples) != len(tripleset):
        raise BadInput(
            f"{key}: tripleset must be a list of lists of three texts; got {tripleset!r}"
        )
    return triples  # type: ignore[return-value]  # all have three, as just checked


def _texts(annotations: object) -> list[str]:
    """List a row's texts that are not empty."""
    if isinstance(annotations, dict):
        texts = annotations.get("text") or []
    else:
        rows = annotations if isinstance(annotations, list) else []
        texts = [row.get("text") for row in rows if isinstance(row, dict)]
    return [text.strip() for text in texts if isinstance(text, str) and text.strip()]
