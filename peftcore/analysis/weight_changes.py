"""How a weight matrix was changed: its size, its directions, and what they share with others.

Arrays in, numbers out.  Axes: o outputs, i inputs, k directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDING = 1e-6  # a singular value below this share of the largest is no direction


@dataclass(frozen=True)
class Directions:
    """The singular values (k,) of a change (o, i), falling, and its directions on both sides."""

    values: Array  # (k,)
    outputs: Array  # (o, k)
    inputs: Array  # (i, k)

    @property
    def rank(self) -> int:
        """Number of directions above rounding."""
        largest = self.values.max(initial=0.0)
        return int((self.values > ROUNDING * largest).sum()) if largest else 0

    @property
    def stable_rank(self) -> float:
        """Sum of squared values over the largest squared: how many directions carry the change."""
        squares = self.values**2
        return float(squares.sum() / squares[0]) if self.rank else 0.0


def find_directions(change: Array) -> Directions:
    """Decompose a change (o, i)."""
    outputs, values, inputs = np.linalg.svd(change, full_matrices=False)
    return Directions(values, outputs, inputs.T)


def relative_size(change: Array, base: Array) -> float:
    """Return the Frobenius norm of a change over that of the base, both of one shape (…)."""
    size = float(np.linalg.norm(base))
    return float(np.linalg.norm(change)) / size if size else float("nan")


def subspace_similarity(first: Array, second: Array, k: int) -> float:
    """Return φ of the first k directions (d, ≥ k) of two changes: 1 the same space, 0 no overlap.

    φ is the squared Frobenius norm of the directions' products over k (arXiv:2106.09685).
    """
    return float(np.linalg.norm(first[:, :k].T @ second[:, :k]) ** 2 / k)


def chance_similarity(width: int, k: int) -> float:
    """Return φ that two spaces of k directions drawn at random in `width` dimensions have."""
    return min(1.0, k / width)


def best_cosines(base_outputs: Array, tuned_outputs: Array) -> Array:
    """Return for each tuned direction (o, k) its largest |cosine| with any of the base (o, m)."""
    cosines: Array = np.abs(base_outputs.T @ tuned_outputs).max(0)
    return cosines
