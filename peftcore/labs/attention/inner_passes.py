"""Passes of a model over one example in which outputs of layers are kept, or put in their place.

A layer's output is the state of every token after it.  Rows of a batch are copies of one example,
so each row can have another layer's output exchanged.  Axes: n rows, t tokens, d width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from peftcore.adapters import lower_layers
from peftcore.adapters.adapted_model import AdaptedModel, shared_copy
from peftcore.errors import BadInput

if TYPE_CHECKING:
    from peftcore.models.batching import Batch
    from peftcore.models.structure import Stack

ROWS_AT_ONCE = 8  # copies of an example in one pass: logits of a large vocabulary fill memory
Layer = tuple["Stack", int]  # stack and number from 0
Exchange = Callable[[Layer, Tensor], Tensor]  # the layer and its output (n, t, d) → another


@dataclass
class LayerPass:
    """One pass: logits (n, t', words) at the target's positions, and the output of each layer."""

    logits: Tensor
    states: Mapping[Layer, Tensor]  # (n, t, d)


@dataclass
class _Hooks:
    """The exchange of the pass under way, and the states that its hooks keep."""

    exchange: Exchange | None = None
    states: dict[Layer, Tensor] = field(default_factory=dict)


def copy_of_seed(adapted: AdaptedModel, seed_index: int) -> AdaptedModel:
    """Return a model's one seed with a module tree of its own; BadInput if it does not write."""
    if adapted.base.kind == "encoder":
        raise BadInput(
            f"{adapted.base.name} reads but cannot write, so no layer's state is a next word"
        )
    if not 0 <= seed_index < adapted.seeds:
        raise BadInput(f"seed must lie in [0, {adapted.seeds - 1}]; got {seed_index}")
    lone = adapted.one_seed(seed_index) if adapted.tensors else copy.copy(adapted)
    lone.model = shared_copy(adapted.model)
    return lone


class LayerStates:
    """A model, one seed of it, whose layers' outputs can be kept and exchanged.

    It has a copy of the module tree of its own, and is for one thread.
    """

    def __init__(self, adapted: AdaptedModel, seed_index: int) -> None:
        self.adapted = copy_of_seed(adapted, seed_index)
        self._hooks = _Hooks()
        self.layers = self._register()

    def _register(self) -> list[Layer]:
        """Hook every layer; return them in the order in which they are passed."""
        structure = self.adapted.base.structure
        stacks: tuple[Stack, ...] = ("encoder", "decoder")
        layers: list[Layer] = []
        for stack in stacks:
            path = lower_layers.layer_list_path(structure, stack)
            if path is None:
                if stack == "decoder":
                    raise BadInput(
                        f"the layers of {self.adapted.base.name} do not stand in one list, so "
                        "their states cannot be exchanged"
                    )
                continue
            modules: Any = self.adapted.model.get_submodule(path)
            for number, module in enumerate(modules):
                layers.append((stack, number))
                module.register_forward_hook(self._hook((stack, number)))
        return layers

    def _hook(self, layer: Layer) -> Any:
        """Return the hook of one layer."""

        def hook(module: Any, args: Any, out: Any) -> Any:
            states = out[0] if isinstance(out, tuple) else out
            if self._hooks.exchange is not None:
                states = self._hooks.exchange(layer, states)
            self._hooks.states[layer] = states
            return (states, *out[1:]) if isinstance(out, tuple) else states

        return hook

    @torch.no_grad()
    def run(self, batch: Batch, exchange: Exchange | None = None) -> LayerPass:
        """Pass a batch of copies of one example, all of the probe's seed."""
        self._hooks = _Hooks(exchange)
        logits = self.adapted.logits(batch, self.adapted.centroid(1))
        return LayerPass(logits.float(), self._hooks.states)

    def read_layers(self, batch: Batch) -> Iterator[Tensor]:
        """Yield what layers of the decoder would write if they were the last, (l, t, words) each.

        batch has one row.  States of some layers at a time take the place of the last layer's
        output, in a row each, so final norm and head are the model's own.
        """
        own = self.run(batch)
        depth = [layer for layer in self.layers if layer[0] == "decoder"]
        for start in range(0, len(depth), ROWS_AT_ONCE):
            part = depth[start : start + ROWS_AT_ONCE]
            states = torch.cat([own.states[layer] for layer in part])

            def exchange(layer: Layer, out: Tensor, states: Tensor = states) -> Tensor:
                """Put states (l, t, d) in place of the last layer's output."""
                return states if layer == depth[-1] else out

            yield self.run(batch.repeated(len(part)), exchange).logits


def put_in_place(out: Tensor, states: Tensor) -> Tensor:
    """Return out (t, d) with its last tokens' states taken from (t', d), as many as both have.

    Soft tokens stand in front, so counted from the right the tokens of both are the same.
    """
    count = min(len(out), len(states))
    changed = out.clone()
    changed[-count:] = states[-count:]
    return changed
