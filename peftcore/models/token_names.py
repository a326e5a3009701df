"""How a token is shown to a reader: one naming for every view and command.

Vocabularies write spaces and bytes in signs of their own: byte-level BPE ("Ġverte", "Ċ"),
SentencePiece ("▁verte", "<0x0A>"), WordPiece ("##verte").  Here all of them read alike: the letters
as typed, a dot in front of what continues a word, a sign for what would be invisible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

CONTINUATION = "·"  # in front of a token that goes on the word before it
WHITESPACE_SYMBOLS = {" ": "␣", "\n": "⏎", "\t": "⇥", "": "∅"}
SAMPLE_SIZE = 5000  # tokens of a vocabulary that show how it marks words
BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class _Piece:
    """A token's letters, and whether it begins or continues a word, as far as it says so."""

    letters: str
    begins_word: bool = False
    continues_word: bool = False


def vocabulary_names(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """Name tokens that stand alone, such as the nearest words of a vector.

    Where words are marked at their beginning, a token of letters without the mark continues one.
    """
    marks_words, pieces = _read_pieces(tokenizer, ids)
    return tuple(
        show_token(
            piece.letters,
            piece.continues_word
            or (marks_words and not piece.begins_word and piece.letters[:1].isalnum()),
        )
        for piece in pieces
    )


def text_names(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """Name the tokens of one text in their order; the first one of a text continues nothing."""
    marks_words, pieces = _read_pieces(tokenizer, ids)
    names, before = [], ""
    for piece in pieces:
        joined = marks_words and not piece.begins_word and _join_to_word(before, piece.letters)
        names.append(show_token(piece.letters, piece.continues_word or joined))
        before = piece.letters
    return tuple(names)


def show_token(letters: str, continues_word: bool = False) -> str:
    """Return a token's letters as a reader sees them; white space has signs, and an empty one."""
    word = letters.strip()
    if not word:
        return "".join(WHITESPACE_SYMBOLS.get(sign, "␣") for sign in letters or [""])
    word = "".join(WHITESPACE_SYMBOLS[sign] if sign in "\n\t" else sign for sign in word)
    return f"{CONTINUATION}{word}" if continues_word else word


def continues_word(text: str, start: int) -> bool:
    """Return whether what begins at `start` of a text goes on the word before it."""
    return start > 0 and _join_to_word(text[:start], text[start : start + 1])


def _join_to_word(before: str, letters: str) -> bool:
    """Return whether two neighbours are parts of one word."""
    return before[-1:].isalnum() and letters[:1].isalnum()


def _read_pieces(tokenizer: Any, ids: Sequence[int]) -> tuple[bool, list[_Piece]]:
    """Read tokens; also whether the vocabulary marks where words begin."""
    mark = _word_mark(tokenizer)
    readers: dict[str, Callable[[str], _Piece]] = {
        "##": lambda text: _Piece(text.removeprefix("##"), continues_word=text.startswith("##")),
        "▁": _sentencepiece,
        "Ġ": _byte_level,
    }
    special, read = set(tokenizer.all_special_tokens), readers.get(mark, _Piece)
    return mark in ("▁", "Ġ"), [
        _Piece(text, begins_word=True) if text in special else read(text)
        for text in _convert(tokenizer, ids)
    ]


def _word_mark(tokenizer: Any) -> str:
    """Return the sign by which a vocabulary marks words, the commonest; empty without one.

    Any of them may also be an ordinary token: headings of Markdown begin with ##.
    """
    sample = _convert(tokenizer, range(min(len(tokenizer), SAMPLE_SIZE)))
    counts = {mark: sum(piece.startswith(mark) for piece in sample) for mark in ("▁", "Ġ", "##")}
    mark = max(counts, key=lambda each: counts[each])
    return mark if counts[mark] else ""


def _convert(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """Return the vocabulary's own spelling of tokens; an id without one is empty."""
    return [str(piece or "") for piece in tokenizer.convert_ids_to_tokens(list(ids))]


def _sentencepiece(text: str) -> _Piece:
    """Read a token of SentencePiece, of which some stand for a byte."""
    if byte := BYTE_PIECE.fullmatch(text):
        sign = chr(int(byte[1], 16))
        return _Piece(sign if sign.isascii() else text, begins_word=not sign.isascii())
    return _Piece(text.replace("▁", " "), begins_word=text.startswith("▁"))


def _byte_level(text: str) -> _Piece:
    """Read a token of byte-level BPE."""
    letters = _letters_of_bytes(text)
    return _Piece(letters, begins_word=letters[:1].isspace())


def _letters_of_bytes(text: str) -> str:
    """Decode a token of byte-level BPE; bytes that are no whole letter become <0x…>."""
    if any(sign not in BYTES_BY_SIGN for sign in text):
        return text  # added to the vocabulary as it is typed
    data = bytes(BYTES_BY_SIGN[sign] for sign in text)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="surrogateescape").translate(ESCAPED_BYTES)


def _signs_of_bytes() -> dict[str, int]:
    """Return the byte behind each sign of byte-level BPE.

    Bytes with a visible sign in Latin-1 stand for themselves, the others follow from 256 on.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(256 + number): byte for number, byte in enumerate(hidden)
    }


BYTES_BY_SIGN = _signs_of_bytes()
ESCAPED_BYTES = {0xDC00 + byte: f"<0x{byte:02X}>" for byte in range(0x80, 0x100)}
