"""Effects of scales on a soft prompt: lengths, distances to words, paths, step factors.

Rows are embeddings (n, d). "Representation gap" has no definition in any text we could read
(arXiv:2309.06759); the measures here are proposals, each of them a comparison of prompt rows with
the embeddings of words. Reading runs is in `labs.scaling.readout`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
TABLE_CHUNK = 8192  # words of a vocabulary that are compared at once
PERMUTATIONS = 999  # random exchanges behind an interval: p has steps of a thousandth


def row_norms(rows: Array) -> Array:
    """Return the Euclidean length of each row (…, d) → (…)."""
    return np.sqrt(np.square(rows.astype(np.float64)).sum(-1))


def best_scales(before: Array, after: Array) -> Array:
    """Return the factor (…) that takes each row (…, d) of `before` nearest to that of `after`.

    Where one number per token is learned this is that number, sign included; for a vector over
    features it is the best single number in its place. nan for a row of zeros.
    """
    x, y = before.astype(np.float64), after.astype(np.float64)
    square = np.square(x).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0, (x * y).sum(-1) / square, np.nan)


@dataclass(frozen=True)
class PermutationResult:
    """A distance between two samples, compared with random exchanges of their rows.

    low and high hold 95 % of the random exchanges; p is the share that reaches the value.
    """

    value: float
    low: float
    high: float
    p: float


def mean_distance(first: Array, second: Array) -> float:
    """Return the distance between the means of two samples of rows (n, d)."""
    return float(row_norms(first.mean(0) - second.mean(0)))


def energy_distance(first: Array, second: Array) -> float:
    """Return 2 E|x − y| − E|x − x'| − E|y − y'|, zero only for equal distributions.

    Samples are rows (n, d). Pairs of a row with itself count, so two equal samples are at zero
    exactly.
    """
    return -_contrast(
        _distances(np.concatenate([first, second])), _contrast_weights(len(first), len(second))
    )


def kernel_distance(first: Array, second: Array) -> float:
    """Return the squared maximum mean discrepancy of two samples of rows (n, d).

    The Gaussian kernel is as wide as the median distance.
    """
    pooled = _distances(np.concatenate([first, second]))
    return _contrast(_gaussian(pooled), _contrast_weights(len(first), len(second)))


def permutation_test(
    first: Array, second: Array, kind: str, permutations: int = PERMUTATIONS, seed: int = 0
) -> PermutationResult:
    """Return the "energy" or "kernel" distance with interval and p of random exchanges."""
    matrix = _distances(np.concatenate([first, second]))
    matrix = -matrix if kind == "energy" else _gaussian(matrix)
    sides = _contrast_weights(len(first), len(second))
    value = _contrast(matrix, sides)
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.tile(sides, (permutations, 1)), axis=1)
    permuted_values = ((shuffled @ matrix) * shuffled).sum(1)
    low, high = np.quantile(permuted_values, (0.025, 0.975))
    reached = int((permuted_values >= value - 1e-12 * abs(value)).sum())
    return PermutationResult(value, float(low), float(high), (reached + 1) / (permutations + 1))


def _contrast_weights(first: int, second: int) -> Array:
    """Return weights whose contrast is a difference of means: 1/n, and −1/m of the second."""
    return np.concatenate([np.full(first, 1 / first), np.full(second, -1 / second)])


def _contrast(matrix: Array, sides: Array) -> float:
    """Return the quadratic form of matrix (n, n) with sides (n,)."""
    return float(sides @ matrix @ sides)


def _distances(rows: Array) -> Array:
    """Return the distance of every pair (n, n), exactly zero between equal rows."""
    from scipy.spatial.distance import cdist  # a tenth of a second to import

    return cdist(rows, rows)


def _gaussian(distances: Array) -> Array:
    """Return the Gaussian kernel (n, n) of distances (n, n)."""
    apart = distances[distances > 0]
    width = float(np.median(apart)) if len(apart) else 1.0
    return np.exp(-np.square(distances / width) / 2)


def nearest_rows(rows: Array, table: Array, count: int = 3) -> tuple[NDArray[np.intp], Array]:
    """Return table positions and cosines, each (n, count), of the words nearest to each row.

    rows (n, d), table (m, d).  Equal cosines stay in the order of the table, which is gone through
    in parts: 50,000 words and a few hundred rows would be a matrix of their own.
    """
    directions = _directions(rows)
    indices: NDArray[np.intp] = np.zeros((len(rows), 0), np.intp)
    cosines: Array = np.zeros((len(rows), 0), directions.dtype)
    for start in range(0, len(table), TABLE_CHUNK):
        part = directions @ _directions(table[start : start + TABLE_CHUNK]).T
        cosines = np.concatenate([cosines, part], 1)
        positions = np.broadcast_to(start + np.arange(part.shape[1]), part.shape)
        indices = np.concatenate([indices, positions], 1)
        best = _largest(cosines, count)
        cosines = np.take_along_axis(cosines, best, 1)
        indices = np.take_along_axis(indices, best, 1)
    return indices, cosines


def _largest(values: Array, count: int) -> NDArray[np.intp]:
    """Return the positions (n, count) of each row's largest values, the largest first.

    Only values that reach the row's count-th largest are sorted; equal ones keep their order.
    """
    count = min(count, values.shape[1])
    limits = -np.partition(-values, count - 1, axis=1)[:, count - 1]
    best = np.empty((len(values), count), np.intp)
    for row, (row_values, limit) in enumerate(zip(values, limits, strict=True)):
        reached = np.flatnonzero(row_values >= limit)
        best[row] = reached[np.argsort(-row_values[reached], kind="stable")[:count]]
    return best


def _directions(rows: Array) -> Array:
    """Scale rows (n, d) to length one; zeros stay."""
    length = row_norms(rows)[..., None]
    return rows / np.where(length > 0, length, 1)


@dataclass(frozen=True)
class RepresentationGap:
    """Distance of prompt rows from words, by every measure."""

    norm_ratio: float  # mean length of a prompt row over that of a word
    mean_distance: float
    energy: PermutationResult
    kernel: PermutationResult
    cosine: float  # mean over tokens, to the nearest word of the vocabulary


@dataclass(frozen=True)
class GapMeasure:
    """A measure of the gap: its name, the value of equal samples, and a sentence."""

    title: str
    value_if_equal: float
    note: str
    value: Callable[[RepresentationGap], float]


MEASURES: dict[str, GapMeasure] = {
    "norm_ratio": GapMeasure(
        "Length, prompt to words",
        1.0,
        "mean length of a soft token over the mean length of a word in the data",
        lambda gap: gap.norm_ratio,
    ),
    "mean_distance": GapMeasure(
        "Distance of means",
        0.0,
        "length of the line from the mean word to the mean soft token",
        lambda gap: gap.mean_distance,
    ),
    "energy": GapMeasure(
        "Energy distance",
        0.0,
        "zero only if soft tokens and words were spread alike",
        lambda gap: gap.energy.value,
    ),
    "kernel": GapMeasure(
        "MMD²",
        0.0,
        "squared maximum mean discrepancy, Gaussian kernel of median width",
        lambda gap: gap.kernel.value,
    ),
    "cosine": GapMeasure(
        "Cosine to nearest word",
        1.0,
        "mean over soft tokens; a positive scale of a whole token cannot change it",
        lambda gap: gap.cosine,
    ),
}


def representation_gap(
    prompt: Array, words: Array, vocabulary: Array, permutations: int = PERMUTATIONS
) -> RepresentationGap:
    """Measure soft tokens (p, d) against words (n, d) and the whole vocabulary."""
    return RepresentationGap(
        float(row_norms(prompt).mean() / row_norms(words).mean()),
        mean_distance(prompt, words),
        permutation_test(prompt, words, "energy", permutations),
        permutation_test(prompt, words, "kernel", permutations),
        float(nearest_rows(prompt, vocabulary, 1)[1].mean()),
    )


def distance_from_start(path: Array) -> Array:
    """Return the distance (t, …) of every row of a path (t, …, d) from its start."""
    return row_norms(path - path[:1])


def path_distance(first: Array, second: Array) -> Array:
    """Return the distance (t, …) between two paths (t, …, d) at each step."""
    return row_norms(first.astype(np.float64) - second)


def length_and_sideways_speeds(path: Array, steps: Sequence[int]) -> tuple[Array, Array]:
    """Return change of length and sideways movement per optimiser step, (t − 1, …) each.

    A move is split along the row's own direction at its start; what is along it only makes the
    token longer (positive) or shorter, which is what a scale can do.
    """
    x = path.astype(np.float64)
    moves, here = np.diff(x, axis=0), _directions(x[:-1])
    along = (moves * here).sum(-1)
    across = row_norms(moves - along[..., None] * here)
    step_counts = np.diff(np.asarray(steps, dtype=float)).reshape(-1, *[1] * (along.ndim - 1))
    return along / step_counts, across / step_counts


def step_factors(
    scale: Array, length: Array, rate_ratio: float, optimiser: str = "sgd"
) -> tuple[Array, Array]:
    """Return how much the scale changes a step of the product: across the token, and along.

    scale and length (…) are those of a token, its vector unscaled; rate_ratio is the scale's
    learning rate over the vector's. For plain gradient descent on the vector P and the scale s the
    product moves by s² g across P and by (s² + ratio |P|²) g along it, to first order, where prompt
    tuning moves by g. An optimiser that divides the gradient by its size ("adamw") keeps only the
    sign of each derivative, so at most |s| and |s| + ratio |P| are left.
    """
    if optimiser == "sgd":
        across = np.square(scale)
        return across, across + rate_ratio * np.square(length)
    across = np.abs(scale)
    return across, across + rate_ratio * length


@dataclass(frozen=True)
class PrincipalPlane:
    """A plane through a set of rows, and each axis's share of their variance."""

    origin: Array  # (d,)
    axes: Array  # (2, d), of length one
    shares: tuple[float, float]

    def project(self, rows: Array) -> Array:
        """Return coordinates (…, 2) of rows (…, d)."""
        return (rows - self.origin) @ self.axes.T


