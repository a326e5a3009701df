"""Limits of what people's verdicts say: verdicts on one example, and by one rater, go together.

A score is a mean, so each verdict's part in its error can be written down; the parts of one example
are added up, and so are those of one rater, and what both share is counted once (Cameron, Gelbach
and Miller 2011, in the mean squares of `inference` where every rater rated everything). Fewer than
ten raters are taken as they are: an interval speaks of these raters then. The t quantile is at
Satterthwaite's degrees of freedom. Shares of one, such as scores, end within 0 and 1 by Wilson's
interval for as many independent verdicts as have the same error; where no verdict differs these
are the examples, so that one unanimous handful does not look like certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis.inference import Estimate
from peftcore.analysis.resampling import LEVEL, Array

FEWEST_RATERS = 10  # fewer say nothing about other raters
ONE_EXAMPLE = "one example has no interval"
NO_SPREAD = "no interval: the examples agree to the last verdict"
Limits = tuple[float | None, float | None, str]


@dataclass(frozen=True)
class Clusters:
    """The example and the rater of each of n verdicts, as codes (n,)."""

    examples: NDArray[np.int64]
    raters: NDArray[np.int64]

    @classmethod
    def of(cls, examples: Iterable[Any], raters: Iterable[Any]) -> Clusters:
        """Number the examples and raters of verdicts."""
        return cls(
            *(
                pd.factorize(np.array(list(names), dtype=object))[0].astype(np.int64)
                for names in (examples, raters)
            )
        )

    @property
    def counts(self) -> tuple[int, int]:
        """Count the examples and the raters."""
        return len(np.unique(self.examples)), len(np.unique(self.raters))


@dataclass(frozen=True)
class ClusteredError:
    """A standard error, its degrees of freedom, and how many examples it rests on."""

    error: float
    freedom: float
    examples: int

    def mean_limits(self, mean: float, within: tuple[float, float]) -> Limits:
        """Return 95 % limits that end at `within`, or why there are none."""
        if self.examples < 2:
            return None, None, ONE_EXAMPLE
        if self.error == 0:
            return None, None, NO_SPREAD
        reach = self.error * self._quantile
        return max(within[0], mean - reach), min(within[1], mean + reach), ""

    def share_limits(self, share: float) -> Limits:
        """Return Wilson's 95 % limits of a share, for verdicts of this error, or why not."""
        if self.examples < 2:
            return None, None, ONE_EXAMPLE
        spread = share * (1 - share)
        verdicts = spread / self.error**2 if self.error > 0 and spread > 0 else self.examples
        return *wilson_limits(share, verdicts, self._quantile), ""

    def estimate(self, mean: float) -> Estimate:
        """Return a mean with this error, as verdicts test it; without an error none is tested."""
        known = self.examples > 1 and self.error > 0
        error, freedom = (self.error, self.freedom) if known else (None, None)
        return Estimate(mean, None, None, error, freedom, 1, self.examples, "this task")

    @property
    def _quantile(self) -> float:
        """The t quantile of the limits."""
        return float(special.stdtrit(self.freedom, (1 + LEVEL) / 2))


def wilson_limits(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Return the score limits of a share of n independent trials, at a normal or t quantile."""
    square = quantile**2 / n
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def clustered_error(parts: Array, clusters: Clusters) -> ClusteredError:
    """Return the standard error of a statistic from each verdict's part in it.

    parts: (n,), how far the statistic moves if a verdict counts more, for one more of its weight;
    they sum to zero.
    """
    examples, raters = clusters.counts
    if examples < 2:
        return ClusteredError(0.0, 1.0, examples)
    by_example = _sums(parts, clusters.examples)
    square = examples / (examples - 1) * float((by_example**2).sum())
    if raters < FEWEST_RATERS:
        return ClusteredError(math.sqrt(square), examples - 1.0, examples)
    by_rater = _sums(parts, clusters.raters)
    squares = (square, raters / (raters - 1) * float((by_rater**2).sum()))
    cells, index = np.unique(
        clusters.examples * (clusters.raters.max() + 1) + clusters.raters, return_inverse=True
    )
    by_cell = _sums(parts, index)  # what one rater says of one example goes together
    cell_examples, cell_raters = np.divmod(cells, clusters.raters.max() + 1)
    rest = by_cell - _spread_evenly(by_example, cell_examples)
    rest = rest - _spread_evenly(by_rater, cell_raters)
    shared = float((rest**2).sum()) * examples * raters / ((examples - 1) * (raters - 1))
    return two_way_error(squares, shared, (examples, raters))


def _sums(parts: Array, codes: NDArray[np.int64]) -> Array:
    """Return the sum of the parts (n,) of each code, in their order."""
    return np.bincount(codes, parts).astype(np.float64)


def _spread_evenly(sums: Array, codes: NDArray[np.int64]) -> Array:
    """Return for each verdict (n,) its cluster's sum over the size of the cluster."""
    return sums[codes] / np.bincount(codes)[codes].astype(np.float64)


def two_way_error(
    squares: tuple[float, float], shared: float, counts: tuple[int, int]
) -> ClusteredError:
    """Combine the variances by examples and by raters, in each of which `shared` is contained.

    What both share is the least there can be: a variance below it is chance.
    """
    examples, raters = counts
    below = sum(
        square**2 / freedom
        for square, freedom in (
            *zip(squares, (examples - 1, raters - 1), strict=True),
            (shared, (examples - 1) * (raters - 1)),
        )
        if square > 0
    )
    variance = max(sum(squares) - shared, shared)
    freedom = variance**2 / below if below > 0 else float(min(examples, raters) - 1)
    return ClusteredError(math.sqrt(variance), max(freedom, 1.0), examples)
