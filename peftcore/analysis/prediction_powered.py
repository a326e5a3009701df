"""Few human scores and many automatic ones: a valid and narrower interval for the human mean.

People rated n of the texts, a metric scored all of them. Where the two go together, the metric on
the texts that nobody rated tells how the rated ones differ from all; where they do not, its weight
falls to zero and the human mean stays as it is. The estimate is unbiased whatever the metric
measures (prediction-powered inference, Angelopoulos et al. 2023, with the weight that makes its
variance smallest, 2023b), within strata where the rated texts were drawn balanced over labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis.comparison import Interval
from peftcore.analysis.resampling import LEVEL, Array

MIN_RATED = 10  # fewer rated texts of a stratum cannot say how the two go together


@dataclass(frozen=True)
class PoweredMean:
    """The human mean with and without the metric's help; limits are at 95 %.

    human: of the rated texts alone. powered: with the metric on all. weight: of the metric, zero
    where it does not help. saved: by which share the interval is narrower.
    """

    human: Interval
    powered: Interval
    weight: float | None
    rest: int
    saved: float | None
    reason: str = ""


@dataclass(frozen=True)
class ScoredTexts:
    """Texts of one method: human scores (n,) and the metric on them, and on the rest (m,).

    strata: the label of each rated text and of each of the rest.
    """

    human: Array
    metric: Array
    rest: Array
    human_strata: NDArray[Any]
    rest_strata: NDArray[Any]


def powered_mean(texts: ScoredTexts, within: tuple[float, float] = (0.0, 1.0)) -> PoweredMean:
    """Estimate the mean human score of all texts, rated or not; limits end at `within`."""
    known = np.isfinite(texts.human) & np.isfinite(texts.metric)
    human, metric = texts.human[known], texts.metric[known]
    some = np.isfinite(texts.rest)
    rest, rest_strata = texts.rest[some], texts.rest_strata[some]
    strata = texts.human_strata[known]
    names = sorted({*map(str, strata), *map(str, rest_strata)})
    counts = [(int((strata == name).sum()), int((rest_strata == name).sum())) for name in names]
    shares = [sum(pair) / (len(human) + len(rest)) for pair in counts]
    if len(human) < MIN_RATED or any(rated < 2 or unrated < 2 for rated, unrated in counts):
        alone = _interval([human.mean()] if len(human) else [], [0.0], [1.0], 0, within)
        reason = f"{len(human)} rated texts; at least {MIN_RATED} are needed, 2 of each label"
        return PoweredMean(alone, alone, None, len(rest), None, reason)
    parts = [
        (human[strata == name], metric[strata == name], rest[rest_strata == name]) for name in names
    ]
    weight = _best_weight(parts, shares)
    estimates = []
    for factor in (0.0, weight):
        means = [float((y - factor * f).mean() + factor * g.mean()) for y, f, g in parts]
        variances = [
            float((y - factor * f).var(ddof=1) / len(y) + factor**2 * g.var(ddof=1) / len(g))
            for y, f, g in parts
        ]
        freedom = len(human) - len(parts)
        estimates.append(_interval(means, variances, shares, freedom, within, len(human)))
    alone, powered = estimates
    widths = [(each.high or 0.0) - (each.low or 0.0) for each in estimates]
    saved = 1 - widths[1] / widths[0] if widths[0] > 0 else 0.0
    return PoweredMean(alone, powered, weight, len(rest), saved)


def _best_weight(parts: Sequence[tuple[Array, Array, Array]], shares: Sequence[float]) -> float:
    """Return the metric's weight that makes the variance smallest, between 0 and its full slope."""
    above = below = 0.0
    for (human, metric, rest), share in zip(parts, shares, strict=True):
        together = float(np.cov(human, metric, ddof=1)[0, 1])
        above += share**2 * together / len(human)
        below += share**2 * (
            float(metric.var(ddof=1)) / len(metric) + float(rest.var(ddof=1)) / len(rest)
        )
    return above / below if below > 0 else 0.0


def _interval(
    means: Sequence[float],
    variances: Sequence[float],
    shares: Sequence[float],
    freedom: int,
    within: tuple[float, float],
    n: int = 0,
) -> Interval:
    """Combine strata by their shares; no limits without degrees of freedom."""
    if not means:
        return Interval(None, None, None, 0)
    mean = sum(s * m for s, m in zip(shares, means, strict=True))
    if freedom < 1:
        return Interval(mean, None, None, n)
    error = math.sqrt(sum(s**2 * v for s, v in zip(shares, variances, strict=True)))
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Interval(mean, max(within[0], mean - half), min(within[1], mean + half), n)
