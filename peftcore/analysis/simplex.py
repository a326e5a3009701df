"""Points of a simplex and of planes through adapters, and statistics of losses at them.

A point is a row of weights on vertices (v,) that sum to one; weights below zero lie outside the
simplex. Everything here is arithmetic on such weights and on losses: adapters themselves do not
occur, only the inner products of the vertices.

Axes: p points, v vertices.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

Array = NDArray[np.float64]
CENTROID = "c"  # how the middle is named among corners, which are numbers
HEIGHT = math.sqrt(3) / 2  # of a triangle of side one


def triangle_lattice(steps: int, beyond: int = 0) -> Array:
    """Return even points (p, 3) of a triangle by weights, `beyond` steps past every side too.

    The vertices are always among them, the centroid if steps is a multiple of three.
    """
    reach = range(-beyond, steps + 2 * beyond + 1)
    points = [(i, j, steps - i - j) for i in reach for j in reach if steps - i - j >= -beyond]
    return np.array(points, dtype=float) / steps


def corner_weights(name: str, vertices: int) -> Array:
    """Return the weights (v,) of a vertex by number, or of the centroid."""
    if name == CENTROID:
        return np.full(vertices, 1 / vertices)
    return np.eye(vertices)[int(name)]


def face_to_vertex_weights(weights: Array, face: Sequence[str], vertices: int) -> Array:
    """Convert weights on a face's vertices (p, 3) to weights on all vertices (p, v)."""
    return weights @ np.stack([corner_weights(name, vertices) for name in face])


def triangle_coords(weights: Array) -> Array:
    """Return x, y (p, 2) of weights (p, 3) in an equilateral triangle of side one."""
    return np.stack([weights[:, 1] + weights[:, 2] / 2, weights[:, 2] * HEIGHT], 1)


def faces(vertices: int) -> list[tuple[str, str, str]]:
    """List every face of three vertices; with two vertices none."""
    return [(str(a), str(b), str(c)) for a, b, c in itertools.combinations(range(vertices), 3)]


def edges(vertices: int) -> list[tuple[str, str]]:
    """List edges from vertex to vertex, then centroid to vertex; with one vertex none."""
    if vertices == 1:
        return []
    pairs = [(str(a), str(b)) for a, b in itertools.combinations(range(vertices), 2)]
    return pairs + [(CENTROID, str(a)) for a in range(vertices)]


def line_points(start: Array, end: Array, steps: int, beyond: int = 0) -> tuple[Array, Array]:
    """Return shares of the way t (p,) from one point to another, and the weights (p, v)."""
    t = np.arange(-beyond, steps + beyond + 1) / steps
    return t, start + t[:, None] * (end - start)


def barrier(t: Array, losses: Array) -> float:
    """Return how far losses (p,) rise above the straight line between t = 0 and t = 1."""
    inside = (t >= 0) & (t <= 1)
    first, last = losses[np.argmin(np.abs(t))], losses[np.argmin(np.abs(t - 1))]
    rise = losses[inside] - (first + t[inside] * (last - first))
    return float(max(0.0, rise.max()))


@dataclass(frozen=True)
class FaceSuggestion:
    """A face to look at, and why."""

    reason: str  # "best", "worst" or "most curved"
    face: tuple[str, str, str]
    value: float


def suggest_faces(
    vertex_losses: Sequence[float], middles: dict[tuple[str, str, str], float]
) -> list[FaceSuggestion]:
    """Suggest the faces with the lowest, the highest and the most curved loss in the middle.

    Curved: the loss in the middle is farthest from the mean of its three vertices.
    """
    if not middles:
        return []
    bends = {
        face: abs(float(np.mean([vertex_losses[int(name)] for name in face])) - middle)
        for face, middle in middles.items()
    }
    low, high = min(middles, key=middles.__getitem__), max(middles, key=middles.__getitem__)
    bent = max(bends, key=bends.__getitem__)
    return [
        FaceSuggestion("best", low, middles[low]),
        FaceSuggestion("worst", high, middles[high]),
        FaceSuggestion("most curved", bent, bends[bent]),
    ]


@dataclass(frozen=True)
class AdapterPlane:
    """A plane among adapters: middle and two directions as weights on vertices.

    A point (x, y) has weights middle + x first + y second; the directions have length one and are
    orthogonal in the space of the adapters, so distances in the plane are true.
    """

    middle: Array  # (v,), sums to one
    first: Array  # (v,), sums to zero
    second: Array
    shares: tuple[float, float]  # of the corners' spread along each direction

    def weights(self, at: Array) -> Array:
        """Return the weights (p, v) of points (p, 2)."""
        return self.middle + at[:, :1] * self.first + at[:, 1:] * self.second

    def project(self, gram: Array, weights: Array) -> Array:
        """Project points given by weights (p, v) on the plane (p, 2)."""
        apart = weights - self.middle
        return np.stack([apart @ gram @ self.first, apart @ gram @ self.second], 1)


