"""The layers below an adapter: where it first changes the base, and passes that begin there.

A base is frozen and in evaluation mode, so what enters the first layer that an adapter touches is
the same for one example at every step and point. `compute` runs a pass up to there and `resume`
lets one begin there: the layers below return what they get, and the last of them returns the
states that are known. The library's loop over layers stays as it is, with all that it does around
them, so this holds for every family whose layers stand in one list.

What is in force travels in a context variable, so threads that share a model never meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from peftcore.models.structure import ModelStructure, Stack

if TYPE_CHECKING:
    from peftcore.adapters.base import Adapter

AFTER_LAYERS = ("layernorm.final", "head")  # components that stand behind the last layer


@dataclass(frozen=True)
class FirstTouched:
    """The first layer of a model that an adapter changes.

    stack is None where nothing but our own head is trained; layer is 0 where the input is changed,
    and the number of layers where only what comes after them is.
    """

    stack: Stack | None
    layer: int


@dataclass
class LowerPass:
    """One pass that ends before a layer (states is None), or begins there with known states."""

    layer: int
    states: Tensor | None = None  # (n, t, d), what enters the layer
    shared: tuple[Any, ...] | None = None  # what layers return beside the states; None: nothing


ACTIVE_PASS: ContextVar[LowerPass | None] = ContextVar("peftcore_lower_pass", default=None)


class _ReachedLayer(Exception):
    """Ends a pass of which only the states (n, t, d) that enter a layer are wanted."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def layer_list_path(structure: ModelStructure, stack: Stack) -> str | None:
    """Return the path of a stack's list of layers, such as "model.layers".

    None where its layers do not stand in one list, each with its own attention: layers that share
    a module cannot be skipped.
    """
    places = [
        re.match(r"(.*?)\.(\d+)\.", f"{block.path}.")
        for block in structure.attention_blocks
        if block.attention_kind == stack
    ]
    found = [(place[1], int(place[2])) for place in places if place]
    lists = {path for path, _ in found}
    depth = [number for _, number in found]
    return lists.pop() if len(lists) == 1 and depth == list(range(len(places))) else None


def find_first_touched(adapter: Adapter) -> FirstTouched:
    """Return the first layer that an adapter touches: in its first stack, if it enters both."""
    structure = adapter.base.structure
    stacks: tuple[Stack, ...] = ("encoder", "decoder")
    if structure.architecture.kind != "encoder-decoder":
        stacks = ("encoder",) if structure.architecture.kind == "encoder" else ("decoder",)
    paths = adapter.injection_paths()
    if paths is None:
        return FirstTouched(stacks[0], 0)
    places = [_place(structure, stacks, path) for path in paths]
    if not places and stacks == ("decoder",):
        return FirstTouched("decoder", structure.layers)
    for stack in stacks:
        layers = [place.layer for place in places if place.stack == stack]
        if layers:
            return FirstTouched(stack, min(layers))
    return FirstTouched(None, 0)


def _place(structure: ModelStructure, stacks: tuple[Stack, ...], path: str) -> FirstTouched:
    """Return the stack and layer of a module path; what is unknown counts to the input."""
    rules = structure.architecture.other_modules
    after = any(re.fullmatch(rules[name], path) for name in AFTER_LAYERS if name in rules)
    for stack in stacks:
        layers = layer_list_path(structure, stack)
        if layers is None:
            continue
        inside = re.match(rf"{re.escape(layers)}\.(\d+)(\.|$)", path)
        if inside:
            return FirstTouched(stack, int(inside[1]))
        beside = path.startswith(layers.rpartition(".")[0] + ".")
        if after and (beside or stack == stacks[-1]):
            return FirstTouched(stack, _depth(structure, stack))
        if beside and stack != stacks[0]:
            return FirstTouched(stack, 0)
    return FirstTouched(stacks[0], 0)


def _depth(structure: ModelStructure, stack: Stack) -> int:
    """Count the layers of a stack."""
    return sum(block.attention_kind == stack for block in structure.attention_blocks)


