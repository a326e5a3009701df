"""What a method's tensors are to the rows of a batch: members at their coordinates.

Everything trainable has seed and vertex axes in front, and every row has coordinates on them.
Batches are seed-major: the rows of seed 0, then those of seed 1, and so on, equally many.  What is
in force travels in a context variable, so threads may share one adapted model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor, nn

MIX: ContextVar[Mix | None] = ContextVar("peftcore_mix", default=None)


def slot(name: str) -> str:
    """The share of an adapter that a tensor belongs to: its layer, the head, or the rest.

    What draws a point of its own where coordinates are drawn by layer: "key:encoder.block.0.…" is
    in "encoder.block.0", and head and head_bias go together.
    """
    if name.startswith("head"):
        return "head"
    found = re.match(r"\D*\d+", name.rpartition(":")[2])
    return found.group() if found else ""


class Mix:
    """Effective tensors (s, v, …), and where each row sits on them: coords (s, r, v), sums of one.

    s seeds, r rows per seed, v vertices.  Members of other seeds are never touched.  With a slot
    axis in front, (l, s, r, v), each slot of `slots` has a point of its own.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], coords: Tensor, slots: Sequence[str] = ()
    ) -> None:
        self.tensors, self.coords, self.slots = tensors, coords, slots
        self.costs: list[Tensor] = []
        self.real: dict[str, Tensor] = {}  # stack → which positions (n, t) are not padding
        self.notes: dict[str, Tensor] | None = None  # None: nobody asked
        self._seen: dict[tuple[str, int], Tensor] = {}

    def add(self, cost: Tensor) -> None:
        """Count a cost of each row (n,) in the training loss, beside the task's own."""
        self.costs.append(cost)

    def note(self, name: str, value: Tensor) -> None:
        """Keep what a method computed on the way, if somebody asked for it."""
        if self.notes is not None:
            self.notes[name] = value.detach()

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def __call__(self, name: str, n: int) -> Tensor:
        """(s, v, …) → (n, …): what each row uses; beams repeat every row n / (s r) times."""
        if (name, n) not in self._seen:  # asked for again at every step of a generation
            self._seen[name, n] = self._rows(self.tensors[name], n, self.of(name))
        return self._seen[name, n]

    def of(self, name: str) -> Tensor:
        """The coordinates (s, r, v) at which this tensor is mixed."""
        return self.coords[self.slots.index(slot(name))] if self.coords.dim() == 4 else self.coords

    def _rows(self, stacked: Tensor, n: int, coords: Tensor) -> Tensor:
        s, v = stacked.shape[:2]
        if v == 1:
            return stacked.expand(s, n // s, *stacked.shape[2:]).flatten(0, 1)
        coords = coords.to(stacked.dtype)
        mixed = torch.bmm(coords, stacked.flatten(2)).view(-1, *stacked.shape[2:])
        return mixed.repeat_interleave(n // len(mixed), 0)

    def linear(self, x: Tensor, name: str) -> Tensor:
        """x (n, …, i) times each row's matrix (i, o) → (n, …, o)."""
        weight = self._matrices(name, x)
        product = torch.bmm(x.reshape(len(weight), -1, x.shape[-1]), weight)
        return product.view(*x.shape[:-1], -1)

    def added(
        self, out: Tensor, x: Tensor, name: str, start: int = 0, scale: float = 1.0
    ) -> Tensor:
        """Out (n, …, w) plus scale x times each row's matrix, as its columns from start on."""
        weight = self._matrices(name, x)
        if weight.shape[-1] < out.shape[-1]:
            return out + self.placed(self.linear(x, name) * scale, start, out.shape[-1])
        flat, rows = (t.reshape(len(weight), -1, t.shape[-1]) for t in (out, x))
        return torch.baddbmm(flat, rows, weight, alpha=scale).view_as(out)  # adds on the way

    def _matrices(self, name: str, x: Tensor) -> Tensor:
        """The matrices of all seeds (s, i, o), or of all rows (n, i, o) where vertices mix."""
        stacked = self.tensors[name]
        return (stacked[:, 0] if stacked.shape[1] == 1 else self(name, len(x))).to(x.dtype)

    @staticmethod
    def placed(change: Tensor, start: int, width: int) -> Tensor:
        """Change (…, c) as columns [start, start + c) of zeros (…, width)."""
        if change.shape[-1] == width:
            return change  # without a copy
        return nn.functional.pad(change, (start, width - start - change.shape[-1]))