def main_plane(gram: Array) -> AdapterPlane:
    """Fit the plane in which vertices with these inner products (v, v) spread most.

    It goes through their mean along their first two principal directions.
    """
    v = len(gram)
    centre = np.eye(v) - 1 / v
    values, vectors = np.linalg.eigh(centre @ gram @ centre)
    total = values.clip(0).sum()
    directions, shares = [], []
    for nth in (1, 2):
        value = max(float(values[-nth]), 0.0) if nth <= v else 0.0
        if value <= 1e-12 * max(1.0, total):
            raise ValueError("the corners lie on a line: a plane needs three that do not")
        vector = vectors[:, -nth]
        vector = vector * math.copysign(1.0, vector[np.abs(vector).argmax()])  # the same every time
        directions.append(centre @ vector / math.sqrt(value))
        shares.append(value / total)
    return AdapterPlane(np.full(v, 1 / v), directions[0], directions[1], (shares[0], shares[1]))


def plane_through(gram: Array, corners: tuple[int, int, int] = (0, 1, 2)) -> AdapterPlane:
    """Return the plane through three vertices, from inner products (v, v).

    The origin is the first vertex; the second lies on the first direction.
    """
    a, b, c = (np.eye(len(gram))[k] for k in corners)

    def inner(x: Array, y: Array) -> float:
        """Return the inner product of two weight vectors (v,)."""
        return float(x @ gram @ y)

    first = b - a
    first = first / math.sqrt(max(inner(first, first), 1e-30))
    second = (c - a) - inner(c - a, first) * first
    length = inner(second, second)
    if length <= 1e-12 * max(1.0, inner(c - a, c - a)):
        raise ValueError("the three adapters lie on a line: a plane needs three that do not")
    spread = inner(b - a, b - a) + inner(c - a, c - a)
    along = (inner(b - a, b - a) + inner(c - a, first) ** 2) / spread
    return AdapterPlane(a, first, second / math.sqrt(length), (along, 1 - along))


def plane_grid(at: Array, steps: int, margin: float = 0.25) -> Array:
    """Return an even grid (p, 2) around points (n, 2), `margin` of their extent past them."""
    low, high = at.min(0), at.max(0)
    extent = np.maximum(high - low, 1e-9)
    x, y = (
        np.linspace(low[k] - margin * extent[k], high[k] + margin * extent[k], steps + 1)
        for k in (0, 1)
    )
    return np.stack([grid.ravel() for grid in np.meshgrid(x, y)], 1)


def raster(at: Array, values: Array, size: int = 61) -> tuple[Array, Array, Array]:
    """Rasterise values at scattered points: x (size,), y (size,), z (size, size).

    Linear between neighbours; nan outside the points. Points without a value are left out.
    """
    known = np.isfinite(values)
    at, values = at[known], values[known]
    if not _spread_out(at):
        return np.empty(0), np.empty(0), np.empty((0, 0))
    x, y = (np.linspace(at[:, k].min(), at[:, k].max(), size) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y), -1)
    # A hair of slack, so that points on the border are not lost to rounding.
    middle = at.mean(0)
    return x, y, LinearNDInterpolator(middle + (at - middle) * (1 + 1e-9), values)(grid)


def _spread_out(at: Array) -> bool:
    """Return whether points (p, 2) span a plane."""
    return len(at) > 2 and np.linalg.matrix_rank(at - at[0], tol=1e-9) == 2


def triangles(at: Array) -> NDArray[np.intp]:
    """Triangulate points (p, 2): the numbers of each triangle's points (t, 3)."""
    if not _spread_out(at):
        return np.empty((0, 3), dtype=np.intp)
    low, high = at.min(0), at.max(0)
    corners = Delaunay((at - low) / (high - low)).simplices.astype(np.intp)
    a, b, c = (at[corners[:, k]] for k in range(3))
    first, second = b - a, c - a
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    return corners[area > 1e-3 * np.median(area)]  # rounding makes slivers along straight rims


def subdivide_triangles(points: Array, corners: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
    """Add all sides' midpoints to points (p, k), and cut every triangle (t, 3) in four."""
    sides = np.sort(corners[:, [[0, 1], [1, 2], [2, 0]]], -1)
    kinds, which = np.unique(sides.reshape(-1, 2), axis=0, return_inverse=True)
    a, b, c = corners.T
    ab, bc, ca = (which.reshape(-1, 3) + len(points)).T
    four = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    whole = np.concatenate([points, points[kinds].mean(1)])
    return whole, np.concatenate([np.stack(one, 1) for one in four])


def lowest_row(frame: pd.DataFrame, value: str = "loss", highest: bool = False) -> int | None:
    """Return the row with the lowest value, or the highest; None without any value."""
    known = frame[value].dropna()
    if known.empty:
        return None
    return int(known.idxmax() if highest else known.idxmin())


def bezier_weights(t: Array) -> Array:
    """Return weights (p, 3) on start, bend and end of a quadratic curve at t (p,)."""
    return np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], 1)
