"""Errors caused by what a user typed, chose or uploaded.

The command line prints these in one sentence and ends with status 2; a page shows them in a box.
Any other exception is a fault of ours and is logged with an error id.
"""

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100  # characters of a wrong name that an error repeats


class BadInput(ValueError):
    """An input that cannot be used: the message says what, its value, and what would be right."""


class MissingBase(BadInput):
    """A base that is not on this machine; pages invite to add one."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """Return the error for an unknown name, with close matches and the known names."""
    known, name = sorted(known), name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return BadInput(f"no {kind} {name!r}; {hint}known: {', '.join(known) or 'none'}")
