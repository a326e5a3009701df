"""The structure of one particular model: its attention blocks, target slices and weights.

Target slices are outputs of linear modules that a method may add to. Weights are all the numbers a
model has, sorted into the same components and a few more, so that they can be chosen by name and
counted. Both are found by the patterns of the model's architecture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from peftcore.errors import BadInput, unknown_name
from peftcore.models.architectures import (
    Architecture,
    AttentionKind,
    ModelKind,
    WeightChoice,
    find_architecture,
)
from peftcore.models.architectures import Component as Component
from peftcore.models.architectures import Stack as Stack
from peftcore.models.positions import usable_window

UNSTACKED = frozenset({"embeddings", "head"})


@dataclass(frozen=True)
class TargetSlice:
    """Columns [start, stop) of one module's output, computed from `inputs` numbers."""

    path: str
    component: str
    stack: Stack
    inputs: int
    start: int
    stop: int

    @property
    def layer(self) -> int:
        """Number of its layer in the stack, counted from 0."""
        number = re.search(r"\.(\d+)\.", self.path)
        assert number, "target slices lie in layers"
        return int(number[1])


@dataclass(frozen=True)
class Weight:
    """A parameter of the model, or the slice of one that belongs to a component.

    A tied parameter is one weight used by several modules, and may belong to several components.
    """

    name: str  # as the model lists it
    components: frozenset[str]
    stack: Stack | None  # None: outside the stacks, as words and head are
    layer: int | None  # None: outside the layers
    shape: tuple[int, ...]  # of the share
    columns: tuple[int, int] | None  # of the output; None: all of them
    module_paths: tuple[str, ...]  # paths of the modules that compute with it

    @property
    def key(self) -> str:
        """Name that tells the slices of one parameter apart."""
        return self.name if self.columns is None else f"{min(self.components)}:{self.name}"

    @property
    def is_bias(self) -> bool:
        """True for a bias vector."""
        return self.name.endswith(".bias")

    @property
    def size(self) -> int:
        """Number of its values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class AttentionBlock:
    """One attention block: its path, kind of attention, and number among its kind from 0."""

    path: str
    attention_kind: AttentionKind
    layer: int


@dataclass(frozen=True)
class ModelStructure:
    """Sizes, attention blocks, target slices and weights of one particular model."""

    architecture: Architecture
    width: int
    heads: int
    kv_heads: int
    head_width: int
    layers: int
    window: int | None  # longest input in positions; None: no hard limit
    attention_blocks: tuple[AttentionBlock, ...]
    target_slices: Mapping[str, tuple[TargetSlice, ...]]
    weights: tuple[Weight, ...] = ()

    def slices_of(self, component: str) -> tuple[TargetSlice, ...]:
        """Return a component's target slices; BadInput if this model has none."""
        if component not in get_args(Component):
            raise unknown_name("component", component, get_args(Component))
        if not self.target_slices.get(component):
            have = ", ".join(name for name, parts in self.target_slices.items() if parts)
            raise BadInput(f"this base has no component {component!r}; it has: {have}")
        return self.target_slices[component]

    def select_weights(
        self,
        components: Iterable[str] = ("all",),
        stacks: Collection[str] = ("encoder", "decoder"),
        first: int = 0,
        last: int | None = None,
    ) -> tuple[Weight, ...]:
        """Select weights of any of these components, in these stacks and this range of layers.

        Stacks count only in a base with both. Norms around the layers go with the nearest layer.
        Embeddings and head are outside stacks and layers: they are chosen by name, or by "all"
        without a limit.
        """
        if last is not None and last < first:
            raise BadInput(f"the last layer must not lie before the first; got {first} to {last}")
        names, all_layers = set(components), first == 0 and last is None
        all_stacks = self.architecture.kind != "encoder-decoder" or {"encoder", "decoder"} <= set(
            stacks
        )

        def is_chosen(weight: Weight) -> bool:
            """Return whether a weight is of the chosen components, stacks and layers."""
            if not any(self._matches_choice(weight, name) for name in names):
                return False
            if weight.components & UNSTACKED:
                return bool(names & UNSTACKED & weight.components) or (all_stacks and all_layers)
            assert weight.layer is not None, "what is not words or head lies in a layer"
            inside = first <= weight.layer and (last is None or weight.layer <= last)
            return inside and (all_stacks or weight.stack in stacks)

        return tuple(weight for weight in self.weights if is_chosen(weight))

    def _matches_choice(self, weight: Weight, choice: str) -> bool:
        """Return whether a weight falls under this component, group or kind."""
        if choice in ("all", "bias"):
            return choice == "all" or weight.is_bias
        if choice == "layernorm":
            return bool(weight.components & set(self.architecture.layernorm))
        return any(c == choice or c.startswith(f"{choice}.") for c in weight.components)

    @property
    def choices(self) -> tuple[str, ...]:
        """Names by which weights of this model can be chosen."""
        known: tuple[str, ...] = get_args(WeightChoice)
        return tuple(
            name for name in known if any(self._matches_choice(w, name) for w in self.weights)
        )