def make_skippable(model: nn.Module, structure: ModelStructure, touched: FirstTouched) -> bool:
    """Let passes of a copied model begin at a layer; return whether that is possible and spares."""
    path = layer_list_path(structure, touched.stack) if touched.stack else None
    if path is None or touched.layer < 1:
        return False
    layers: Any = model.get_submodule(path)
    for number in range(touched.layer):
        # By its class and not by a function of its own, so that copies of the model are right, too.
        own_class: Any = type(layers[number])
        layers[number].__class__ = _skippable(own_class)
        layers[number].peftcore_number = number
    return True


@cache
def _skippable(layer_class: Any) -> type[nn.Module]:
    """Derive a class of layers that obey the active pass."""
    forward: Any = layer_class.forward

    def obeying(self: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Return what the layer returns, computed or handed on; states are (n, t, d)."""
        active = ACTIVE_PASS.get()
        if active is None:
            return forward(self, hidden_states, *args, **kwargs)
        last = self.peftcore_number == active.layer - 1
        if active.states is None:
            out = forward(self, hidden_states, *args, **kwargs)
            if last:
                raise _ReachedLayer(out[0] if isinstance(out, tuple) else out)
            return out
        if self.peftcore_number == 0:
            active.shared = _beside_states(forward, self, hidden_states, args, kwargs)
        states = active.states.to(hidden_states.dtype) if last else hidden_states
        return states if active.shared is None else (states, *active.shared)

    return type(layer_class.__name__, (layer_class,), {"forward": obeying})


def _beside_states(
    forward: Callable[..., Any], layer: Any, states: Tensor, args: Any, kwargs: Any
) -> tuple[Any, ...] | None:
    """Return what the first layer gives to all others beside states (n, t, d), None if nothing.

    That is T5's bias by distance (1, h, q, k). One row is enough to compute it.
    """
    if getattr(layer, "peftcore_returns_states", False):
        return None
    rows = len(states)
    first_row = [_first_row(value, rows) for value in args]
    first_named = {name: _first_row(value, rows) for name, value in kwargs.items()}
    with torch.no_grad():
        out = forward(layer, states[:1], *first_row, **first_named)
    layer.peftcore_returns_states = not isinstance(out, tuple)
    return tuple(out[1:]) if isinstance(out, tuple) else None


def _first_row(value: Any, rows: int) -> Any:
    """Return an argument for the first row only; values (n, …) are those of a row each."""
    if isinstance(value, tuple):
        return tuple(_first_row(each, rows) for each in value)
    per_row = isinstance(value, Tensor) and value.dim() > 1 and len(value) == rows
    return value[:1] if per_row else value


def compute(layer: int, run: Callable[[], Any]) -> Tensor:
    """Return the states (n, t, d) that enter a layer when `run` passes through the model."""
    token = ACTIVE_PASS.set(LowerPass(layer))
    try:
        run()
    except _ReachedLayer as reached:
        return reached.states
    finally:
        ACTIVE_PASS.reset(token)
    raise AssertionError(f"the pass did not meet layer {layer - 1}")


@contextmanager
def resume(layer: int, states: Tensor | None) -> Iterator[None]:
    """Let passes inside the block begin at a layer with states (n, t, d); None: at the input."""
    token = ACTIVE_PASS.set(None if states is None else LowerPass(layer, states))
    try:
        yield
    finally:
        ACTIVE_PASS.reset(token)


def own_rows(states: Tensor, mask: Tensor) -> Iterable[Tensor]:
    """Yield each row's states (t, d) of (n, t, d) without its padding, by a mask (n, t)."""
    return (own[real].clone() for own, real in zip(states, mask.bool(), strict=True))


def padded(rows: list[Tensor], width: int, left: bool) -> Tensor:
    """Pad rows of states (t, d) with zeros to (n, width, d)."""
    whole = rows[0].new_zeros(len(rows), width, rows[0].shape[-1])
    for row, own in zip(whole, rows, strict=True):
        (row[width - len(own) :] if left else row[: len(own)]).copy_(own)
    return whole
