"""The last feed-forward of a decoder, on the positions that are read alone.

A loss reads the positions that predict targets. Attention needs all positions of its layer; the
feed-forward behind it works on each position by itself, and behind that of the last layer nothing
looks at the others any more. So they need not pass through it: three quarters of that layer's
numbers, on most of its positions. What it returns for them is zero.
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

READ_POSITIONS: ContextVar[int | None] = ContextVar("peftcore_read_positions", default=None)


def find_module(adapter: Adapter) -> str | None:
    """Return the path of a decoder's last feed-forward, such as "model.layers.29.mlp".

    None where an adapter enters it, or where its matrices stand in no module of their own.
    """
    structure = adapter.base.structure
    layers = lower_layers.layer_list_path(structure, "decoder")
    touched = adapter.injection_paths()
    if touched is None and adapter.injects in ("prompt", "text"):
        touched = adapter.target_modules()  # the input changes, and no module
    if structure.architecture.kind != "decoder" or layers is None or touched is None:
        return None
    last = f"{layers}.{structure.layers - 1}."
    paths = [s.path for s in structure.target_slices.get("ffn", ()) if s.path.startswith(last)]
    levels = zip(*(path.split(".")[:-1] for path in paths), strict=False)
    module = ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels))
    inside = f"{module}."
    holds_attention = any(b.path.startswith(inside) for b in structure.attention_blocks)
    if not module.startswith(last) or holds_attention:
        return None
    enters = any(path == module or path.startswith(inside) for path in touched)
    return None if enters else module


def make_short(model: nn.Module, adapter: Adapter) -> None:
    """Let the last feed-forward of a copied model obey `reading`, where there is one that can."""
    path = find_module(adapter)
    if path is not None:
        module = model.get_submodule(path)
        # By its class and not by a function of its own, so that copies of the model are right, too.
        own_class: Any = type(module)
        module.__class__ = _short(own_class)


@cache
def _short(module_class: Any) -> type[nn.Module]:
    """Derive a class of feed-forwards that pass over what is not read."""
    forward: Any = module_class.forward

    def obeying(self: Any, states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return what the module returns (n, t, d), zero at positions that are not read."""
        count = READ_POSITIONS.get()
        if count is None or args or kwargs or states.dim() != 3 or count >= states.shape[1]:
            return forward(self, states, *args, **kwargs)
        out = forward(self, states[:, -count:].contiguous())
        return nn.functional.pad(out, (0, 0, states.shape[1] - count, 0))

    return type(module_class.__name__, (module_class,), {"forward": obeying})


@contextmanager
def reading(count: int | None) -> Iterator[None]:
    """Say that passes inside the block read the last positions alone; None: all of them."""
    token = READ_POSITIONS.set(count)
    try:
        yield
    finally:
        READ_POSITIONS.reset(token)