def analyze(model: Any) -> ModelStructure:
    """Find the structure of a transformers model."""
    config, architecture = model.config, find_architecture(model.config.model_type)
    heads = config.num_attention_heads
    head_width = getattr(config, "d_kv", None) or getattr(config, "head_dim", None)
    weighted_modules = {
        path: module
        for path, module in model.named_modules()
        if getattr(module, "weight", None) is not None
    }
    target_slices = {
        name: tuple(
            _target_slice(architecture.kind, path, name, module, rule)
            for path, module in weighted_modules.items()
            if _matches(rule, path)
        )
        for name, rule in architecture.components.items()
    }
    attention_blocks = [
        AttentionBlock(path, attention_kind, number)
        for attention_kind, pattern in architecture.attention_modules.items()
        for number, path in enumerate(
            p for p, _ in model.named_modules() if re.fullmatch(pattern, p)
        )
    ]
    return ModelStructure(
        architecture=architecture,
        width=config.hidden_size,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_width=head_width or config.hidden_size // heads,
        layers=config.num_hidden_layers,
        window=usable_window(architecture, config.to_dict()),
        attention_blocks=tuple(attention_blocks),
        target_slices=target_slices,
        weights=tuple(_weights(model, architecture)),
    )


def _matches(rule: str | tuple[str, int, int], path: str) -> bool:
    """Return whether a module path matches an architecture's rule."""
    return bool(re.fullmatch(rule if isinstance(rule, str) else rule[0], path))


def _target_slice(
    kind: ModelKind, path: str, name: str, module: Any, rule: str | tuple[str, int, int]
) -> TargetSlice:
    """Build the slice of a module; GPT-2 stores its matrices (i, o), all others (o, i)."""
    conv = type(module).__name__ == "Conv1D"
    inputs, outputs = module.weight.shape if conv else module.weight.shape[::-1]
    _, i, n = (rule, 0, 1) if isinstance(rule, str) else rule
    stack = _stack(kind, path)
    return TargetSlice(path, name, stack, inputs, i * outputs // n, (i + 1) * outputs // n)


def _stack(kind: ModelKind, path: str) -> Stack:
    """Return the stack that a module path lies in."""
    return "encoder" if path.startswith("encoder.") or kind == "encoder" else "decoder"


def _weights(model: Any, architecture: Architecture) -> Iterator[Weight]:
    """Yield every parameter of a component, in slices where a module holds several."""
    rules = {**architecture.components, **architecture.other_modules}
    users: dict[int, list[str]] = {}
    for path, module in model.named_modules():
        for tensor in module.parameters(recurse=False):
            users.setdefault(id(tensor), []).append(path)
    depth = model.config.num_hidden_layers
    depths = {
        "encoder": depth,
        "decoder": getattr(model.config, "num_decoder_layers", None) or depth,
    }
    for name, tensor in model.named_parameters():
        paths, shape = tuple(users[id(tensor)]), tuple(tensor.shape)
        matching_rules = {
            c: rule for c, rule in rules.items() if any(_matches(rule, p) for p in paths)
        }
        if not matching_rules:  # a pooler, which nothing reads
            continue
        outside_stacks = bool(UNSTACKED & matching_rules.keys())
        stack = None if outside_stacks else _stack(architecture.kind, paths[0])
        layer = None if stack is None else _layer(matching_rules, paths[0], depths[stack])
        shares = {c: rule for c, rule in matching_rules.items() if not isinstance(rule, str)}
        if not shares:
            yield Weight(name, frozenset(matching_rules), stack, layer, shape, None, paths)
        for component, (_, i, n) in shares.items():
            width = shape[-1] // n
            yield Weight(
                name,
                frozenset({component}),
                stack,
                layer,
                (*shape[:-1], width),
                (i * width, (i + 1) * width),
                paths,
            )


def _layer(components: Collection[str], path: str, depth: int) -> int:
    """Return the layer number of a module path; norms outside count to the nearest layer."""
    number = re.search(r"\.(\d+)\.", path)
    if number:
        return int(number[1])
    return depth - 1 if "layernorm.final" in components else 0
