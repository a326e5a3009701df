"""How much two changes of the same weights stand in each other's way, before they are combined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STRONG_SHARE = 0.2  # of the entries, by size, that each change is judged by (arXiv:2306.01708)


def cosine(first: Array, second: Array) -> float:
    """Return the cosine of two changes (…) of one shape; nan where one is nothing."""
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum()) / size if size else float("nan")


def sign_conflicts(first: Array, second: Array, share: float = STRONG_SHARE) -> float:
    """Return the share of entries strong in both changes (…) whose signs differ.

    Strong are the largest by size, a share of each change; nan where none is strong in both.  Of
    two unrelated changes one half differ.
    """
    both = _strong(first, share) & _strong(second, share)
    if not both.any():
        return float("nan")
    return float((np.sign(first[both]) != np.sign(second[both])).mean())


def _strong(change: Array, share: float) -> NDArray[np.bool_]:
    """Return which entries (…) are among the largest, zeros left out."""
    sizes = np.abs(change)
    count = max(1, round(share * sizes.size))
    limit = np.partition(sizes.ravel(), -count)[-count]
    strong: NDArray[np.bool_] = (sizes >= limit) & (sizes > 0)
    return strong
