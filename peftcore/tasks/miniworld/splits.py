"""Assign each text to pretraining, or to one split of a task.

The hash of the text decides, so no text of a task can occur in pretraining or in another split,
whatever the seeds.
"""

from __future__ import annotations

import zlib
from typing import Literal

WorldPart = Literal["pretraining", "train", "validation", "test"]
_PARTS: tuple[WorldPart, ...] = (
    *("train",) * 3, *("validation",) * 2, *("test",) * 2, *("pretraining",) * 9,
)  # fmt: skip


def part_of(text: str) -> WorldPart:
    """Return a text's part: of 16, nine pretraining, three train, two validation, two test."""
    return _PARTS[zlib.crc32(text.lower().encode()) % len(_PARTS)]
