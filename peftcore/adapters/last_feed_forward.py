"""The last feed-forward of a decoder or encoder, on the positions that are read alone.

A loss reads the positions that predict targets, and a classifier's head reads the first token.
Attention needs all positions of its layer; the feed-forward behind it works on each position by
itself, and behind that of the last layer nothing looks at the others any more. So they need not
pass through it: three quarters of that layer's numbers, on most of its positions. What it returns
for them is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from peftcore.adapters import lower_layers

if TYPE_CHECKING:
    from peftcore.adapters.base import Adapter

READ_POSITIONS: ContextVar[slice | None] = ContextVar("peftcore_read_positions", default=None)
CHUNK = "feed_forward_chunk"  # the library's name for it where a layer of an encoder computes it


def find_module(adapter: Adapter) -> str | None:
    """Return the path of the module with the last feed-forward, such as "model.layers.29.mlp".

    In an encoder that is its last layer. None where an adapter enters the feed-forward with what is
    not computed position by position, or where it is neither a module nor a function of its own.
    """
    structure, kind = adapter.base.structure, adapter.base.kind
    if kind == "encoder-decoder":
        return None
    layers, touched = lower_layers.layer_list_path(structure, kind), adapter.injection_paths()
    if touched is None and adapter.injects in ("prompt", "text"):
        touched = adapter.target_modules()  # the input changes, and no module
    if layers is None or touched is None:
        return None
    layer = f"{layers}.{structure.layers - 1}"
    module = layer if kind == "encoder" else _module_in(layer, adapter)
    if module is None or (kind == "encoder" and not hasattr(_class_of(adapter, module), CHUNK)):
        return None
    attends = {block.path for block in structure.attention_blocks} | {
        part.path
        for name, parts in structure.target_slices.items()
        for part in parts
        if name != "ffn"
    }
    inside = [path for path in touched if f"{path}.".startswith(f"{module}.")]
    enters = any(path not in attends for path in inside)
    return None if enters and not adapter.works_by_position() else module


def _module_in(layer: str, adapter: Adapter) -> str | None:
    """Return the path of the module of a decoder's layer that holds its feed-forward alone."""
    structure, last = adapter.base.structure, f"{layer}."
    paths = [s.path for s in structure.target_slices.get("ffn", ()) if s.path.startswith(last)]
    levels = zip(*(path.split(".")[:-1] for path in paths), strict=False)
    module = ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels))
    holds_attention = any(b.path.startswith(f"{module}.") for b in structure.attention_blocks)
    return module if module.startswith(last) and not holds_attention else None


def _class_of(adapter: Adapter, path: str) -> type[nn.Module]:
    """Return the class of a module of the base."""
    return type(adapter.base.model.get_submodule(path))


def make_short(model: nn.Module, adapter: Adapter) -> None:
    """Let the last feed-forward of a copied model obey `reading`, where there is one that can."""
    path = find_module(adapter)
    if path is not None:
        module = model.get_submodule(path)
        # By its class and not by a function of its own, so that copies of the model are right, too.
        own_class: Any = type(module)
        module.__class__ = _short(own_class, CHUNK if adapter.base.kind == "encoder" else "forward")


@cache
def _short(module_class: Any, function: str) -> type[nn.Module]:
    """Derive a class whose feed-forward, this function of it, passes over what is not read."""
    forward: Any = getattr(module_class, function)

    def obeying(self: Any, states: Tensor) -> Any:
        """Return what the function returns (n, t, d), zero at positions that are not read."""
        read = READ_POSITIONS.get()
        if read is None or states.dim() != 3:
            return forward(self, states)
        first, end, _ = read.indices(states.shape[1])
        out = forward(self, states[:, first:end].contiguous())
        return nn.functional.pad(out, (0, 0, first, states.shape[1] - end))

    return type(module_class.__name__, (module_class,), {function: obeying})


@contextmanager
def reading(positions: slice | None) -> Iterator[None]:
    """Say that passes inside the block read these positions alone; None: all of them."""
    token = READ_POSITIONS.set(positions)
    try:
        yield
    finally:
        READ_POSITIONS.reset(token)
