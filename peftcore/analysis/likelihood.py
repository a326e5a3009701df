"""What the log-likelihoods of sentences say of a language model: judgements of pairs, perplexity.

Arrays in, frozen dataclasses out; who reads the sentences is `intake.quality`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis.clustered import wilson_limits

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairAccuracy:
    """The share of pairs whose right sentence is the likelier one, with its 95 % interval."""

    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Perplexity:
    """exp of the mean negative log-likelihood, for each token and each word."""

    per_token: float
    per_word: float
    tokens: int
    words: int
    n: int  # texts


def pair_accuracy(right: Array, wrong: Array) -> PairAccuracy:
    """Compare log-likelihoods (n,) of right sentences with those (n,) of wrong ones, pair by pair.

    A tie counts one half. The interval is Wilson's, which stays within 0 and 1; pairs count as
    independent.
    """
    n = len(right)
    share = float(((right > wrong) + 0.5 * (right == wrong)).mean())
    return PairAccuracy(share, *wilson_interval(share, n), n)


def wilson_interval(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of a share of n independent trials by Wilson's score interval."""
    return wilson_limits(share, n, float(special.ndtri((1 + level) / 2)))


def perplexity(log_likelihoods: Array, tokens: NDArray[np.int64], words: int) -> Perplexity:
    """Return the perplexity of texts from their log-likelihoods (n,) and lengths (n,) in tokens."""
    loss, count = -float(log_likelihoods.sum()), int(tokens.sum())
    return Perplexity(
        math.exp(loss / count), math.exp(loss / words), count, words, len(log_likelihoods)
    )
