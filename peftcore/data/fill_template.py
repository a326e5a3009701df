"""A task's template found from its examples, so that fields can be filled in by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from peftcore.data.task import Example

MOST_TRIED = 50  # examples that are looked at
NAME_BEFORE = re.compile(r"([A-Za-z][\w ]{0,30})\s*[:=]\s*$")  # "premise: " names what follows


@dataclass(frozen=True)
class FilledTemplate:
    """The fixed pieces around the fields of a source; field n stands between pieces n and n + 1.

    parts: for each field in the order of the source, which part of an example it is.
    """

    pieces: tuple[str, ...]
    parts: tuple[int, ...]

    def names(self) -> list[str]:
        """Name the fields by the words before them, else by number."""
        found = [NAME_BEFORE.search(piece) for piece in self.pieces[:-1]]
        return [
            match[1].split()[-1].capitalize() if match else f"Text {n + 1}"
            for n, match in enumerate(found)
        ]

    def fill(self, texts: Sequence[str]) -> str:
        """Return the source with these texts in its fields."""
        middle = (text + piece for text, piece in zip(texts, self.pieces[1:], strict=True))
        return self.pieces[0] + "".join(middle)

    def in_order_of_parts(self, texts: Sequence[str]) -> list[str]:
        """Return the texts of the fields as an example's parts."""
        return [text for _, text in sorted(zip(self.parts, texts, strict=True))]


def find_template(examples: Sequence[Example]) -> FilledTemplate | None:
    """Return the template that two examples agree on; None where the parts are no plain fields.

    Examples in which a part stands twice, or within another, are passed over.
    """
    found = [template for example in examples[:MOST_TRIED] if (template := _template_of(example))]
    return found[0] if len(found) > 1 and len({*found}) == 1 else None


def _template_of(example: Example) -> FilledTemplate | None:
    """Cut a source at the parts of its example; None if one is not there exactly once."""
    places = []
    for number, part in enumerate(example.parts):
        if not part or example.source.count(part) != 1:
            return None
        places.append((example.source.index(part), number, part))
    if not places:
        return None
    pieces, end = [], 0
    for start, _, part in sorted(places):
        if start < end:  # one part lies within another
            return None
        pieces.append(example.source[end:start])
        end = start + len(part)
    pieces.append(example.source[end:])
    return FilledTemplate(tuple(pieces), tuple(number for _, number, _ in sorted(places)))
