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

ACTIVE_MIXTURE: ContextVar[MemberMixture | None] = ContextVar("peftcore_mix", default=None)


def layer_key(name: str) -> str:
    """The share of an adapter that a tensor belongs to: its layer, the head, or the rest.

    What draws a point of its own where coordinates are drawn by layer: "key:encoder.block.0.…" is
    in "encoder.block.0", and head and head_bias go together.
    """
    if name.startswith("head"):
        return "head"
    match = re.match(r"\D*\d+", name.rpartition(":")[2])
    return match.group() if match else ""


class MemberMixture:
    """Effective tensors (s, v, …), and where each row sits on them: coords (s, r, v), sums of one.

    s seeds, r rows per seed, v vertices.  Members of other seeds are never touched.  With a slot
    axis in front, (l, s, r, v), each slot of `slots` has a point of its own.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], coords: Tensor, layer_keys: Sequence[str] = ()
    ) -> None:
        self.tensors, self.coords, self.layer_keys = tensors, coords, layer_keys
        self.costs: list[Tensor] = []
        self.token_masks: dict[str, Tensor] = {}  # stack → which positions (n, t) are not padding
        self.notes: dict[str, Tensor] | None = None  # None: nobody asked
        self._cached_rows: dict[tuple[str, int], Tensor] = {}

    def add_cost(self, cost: Tensor) -> None:
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
        if (name, n) not in self._cached_rows:  # asked for again at every step of a generation
            self._cached_rows[name, n] = self._mix_rows(
                self.tensors[name], n, self.coords_for(name)
            )
        return self._cached_rows[name, n]

    def coords_for(self, name: str) -> Tensor:
        """The coordinates (s, r, v) at which this tensor is mixed."""
        return (
            self.coords[self.layer_keys.index(layer_key(name))]
            if self.coords.dim() == 4
            else self.coords
        )

    def _mix_rows(self, stacked: Tensor, n: int, coords: Tensor) -> Tensor:
        s, v = stacked.shape[:2]
        if v == 1:
            return stacked.expand(s, n // s, *stacked.shape[2:]).flatten(0, 1)
        coords = coords.to(stacked.dtype)
        mixed = torch.bmm(coords, stacked.flatten(2)).view(-1, *stacked.shape[2:])
        return mixed.repeat_interleave(n // len(mixed), 0)

    def linear_output(self, x: Tensor, name: str) -> Tensor:
        """x (n, …, i) times each row's matrix (i, o) → (n, …, o)."""
        weight = self._weight_matrices(name, x)
        product = torch.bmm(x.reshape(len(weight), -1, x.shape[-1]), weight)
        return product.view(*x.shape[:-1], -1)

    def add_linear_output(
        self, out: Tensor, x: Tensor, name: str, start: int = 0, scale: float = 1.0
    ) -> Tensor:
        """Out (n, …, w) plus scale x times each row's matrix, as its columns from start on."""
        weight = self._weight_matrices(name, x)
        if weight.shape[-1] < out.shape[-1]:
            return out + self.pad_columns(self.linear_output(x, name) * scale, start, out.shape[-1])
        flat, rows = (t.reshape(len(weight), -1, t.shape[-1]) for t in (out, x))
        return torch.baddbmm(flat, rows, weight, alpha=scale).view_as(out)  # adds on the way

    def _weight_matrices(self, name: str, x: Tensor) -> Tensor:
        """The matrices of all seeds (s, i, o), or of all rows (n, i, o) where vertices mix."""
        stacked = self.tensors[name]
        return (stacked[:, 0] if stacked.shape[1] == 1 else self(name, len(x))).to(x.dtype)

    @staticmethod
    def pad_columns(change: Tensor, start: int, width: int) -> Tensor:
        """Change (…, c) as columns [start, start + c) of zeros (…, width)."""
        if change.shape[-1] == width:
            return change  # without a copy
        return nn.functional.pad(change, (start, width - start - change.shape[-1]))
