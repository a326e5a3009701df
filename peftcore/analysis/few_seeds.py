"""What a handful of seeds can carry: limits of their mean, and seeds that fall into two groups.

Student's t holds where seeds are near normal. Where they are skewed it misses on the side of the
longer tail, so limits there reach as far as Hall's transformed t says (Hall, J. R. Statist. Soc. B
54, 1992), but never less far than Student's nor more than half as far again. That needs seeds that
show their tail, which few do not, so below 20 of them standard errors are widened. Where one seed
in a few fails outright no interval of the mean covers, and the mean is the wrong summary: such
seeds are recognised by the gap between them, and counted instead. How often limits cover is
simulated in `coverage`; the README here has the table.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis.resampling import LEVEL

Array = NDArray[np.float64]
MANY_SEEDS = 20  # from so many on the interval of a mean covers, even if one seed in five fails
SKEW_SEEDS = 4  # fewer show no skewness
WIDENING = 2.3  # a standard error of 5 seeds is 1.35 times as large then, of 8 1.17 times
LONGEST = 1.5  # times Student's t: the skewness of four or five seeds is mostly chance
FALSE_ALARM = 0.05  # share of normal samples of seeds in which two groups are seen
CALIBRATION = 10_000  # normal samples behind a critical gap
LARGEST_CALIBRATED = 60  # with more seeds the critical gap of so many is used


@dataclass(frozen=True)
class SeedGroups:
    """Values of n seeds in two groups, `above` of them over a round number in the gap between."""

    above: int
    n: int
    threshold: float

    def __str__(self) -> str:
        """Return the counts in words."""
        return f"two groups of seeds: {self.above} of {self.n} above {self.threshold:g}"


def groups_of_scores(values: Array, within: tuple[float, float]) -> SeedGroups | None:
    """Return the two groups of scores (n,) whose smallest and largest value there can be is known.

    A hundredth of that range is spread that is always there: seeds that tie are no group.
    """
    size = within[1] - within[0]
    return find_groups(values, size / 100 if math.isfinite(size) else 0.0)


def find_groups(values: Array, floor: float = 0.0) -> SeedGroups | None:
    """Return the two groups into which seeds (n,) fall, None where they do not.

    The gap between neighbours is compared with the spread within the groups on both its sides,
    and counts where only one normal sample in twenty has one so wide. floor: the spread that is
    always taken to be there, as of one item's worth.
    """
    seen = np.sort(values[np.isfinite(values)])
    n = len(seen)
    if n < 3 or seen[0] == seen[-1]:
        return None
    gaps, spreads = _splits(seen[None])
    sizes = gaps[0] / np.sqrt(spreads[0] + max(floor, 1e-9 * abs(seen).max()) ** 2)
    widest = int(sizes.argmax())
    if sizes[widest] <= _critical_gap(min(n, LARGEST_CALIBRATED)):
        return None
    threshold = round_between(float(seen[widest]), float(seen[widest + 1]))
    return SeedGroups(n - widest - 1, n, threshold)


def _splits(ordered: Array) -> tuple[Array, Array]:
    """Return for ordered samples (b, n) each gap (b, n − 1), and the variance within its sides."""
    n = ordered.shape[1]
    below = np.arange(1, n)  # seeds on the lower side
    centred = ordered - ordered.mean(1, keepdims=True)
    sums, squares = centred.cumsum(1), (centred**2).cumsum(1)
    lower = squares[:, :-1] - sums[:, :-1] ** 2 / below
    rest = sums[:, -1:] - sums[:, :-1]
    upper = squares[:, -1:] - squares[:, :-1] - rest**2 / (n - below)
    return np.diff(ordered, axis=1), np.maximum(lower + upper, 0.0) / (n - 2)


@functools.cache
def _critical_gap(n: int) -> float:
    """Return the gap, in spreads within groups, that one normal sample of n in twenty exceeds."""
    samples = np.sort(np.random.default_rng(n).normal(size=(CALIBRATION, n)), 1)
    gaps, spreads = _splits(samples)
    widest = (gaps / np.sqrt(np.maximum(spreads, 1e-18))).max(1)
    return float(np.quantile(widest, 1 - FALSE_ALARM))


def round_between(low: float, high: float) -> float:
    """Return the number with the fewest digits between two, near their middle."""
    middle = (low + high) / 2
    for digits in range(-math.floor(math.log10(high - low)) - 1, 17):
        rounded = round(middle, digits)
        if low < rounded < high:
            return rounded + 0.0  # -0.0 becomes 0.0
    return middle


def skewness_of_mean(values: Array) -> float:
    """Return the skewness that the mean of independent values (n,) has, from their own."""
    n = len(values)
    centred = values - values.mean()
    spread = float((centred**2).mean())
    if n < SKEW_SEEDS or spread <= (1e-9 * float(abs(values).max())) ** 2:
        return 0.0
    return float((centred**3).mean()) / spread**1.5 / math.sqrt(n)


def widening(seeds: int) -> float:
    """Return by how much the standard error of a mean is too small for so many seeds.

    Chosen so that limits cover the mean of exponential seeds (skewness 2) in 93 %, and of normal
    ones in no more than 98.5 %.
    """
    return 1 + WIDENING * max(0.0, 1 / seeds - 1 / MANY_SEEDS)


def error_factor(seeds: int, own: float, noise: float = 0.0, lean: float = 1.0) -> float:
    """Return by how much to widen a standard error of which the seeds are a part.

    own: the seeds' share of the variance. noise: what share of that is the noise of answers, which
    is near normal and counts by half. lean: how skewed it may be at most, `lean_of_difference`.
    """
    more = (widening(seeds) ** 2 - 1) * min(1.0, own) * (1 - noise / 2) * lean
    return math.sqrt(1 + more)


def lean_of_difference(first: Array, second: Array) -> float:
    """Return how skewed a difference of two runs' seeds can be, against one run's: 0 to 1.

    What both have of a long tail cancels: runs whose seeds (n,) vary alike differ symmetrically,
    while the difference to a run that hardly varies is as skewed as the other.
    """
    if min(len(first), len(second)) < 2:
        return 1.0
    one, other = float(first.var(ddof=1)), float(second.var(ddof=1))
    if one + other == 0:
        return 0.0
    return abs(one**1.5 - other**1.5) / (one + other) ** 1.5


def mean_limits(
    mean: float, error: float, freedom: float, skewness: float = 0.0
) -> tuple[float, float]:
    """Return 95 % limits of a mean with a standard error and the skewness of the mean."""
    t = float(special.stdtrit(freedom, (1 + LEVEL) / 2))
    above, below = (
        min(max(t, abs(_with_skew(side * t, skewness))), LONGEST * t) for side in (1, -1)
    )
    return mean - above * error, mean + below * error


def _with_skew(t: float, skewness: float) -> float:
    """Return the standardised error whose transform, free of skewness, is t (Hall's g inverse)."""
    if abs(skewness) < 1e-6:
        return t
    return 3 / skewness * (math.cbrt(1 + skewness * (t - skewness / 6)) - 1)


def without_skew(error: float, skewness: float) -> float:
    """Return a standardised error (mean − truth) / standard error as Student's t may judge it.

    It is Hall's transform where that is nearer to zero, but at most by the factor that limits keep
    to: a truth is rejected exactly where it lies outside `mean_limits`.
    """
    free = error + skewness * error**2 / 3 + skewness**2 * error**3 / 27 + skewness / 6
    size = min(abs(error), max(free if error > 0 else -free, abs(error) / LONGEST))
    return math.copysign(size, error)
