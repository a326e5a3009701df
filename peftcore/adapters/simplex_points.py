"""Points of the simplexes: random, middle, corners, grids.  Coordinates are (s, r, v).

Uniform on the simplex: independent Exp(1) draws divided by their sum (a flat Dirichlet), as in
arXiv:2102.10472 and arXiv:2310.15793.  Each seed draws from a generator of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def random_points(
    seeds: Sequence[int], rows: int, vertices: int, salt: int, layers: int = 0
) -> Tensor:
    """Uniform points (s, rows, v); the same for a seed whichever seeds ride along.

    salt: what tells the draws of a seed apart, such as the step.  layers: with any, each has points
    of its own, (layers, s, rows, v).
    """
    if vertices == 1:
        return torch.ones(len(seeds), rows, 1)
    exponentials = []
    for seed in seeds:
        rng = torch.Generator().manual_seed((seed * 1_000_003 + salt) % 2**63)
        exponentials.append(torch.empty(max(1, layers), rows, vertices).exponential_(generator=rng))
    points = torch.stack(exponentials, 1)
    points = points / points.sum(-1, keepdim=True)
    return points if layers else points[0]


def validation_salt(step: int, copy: int, at: int) -> int:
    """What tells a validation draw apart: never a training step's, which are not negative.

    copy: number of the copy of dev.  at: position of the first example of the pass.
    """
    return -1 - (step * 1000 + copy) * 1000 - at


def vertex_coords(seeds: int, index: int, vertices: int) -> Tensor:
    """The coordinates (s, 1, v) of one corner."""
    return torch.eye(vertices)[index].expand(seeds, 1, vertices)


def face_grid(seeds: int, face: tuple[int, int, int], steps: int, vertices: int) -> Tensor:
    """An even grid (s, (steps + 1)(steps + 2) / 2, v) over the face of three corners."""
    points = [
        (i / steps, j / steps, (steps - i - j) / steps)
        for i in range(steps + 1)
        for j in range(steps + 1 - i)
    ]
    coords = torch.zeros(len(points), vertices)
    coords[:, list(face)] = torch.tensor(points)
    return coords.expand(seeds, -1, -1)
