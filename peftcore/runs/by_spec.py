"""What is computed of a spec, remembered: lists of thousands of runs ask for it at every draw.

A spec never changes, and a store returns the same one as long as its file is the same. Computing
an id or a hash of a spec costs more than what is remembered here, so specs count by identity; each
is kept beside its value, or another could come to stand at its place in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from peftcore.runs.spec import RunSpec

T = TypeVar("T")
MOST = 20_000  # specs; as many as a store remembers


def remembered(compute: Callable[[RunSpec], T]) -> Callable[[RunSpec], T]:
    """Return the function with its values remembered; callers must not change them."""
    known: dict[int, tuple[RunSpec, T]] = {}

    @functools.wraps(compute)
    def ask(spec: RunSpec) -> T:
        """Return the value of this very spec."""
        found = known.get(id(spec))
        if found is not None and found[0] is spec:
            return found[1]
        value = compute(spec)
        if len(known) >= MOST:
            known.clear()
        known[id(spec)] = spec, value
        return value

    return ask
