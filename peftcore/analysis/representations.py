"""How alike two sets of hidden states of the same tokens are.

Axes: t tokens, d and e widths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def linear_cka(first: Array, second: Array) -> float:
    """Return linear centred kernel alignment of states (t, d) and (t, e), between 0 and 1.

    It is 1 for states that differ by a turn, a shift and one scale (arXiv:1905.00414); with few
    tokens for the width even unrelated states come near 1.  nan where one has no variation.
    """
    one, other = (states - states.mean(0) for states in (first, second))
    shared = np.linalg.norm(one.T @ other) ** 2
    size = np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other)
    return float(shared / size) if size else float("nan")


def mean_cosine(first: Array, second: Array) -> float:
    """Return the mean over tokens of the cosine of states (t, d) of the same token."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    known = lengths > 0
    products = (first * second).sum(1)
    return float((products[known] / lengths[known]).mean()) if known.any() else float("nan")
