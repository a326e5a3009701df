"""What an adapter trains, counted part by part: stack, layer, component, tensor; any method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peftcore.adapters.base import HEAD_STATS, METHODS
from peftcore.models import structure

if TYPE_CHECKING:
    from typing import Any

    from torch import Tensor

    from peftcore.adapters.base import Adapter
    from peftcore.models.base_model import BaseModel

INPUT, HEAD = "input", "head"  # parts outside the stacks


@dataclass(frozen=True)
class TrainedPart:
    """One tensor that is trained, and how many numbers of it one seed has."""

    stack: str  # encoder or decoder; else the input or the head
    layer: int | None  # from 0; None: outside the layers
    component: str
    tensor: str  # what it is for the method: down, key, delta …
    count: int


def list_trained_parts(
    adapter: Adapter, tensors: Mapping[str, Tensor] | None = None
) -> list[TrainedPart]:
    """List what is trained, in the order in which the method made it.

    tensors: (s, v, …), the adapter's own unless a head comes with them.
    """
    fixed = {*adapter.untrained_names(), *HEAD_STATS}
    places = _places(adapter.base)
    return [
        _part(name, tensor[0].numel(), adapter.base, places)
        for name, tensor in (adapter.tensors if tensors is None else tensors).items()
        if name not in fixed
    ]


def planned_parts(
    base: BaseModel, method: str, settings: Mapping[str, Any] | None = None, vertices: int = 1
) -> list[TrainedPart]:
    """List what a method would train in a base, which may have shapes alone; without a head."""
    from peftcore.adapters.initializers import SeededInitializer  # brings torch

    method_class = METHODS[method]
    method_class.check_base_kind(base.name, base.kind)
    initializer = SeededInitializer([0], vertices, "meta")
    return list_trained_parts(method_class(base, method_class.Config.make(settings), initializer))


def _places(base: BaseModel) -> dict[str, tuple[str, str, int | None]]:
    """Name of a weight, or path of an attention block → its component, stack and layer."""
    found: dict[str, tuple[str, str, int | None]] = {}
    for weight in base.structure.weights:
        component = " + ".join(sorted(weight.components))
        found[weight.key] = (component, weight.stack or component, weight.layer)
    for block in base.structure.attention_blocks:
        stack = structure.stack_of(base.kind, block.path)
        component = "cross" if block.attention_kind == "cross" else "attention"
        found[block.path] = (component, stack, block.layer)
    return found


def _part(
    name: str, count: int, base: BaseModel, places: Mapping[str, tuple[str, str, int | None]]
) -> TrainedPart:
    """Find where a tensor "kind", "kind:place" or "kind:component:path" belongs."""
    kind, _, rest = name.partition(":")
    if not rest:
        is_head = kind.startswith("head")
        place = HEAD if is_head else INPUT
        return TrainedPart(place, None, "classification head" if is_head else "prompt", kind, count)
    if rest in places:
        component, stack, layer = places[rest]
        return TrainedPart(stack, layer, component, kind, count)
    component, _, path = rest.rpartition(":")
    stack, layer = structure.stack_of(base.kind, path), structure.layer_of(path)
    return TrainedPart(stack, layer, component or path, kind, count)
