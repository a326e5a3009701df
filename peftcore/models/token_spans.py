"""Which part of which text every token stands for, whatever kind of tokenizer made it.

Tokenizers written in Python, as ByT5's, report no places; there the ids of each text alone are
looked up among all ids, and their pieces in the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# How tokenizers in Python mark that a piece begins or continues a word.
MARKS = ("##", "▁", "Ġ", "@@", "</w>")


@dataclass(frozen=True)
class TokenSpans:
    """Tokens of one text, or of a pair with special tokens around them."""

    ids: tuple[int, ...]
    sequences: tuple[int | None, ...]  # number of the token's text from 0; None: a special token
    spans: tuple[tuple[int, int], ...]  # characters [start, stop) of that text
    names: tuple[str | None, ...]  # of tokens that are less than a character; None: its characters


def token_spans(tokenizer: Any, *texts: str, add_special_tokens: bool = True) -> TokenSpans:
    """Tokenise one text or a pair and say where every token lies."""
    if tokenizer.is_fast:
        encoding = tokenizer(
            *texts, add_special_tokens=add_special_tokens, return_offsets_mapping=True
        )
        ids = tuple(encoding["input_ids"])
        offsets = tuple((start, stop) for start, stop in encoding["offset_mapping"])
        return TokenSpans(ids, tuple(encoding.sequence_ids(0)), offsets, (None,) * len(ids))
    ids = tuple(tokenizer(*texts, add_special_tokens=add_special_tokens)["input_ids"])
    sequences: list[int | None] = [None] * len(ids)
    spans, names = [(0, 0)] * len(ids), list[str | None]([None] * len(ids))
    begin = 0
    for number, text in enumerate(texts):
        own = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        begin = _find(ids, own, begin)
        placed = _locate(tokenizer.convert_ids_to_tokens(list(own)), text)
        for place, (span, name) in enumerate(placed, begin):
            sequences[place], spans[place], names[place] = number, span, name
        begin += len(own)
    return TokenSpans(ids, tuple(sequences), tuple(spans), tuple(names))


def sequence_numbers(tokenizer: Any, encoding: Any, texts: Sequence[str]) -> list[int | None]:
    """Return for every token of an encoding the number of its text from 0; None: special."""
    if tokenizer.is_fast:
        return list(encoding.sequence_ids(0))
    return list(token_spans(tokenizer, *texts).sequences)


def _find(ids: Sequence[int], own: Sequence[int], begin: int) -> int:
    """Return where a text's own ids begin among all ids, from `begin` on."""
    places = range(begin, len(ids) - len(own) + 1)
    return next((n for n in places if tuple(ids[n : n + len(own)]) == own), begin)


def _locate(pieces: Sequence[str], text: str) -> Iterator[tuple[tuple[int, int], str | None]]:
    """Yield the characters [start, stop) of every piece, and a name where it is less than one."""
    read = text.encode()
    if "".join(pieces).encode("latin-1", "ignore") == read and len(pieces) == len(read):
        for number, character in enumerate(text):
            own = character.encode()
            for byte in own:
                yield (number, number + 1), f"<0x{byte:02X}>" if len(own) > 1 else None
        return
    folded = text.lower() if len(text.lower()) == len(text) else text
    begin = 0
    for piece in pieces:
        bare = piece
        for mark in MARKS:
            bare = bare.replace(mark, "")
        start = text.find(bare, begin)
        start = start if start >= 0 else folded.find(bare.lower(), begin)
        found = bool(bare) and start >= 0
        yield ((start, start + len(bare)), None) if found else ((begin, begin), piece)
        begin = start + len(bare) if found else begin
