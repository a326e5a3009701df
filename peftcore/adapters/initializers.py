"""Initial values of adapters, with one random generator per seed.

A seed samples the same values whichever other seeds are trained along with it; this is half of what
makes one pass over many seeds equal to many passes. Tensors come out as (s, v, …): seeds, vertices,
shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

import torch
from torch import Tensor


class SeededInitializer:
    """Source of initial values (s, v, …); on the device "meta" of shapes alone."""

    def __init__(self, seeds: Sequence[int], vertices: int, device: str = "cpu") -> None:
        """Make one generator for each seed."""
        self.seeds, self.vertices, self.device = list(seeds), vertices, device
        self._rngs = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    @property
    def shared(self) -> SeededInitializer:
        """The same generators for tensors (s, 1, …) that a seed's vertices share."""
        other = copy(self)
        other.vertices = 1
        return other

    def _per_seed(
        self, shape: tuple[int, ...], make: Callable[[torch.Generator, tuple[int, ...]], Tensor]
    ) -> Tensor:
        """Stack make(generator, (v, *shape)) over the seeds: (s, v, *shape)."""
        if self.device == "meta":
            return torch.empty(len(self.seeds), self.vertices, *shape, device="meta")
        return torch.stack([make(rng, (self.vertices, *shape)) for rng in self._rngs])

    def normal(self, *shape: int, std: float) -> Tensor:
        """Sample Gaussian values (s, v, …), the given shape at the end, mean 0 and this std."""
        return self._per_seed(shape, lambda rng, full: torch.randn(full, generator=rng) * std)

    def constant(self, *shape: int, value: float) -> Tensor:
        """Fill a tensor (s, v, …) of this shape at the end with one value."""
        return self._per_seed(shape, lambda rng, full: torch.full(full, value))

    def sample_rows(self, table: Tensor, count: int) -> Tensor:
        """Sample `count` rows of a table (rows, d) for each member: (s, v, count, d).

        A row is repeated only where the table has fewer than `count`.

        A row is repeated only where the table has fewer than `count`.
        """

        def make(rng: torch.Generator, full: tuple[int, ...]) -> Tensor:
            """Sample the rows of one seed: (v, count, d)."""
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
        """Repeat the given values (…) for every member: (s, v, …)."""
        return self._per_seed(
            tuple(values.shape),
            lambda rng, full: values.detach().cpu().float().expand(full).clone(),
        )
