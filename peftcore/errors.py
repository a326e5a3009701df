"""What can go wrong because of what somebody typed, chose or uploaded.

The command line prints these in one sentence and ends with status 2; a page shows them in a box.
Anything else that is raised is a fault of ours and goes to a log with an error id.
"""

import difflib
from collections.abc import Iterable


class BadInput(ValueError):
    """A value from outside that cannot be used: says what, which value, and what would be right."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """The error for a name nobody knows, with close matches and what is known."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return BadInput(f"no {kind} {name!r}; {hint}known: {', '.join(known) or 'none'}")
