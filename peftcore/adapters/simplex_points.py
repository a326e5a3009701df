"""Points on simplexes as coordinates (s, r, v): random, vertices, grids.

A uniform point is made of independent Exp(1) samples divided by their sum (a flat Dirichlet), as in
arXiv:2102.10472 and arXiv:2310.15793. Each seed samples from a generator of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def random_points(
    seeds: Sequence[int], rows: int, vertices: int, salt: int, layers: int = 0
) -> Tensor:
    """Sample uniform points (s, rows, v), the same for a seed whichever other seeds there are.

    salt tells the samples of one seed apart, such as the step. With layers > 0 each layer has
    points of its own, (layers, s, rows, v).
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
    """Return the salt of a validation sample; negative, so it never equals a training step's.

    copy is the number of the copy of dev, at the position of the pass's first example.
    """
    return -1 - (step * 1000 + copy) * 1000 - at


def vertex_coords(seeds: int, index: int, vertices: int) -> Tensor:
    """Return the coordinates (s, 1, v) of one vertex."""
    return torch.eye(vertices)[index].expand(seeds, 1, vertices)