def principal_plane(rows: Array) -> PrincipalPlane:
    """Fit the plane in which rows (n, d) vary most; an axis points to its largest number."""
    x = rows.astype(np.float64)
    origin = x.mean(0)
    _, sizes, axes = np.linalg.svd(x - origin, full_matrices=False)
    top = axes[:2]
    top = top * np.sign(top[np.arange(2), np.abs(top).argmax(1)])[:, None]
    variance = np.square(sizes)
    shares = variance[:2] / max(float(variance.sum()), 1e-300)
    return PrincipalPlane(origin, top, (float(shares[0]), float(shares[1])))


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviation of n seeds with the lowest and highest of them; one seed has none.

    There is no interval of a standard deviation: with skewed seeds the chi-square interval covers
    80 to 90 %, others no better than 92 %, and more seeds do not help.
    """

    deviation: float | None
    lowest: float | None
    highest: float | None
    n: int


def seed_spread(values: Sequence[float]) -> SeedSpread:
    """Return how much the finite values of seeds vary."""
    seen = np.array([v for v in values if v is not None and math.isfinite(v)], dtype=float)
    if len(seen) < 2:
        return SeedSpread(None, None, None, len(seen))
    return SeedSpread(float(seen.std(ddof=1)), float(seen.min()), float(seen.max()), len(seen))
