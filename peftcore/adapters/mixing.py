"""Mix an adapter's members for each row of a batch.

A member is one vertex of one seed. Every trainable tensor has a seed and a vertex axis in front,
(s, v, …), and every row of a batch has coordinates (v,) that say how much of each vertex of its
seed it uses. Batches are seed-major: the rows of seed 0, then those of seed 1, and so on, equally
many. The active mixture travels in a context variable, so threads may share one model.

Axes: s seeds, v vertices, r rows of one seed, n = s r rows of the batch, t tokens, i inputs, o
outputs, l layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from peftcore.models.structure import OutputColumns

ACTIVE_MIXTURE: ContextVar[MemberMixture | None] = ContextVar("peftcore_mix", default=None)


def layer_key(name: str) -> str:
    """Return the part of an adapter that shares one simplex point: a layer, the head, or the rest.

    Used where points are sampled per layer: "key:encoder.block.0.…" belongs to "encoder.block.0";
    head and head_bias belong together; tensors outside the layers share the empty key.
    """
    if name.startswith("head"):
        return "head"
    # The first number of a module path is the layer's, in every architecture.
    match = re.match(r"\D*\d+", name.rpartition(":")[2])
    return match.group() if match else ""


def half_type(x: Tensor) -> torch.dtype | None:
    """Return the type that autocast gives x (n, …) before a product; None if it leaves it alone."""
    kind = x.device.type
    if x.dtype != torch.float32 and not (x.is_floating_point() and x.itemsize == 2):
        return None
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


class MemberMixture:
    """Effective tensors (s, v, …) and the coordinates (s, r, v) at which each row mixes them.

    Coordinates of a row sum to one. Members of other seeds are never mixed. With a layer axis in
    front, coords (l, s, r, v), each of `layer_keys` has a point of its own.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], coords: Tensor, layer_keys: Sequence[str] = ()
    ) -> None:
        """Take tensors (s, v, …) and coords (s, r, v), or (l, s, r, v) per layer key."""
        self.tensors, self.coords, self.layer_keys = tensors, coords, layer_keys
        self.costs: list[Tensor] = []  # each (n,)
        self.token_masks: dict[str, Tensor] = {}  # stack → which positions (n, t) are not padding
        self.notes: dict[str, Tensor] | None = None  # None: notes are not kept
        self._cached_rows: dict[tuple[str, int], Tensor] = {}
        self._wide: Tensor | None = None  # what was converted last, and what it became
        self._narrow: Tensor | None = None

    @property
    def rows(self) -> int:
        """Number of rows n that have coordinates; beam search multiplies it."""
        return self.coords.shape[-3] * self.coords.shape[-2]

    def add_cost(self, cost: Tensor) -> None:
        """Add a cost of each row (n,) to the training loss, beside the task's own."""
        self.costs.append(cost)

    def note(self, name: str, value: Tensor) -> None:
        """Keep an intermediate value (n, …) under this name if notes were asked for."""
        if self.notes is not None:
            self.notes[name] = value.detach()  # a note must not keep the graph alive

    def narrow(self, x: Tensor) -> Tensor:
        """Return x (n, …) as products read it under autocast; who reads it next shares that."""
        dtype = half_type(x)
        if dtype is None or x.dtype == dtype:
            return x
        if self._narrow is None or self._wide is not x:
            self._wide, self._narrow = x, x.to(dtype)
        return self._narrow

    def __contains__(self, name: str) -> bool:
        """Return whether the adapter has a tensor of this name."""
        return name in self.tensors

    def __call__(self, name: str, n: int) -> Tensor:
        """Return the mixed tensor of each row: (s, v, …) → (n, …).

        In beam search n is a multiple of s r, and every row is repeated n / (s r) times.
        """
        # Generation reads the same tensors at every step, so they are mixed once for each n.
        if (name, n) not in self._cached_rows:
            self._cached_rows[name, n] = self._mix_rows(
                self.tensors[name], n, self.coords_for(name)
            )
        return self._cached_rows[name, n]

    def coords_for(self, name: str) -> Tensor:
        """Return the coordinates (s, r, v) at which this tensor is mixed."""
        return (
            self.coords[self.layer_keys.index(layer_key(name))]  # (s, r, v) of (l, s, r, v)
            if self.coords.dim() == 4
            else self.coords
        )

    def _mix_rows(self, stacked: Tensor, n: int, coords: Tensor) -> Tensor:
        """Mix stacked (s, v, …) at coords (s, r, v) and repeat rows up to n: (n, …)."""
        s, v = stacked.shape[:2]
        if v == 1:  # nothing to mix, and the result is bit for bit the tensor itself
            return stacked.expand(s, n // s, *stacked.shape[2:]).flatten(0, 1)  # (n, …)
        coords = coords.to(stacked.dtype)
        # One product per seed, so members of other seeds cannot enter, not even with weight zero.
        mixed = torch.bmm(coords, stacked.flatten(2)).view(-1, *stacked.shape[2:])  # (s r, …)
        # Beam search repeats rows next to each other, in the order of the rows before.
        return mixed.repeat_interleave(n // len(mixed), 0)  # (n, …)

    def linear_output(self, x: Tensor, name: str) -> Tensor:
        """Multiply x (n, …, i) by each row's own matrix (i, o): (n, …, o)."""
        x = self.narrow(x)
        weight = self.weight_matrices(name, x)
        # Rows are seed-major: with one matrix per seed, a seed's rows become one long row.
        product = torch.bmm(x.reshape(len(weight), -1, x.shape[-1]), weight)  # (s or n, ·, o)
        return product.view(*x.shape[:-1], -1)

    def add_linear_output(
        self,
        out: Tensor,
        x: Tensor,
        name: str,
        columns: OutputColumns | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        """Add scale · x W to these columns of out (n, …, w); None: to all.

        x is (n, …, i); W is each row's own matrix (i, o) of this name, with o the columns' number.
        """
        weight = self.weight_matrices(name, x)
        # GPT-2 keeps query, key and value in one output, of which W may be one third.
        if columns is not None and weight.shape[-1] < out.shape[-1]:
            change = self.linear_output(x, name) * scale
            return out + self.pad_columns(change, columns, out.shape[-1])
        flat, rows = (t.reshape(len(weight), -1, t.shape[-1]) for t in (out, x))
        # Product and sum in one kernel, without the product in memory.
        return torch.baddbmm(flat, rows, weight, alpha=scale).view_as(out)  # (n, …, w)

    def weight_matrices(self, name: str, x: Tensor) -> Tensor:
        """Return one matrix per seed (s, i, o), or per row (n, i, o) where vertices are mixed."""
        stacked = self.tensors[name]  # (s, v, i, o)
        # Plain runs have one vertex: then a matrix per seed is enough, n / s times smaller.
        # Squeezed, since the gradient of an index is written into new zeros.
        return (stacked.squeeze(1) if stacked.shape[1] == 1 else self(name, len(x))).to(x.dtype)

    @staticmethod
    def pad_columns(change: Tensor, columns: OutputColumns, width: int) -> Tensor:
        """Place change (…, c) in these columns of zeros (…, width)."""
        if change.shape[-1] == width:
            return change  # without a copy
        if columns.groups == 1:
            return nn.functional.pad(change, (columns.start, width - columns.stop))
        parts = change.unflatten(-1, (columns.groups, -1))  # (…, groups, c / groups)
        rest = width // columns.groups - columns.stop
        return nn.functional.pad(parts, (columns.start, rest)).flatten(-2)
