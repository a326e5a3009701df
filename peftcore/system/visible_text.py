"""Texts of data as they may be shown beside our own: no sign in them moves what stands around.

Control signs move a terminal's cursor, marks of writing direction turn the rest of a line, and a
NUL ends it. They are written as codes; letters of every script stay as they are.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"  # they shape letters of many scripts, and emoji


def does_not_show(character: str) -> bool:
    """Return whether a sign is a control or format character other than white space."""
    if character in "\t\n\r" or character in JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf")


def visible(text: str) -> str:
    """Return a text with the codes of what does not show, such as \\u202e."""
    if text.isprintable():
        return text
    return "".join(ascii(c)[1:-1] if _is_code(c) else c for c in text)


def _is_code(character: str) -> bool:
    """Return whether a sign is written as its code: hidden, or half a surrogate pair."""
    return does_not_show(character) or unicodedata.category(character) == "Cs"
