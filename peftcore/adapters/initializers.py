"""Initial values of adapters, one generator per seed.

A seed draws the same values whichever seeds ride along, which is half of what makes one pass over
many seeds equal to many passes.  Tensors come out as (s, v, …): seeds, vertices, shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

import torch
from torch import Tensor


class SeededInitializer:
    """Draws for these seeds; on the device "meta" nothing is allocated and only shapes are true."""

    def __init__(self, seeds: Sequence[int], vertices: int, device: str = "cpu") -> None:
        self.seeds, self.vertices, self.device = list(seeds), vertices, device
        self._rngs = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    @property
    def shared(self) -> SeededInitializer:
        """The same generators, for tensors (s, 1, …) that the vertices of a seed have in common."""
        other = copy(self)
        other.vertices = 1
        return other

    def _per_seed(
        self, shape: tuple[int, ...], make: Callable[[torch.Generator, tuple[int, ...]], Tensor]
    ) -> Tensor:
        if self.device == "meta":
            return torch.empty(len(self.seeds), self.vertices, *shape, device="meta")
        return torch.stack([make(rng, (self.vertices, *shape)) for rng in self._rngs])

    def normal(self, *shape: int, std: float) -> Tensor:
        """Gaussian values of this standard deviation."""
        return self._per_seed(shape, lambda rng, full: torch.randn(full, generator=rng) * std)

    def constant(self, *shape: int, value: float) -> Tensor:
        """The same value everywhere."""
        return self._per_seed(shape, lambda rng, full: torch.full(full, value))

    def sample_rows(self, table: Tensor, count: int) -> Tensor:
        """`count` random rows of a table (rows, d), without repetition where it has enough."""

        def make(rng: torch.Generator, full: tuple[int, ...]) -> Tensor:
            repeats = -(-count // len(table))
            picks = [
                torch.cat([torch.randperm(len(table), generator=rng) for _ in range(repeats)])[
                    :count
                ]
                for _ in range(self.vertices)
            ]
            return table.detach().cpu().float()[torch.stack(picks)]

        return self._per_seed((count, table.shape[1]), make)

    def repeat_values(self, values: Tensor) -> Tensor:
        """The given values for every member."""
        return self._per_seed(
            tuple(values.shape),
            lambda rng, full: values.detach().cpu().float().expand(full).clone(),
        )
