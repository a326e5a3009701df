"""Attention of one query as shares that sum to one, and what may happen to them.

A position put in front takes a share and scales all others by one factor (arXiv:2310.19698,
section 4); changed queries or keys move scores apart, so shares can change places. The browser
draws the same formulas (app/frontend/attention_row.js).

Axes: k content key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEAST_SHARE = 1e-30  # what a share that was rounded to zero counts as, so that it has a score


@dataclass(frozen=True)
class PrefixedRow:
    """The shares of a query with a position in front."""

    share: float  # what the position takes
    content: Array  # (k,), what is left to the rest

    @property
    def renormalised(self) -> Array:
        """The content scaled to a sum of one again (k,)."""
        return self.content / self.content.sum()


def normalise(shares: ArrayLike) -> Array:
    """Return shares (k,) that sum to one in double precision."""
    values = np.maximum(np.asarray(shares, dtype=np.float64), LEAST_SHARE)
    return values / values.sum()


def put_in_front(shares: ArrayLike, score: float) -> PrefixedRow:
    """Put a position in front of a row (k,): softmax over its score and those of the content.

    score: in nats above the content's own mass, log Σ exp; 0 takes one half.
    """
    scores = np.concatenate([[score], np.log(normalise(shares))])
    powers = np.exp(scores - scores.max())
    weights = powers / powers.sum()
    return PrefixedRow(float(weights[0]), weights[1:])


def score_of_share(share: float) -> float:
    """Return the score at which a position takes this share, strictly between 0 and 1."""
    return float(np.log(share) - np.log1p(-share))


def change_scores(before: ArrayLike, after: ArrayLike, amount: float) -> Array:
    """Go from one row (k,) to another along their scores: 0 the first, 1 the second.

    For an adapter that changes queries alone, as LoRA on queries does in a layer with the same
    inputs, this is the row with the change multiplied by `amount`: scores are linear in queries.
    """
    start, end = np.log(normalise(before)), np.log(normalise(after))
    scores = start + amount * (end - start)
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def swapped_pairs(before: ArrayLike, after: ArrayLike) -> tuple[int, int]:
    """Count the pairs of keys that changed their order, and all pairs that differed before."""
    old, new = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    first, second = np.triu_indices(len(old), 1)
    apart = old[first] - old[second]
    changed = apart * (new[first] - new[second]) < 0
    return int(changed.sum()), int((apart != 0).sum())
