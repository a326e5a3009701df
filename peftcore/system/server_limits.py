"""Limits of this server: how much one visitor, file or run may ask for, checked before work begins.

Each is a setting: an environment variable that holds a whole number. `server-limits` lists them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from peftcore.errors import BadInput

LIMITS: list[Limit] = []  # all of them, in the order of the list that is printed


@dataclass(frozen=True)
class Limit:
    """One limit: its variable, what it is without it, its unit, and what it limits."""

    variable: str
    default: int
    unit: str
    of: str

    def __post_init__(self) -> None:
        """Enter the list."""
        LIMITS.append(self)

    @property
    def value(self) -> int:
        """Return the limit that counts now; BadInput if the variable holds no such number."""
        text = os.environ.get(self.variable, "").strip()
        if not text:
            return self.default
        if not (text.isascii() and text.isdecimal() and len(text) <= 15 and int(text)):
            raise BadInput(f"{self.variable} must be a whole number from 1; got {text[:40]!r}")
        return int(text)

    def check(self, asked: float, what: str, advice: str = "") -> None:
        """Raise BadInput, with the limit and its setting, if more is asked for than it allows.

        what: what was asked for, as the subject of a sentence, such as "the file has 30 MB".
        """
        if asked > self.value:
            raise BadInput(
                f"{what}; at most {self.value:,} {self.unit} ({self.variable})"
                + (f": {advice}" if advice else "")
            )


BASE_FILE = Limit("PEFTCORE_MAX_UPLOAD_MB", 500, "MB", "A base model uploaded in the browser")
TABLE_FILE = Limit("PEFTCORE_MAX_TABLE_MB", 20, "MB", "A table that becomes a task")
TABLE_ROWS = Limit("PEFTCORE_MAX_TABLE_ROWS", 100_000, "rows", "A table that becomes a task")
FIELD = Limit(
    "PEFTCORE_MAX_FIELD_CHARACTERS", 10_000, "characters", "A field of a table; longer rows are out"
)
TYPED_TEXT = Limit(
    "PEFTCORE_MAX_TEXT_CHARACTERS", 50_000, "characters", "A typed text, before it is read at all"
)
TYPED_TOKENS = Limit("PEFTCORE_MAX_TEXT_TOKENS", 1024, "tokens", "A typed text that is answered")
ANSWER_TIME = Limit("PEFTCORE_MAX_ANSWER_SECONDS", 30, "s", "One answer to a typed text")
SEED_STEPS = Limit(
    "PEFTCORE_MAX_SEED_STEPS",
    250_000,
    "seeds × vertices × steps",
    "A run; from a tenth of it on, `train` says how long it will take",
)
SWEEP_CELLS = Limit("PEFTCORE_MAX_SWEEP_CELLS", 5000, "runs", "A sweep")
POINTS = Limit("PEFTCORE_MAX_POINTS", 20_000, "points", "A landscape")
READINGS = Limit(
    "PEFTCORE_MAX_READINGS", 5_000_000, "examples read", "A landscape: points × examples"
)
ZIP_TOTAL = Limit("PEFTCORE_MAX_ZIP_MB", 4000, "MB unpacked", "A bundle")
ZIP_MEMBER = Limit("PEFTCORE_MAX_ZIP_MEMBER_MB", 1000, "MB unpacked", "A file of a bundle")
ZIP_MEMBERS = Limit("PEFTCORE_MAX_ZIP_MEMBERS", 5000, "files", "A bundle")
ESTIMATE_MEMORY = Limit(
    "PEFTCORE_MAX_ESTIMATE_MB", 6000, "MB of memory", "The process that tries what a run will cost"
)
