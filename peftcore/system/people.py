"""Who acts: the person behind a page's act or a command, with a role.

| role | may |
| --- | --- |
| viewer | look at everything |
| rater | rate what they were invited to |
| experimenter | also start work, and change what is theirs or has no owner |
| admin | also change what is others', pause the queue, read the audit log |

Whoever made an object owns it (`rights`).  On one's own machine, where nobody signs in, a command
and a page are by an admin without a name, of whom nothing is noted.  PEFTCORE_PERSON names who
gives commands; PEFTCORE_READ_ONLY=1 makes everybody a viewer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["viewer", "rater", "experimenter", "admin"]


@dataclass(frozen=True)
class Person:
    """Somebody with a role; `name` is a login, empty on one's own machine."""

    name: str
    role: Role


_acting: ContextVar[Person | None] = ContextVar("acting", default=None)
_sources: list[Callable[[], Person | None]] = []  # none, or one


def who() -> Person:
    """Return who acts: by `acting_as`, by the session, or else the user of this machine."""
    if person := _acting.get():
        return person
    person = _sources[0]() if _sources else None
    person = person or Person(os.environ.get("PEFTCORE_PERSON", "").strip().lower(), "admin")
    return replace(person, role="viewer") if read_only() else person


def read_only() -> bool:
    """Return whether everything here may be looked at and nothing changed."""
    return os.environ.get("PEFTCORE_READ_ONLY", "0") not in ("", "0")


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Act as somebody for a while: in tests, and where the program itself does something."""
    token = _acting.set(person)
    try:
        yield
    finally:
        _acting.reset(token)


def ask_sessions(source: Callable[[], Person | None]) -> None:
    """Take who acts from a server's sessions; `source` returns None outside of one."""
    _sources[:] = [source]


PROGRAM = Person("", "admin")  # what is done without anybody asking, such as the demo project
