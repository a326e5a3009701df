"""How alike two models' hidden states are, layer by layer; and how far soft tokens are from words.

Arrays in, numbers out; reading states is in `labs.common.hidden_states`.  Axes: s seeds, l
layers, n positions, d model width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def linear_cka(first: Array, second: Array) -> float:
    """Return the linear CKA of two sets of states (n, d) and (n, e) at the same positions.

    Centred kernel alignment (arXiv:1905.00414): one where the states are the same but for a
    rotation, a shift and one factor, zero where no direction of one goes with one of the other.
    With few positions for the width even unrelated states come near one.  nan where one of them
    does not vary.
    """
    x, y = (states.astype(np.float64) - states.mean(0) for states in (first, second))
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    if own <= 1e-12 * max(len(x), 1):
        return float("nan")
    return float(np.linalg.norm(y.T @ x) ** 2 / own)


def mean_cosine(first: Array, second: Array) -> float:
    """Return the mean over positions of the cosine of states (n, d) at the same position."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    known = lengths > 0
    products = (first * second).sum(1)
    return float((products[known] / lengths[known]).mean()) if known.any() else float("nan")


def cka_by_layer(first: Array, second: Array) -> Array:
    """Return the linear CKA (s, l) of states (s, l, n, d) of two runs, seed by seed."""
    return np.array(
        [
            [linear_cka(a, b) for a, b in zip(*pair, strict=True)]
            for pair in zip(first, second, strict=True)
        ]
    )


@dataclass(frozen=True)
class LayerGap:
    """The gap between soft tokens and the words they stand before, in one layer of one seed.

    norm_ratio: mean length of the tokens' states over that of words.  distance: between the means
    of both, in mean lengths of words.  cosine: of a token with the word nearest to it, on average.
    """

    norm_ratio: float
    distance: float
    cosine: float


GAP_TITLES = {
    "distance": "Distance of means, in lengths of words",
    "norm_ratio": "Length, relative to words",
    "cosine": "Cosine with the nearest word",
}


def layer_gap(soft: Array, words: Array) -> LayerGap:
    """Measure states of soft tokens (m, d) against those of words (n, d) in the same layer."""
    x, y = soft.astype(np.float64), words.astype(np.float64)
    lengths = [np.linalg.norm(rows, axis=-1) for rows in (x, y)]
    unit = lengths[1].mean()
    directions = [
        rows / np.maximum(length, 1e-12)[:, None]
        for rows, length in zip((x, y), lengths, strict=True)
    ]
    return LayerGap(
        float(lengths[0].mean() / unit),
        float(np.linalg.norm(x.mean(0) - y.mean(0)) / unit),
        float((directions[0] @ directions[1].T).max(1).mean()),
    )


def gaps_by_layer(soft: Array, words: Array) -> list[list[LayerGap]]:
    """Return the gap of every seed and layer; soft (s, l, m, d), words (s, l, n, d)."""
    return [
        [layer_gap(a, b) for a, b in zip(*pair, strict=True)]
        for pair in zip(soft, words, strict=True)
    ]
