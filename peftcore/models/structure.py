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
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from peftcore.errors import BadInput, unknown_name
from peftcore.models.architectures import (
    FUSED_PARTS,
    Architecture,
    AttentionKind,
    FusedPart,
    ModelKind,
    Rule,
    WeightChoice,
    find_architecture,
)
from peftcore.models.architectures import Component as Component
from peftcore.models.architectures import Stack as Stack

if TYPE_CHECKING:
    from torch import Tensor

UNSTACKED = frozenset({"embeddings", "head"})


@dataclass(frozen=True)
class OutputColumns:
    """Columns [start, stop) of each of `groups` equal parts of an output.

    Most matrices are one part. Where a matrix holds query, key and value of each head in turn,
    every head is one.
    """

    start: int
    stop: int
    groups: int = 1

    @property
    def count(self) -> int:
        """Number of columns."""
        return self.groups * (self.stop - self.start)

    def view(self, values: Tensor) -> Tensor:
        """Return a view of these columns of values (…, w): (…, groups, stop - start)."""
        return values.unflatten(-1, (self.groups, -1))[..., self.start : self.stop]

    def take(self, values: Tensor) -> Tensor:
        """Return these columns of values (…, w): (…, c)."""
        return (
            values[..., self.start : self.stop]
            if self.groups == 1
            else self.view(values).flatten(-2)
        )

    def add(self, values: Tensor, change: Tensor) -> None:
        """Add a change (…, c) to these columns of values (…, w), in place."""
        self.view(values).add_(change.unflatten(-1, (self.groups, -1)))


@dataclass(frozen=True)
class TargetSlice:
    """Columns [start, stop) of one module's output, computed from `inputs` numbers.

    With several groups these are the columns in each of so many equal parts of the output.
    """

    path: str
    component: str
    stack: Stack
    inputs: int
    start: int
    stop: int
    groups: int = 1

    @property
    def columns(self) -> OutputColumns:
        """Its columns in the module's output."""
        return OutputColumns(self.start, self.stop, self.groups)

    @property
    def outputs(self) -> int:
        """Number of its columns."""
        return self.columns.count

    @property
    def layer(self) -> int:
        """Number of its layer in the stack, counted from 0."""
        number = layer_of(self.path)
        assert number is not None, "target slices lie in layers"
        return number


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
    groups: int = 1  # equal parts of the output, each of which has these columns
    outputs_first: bool = False  # the parameter is stored (o, i)

    @property
    def key(self) -> str:
        """Name that tells the slices of one parameter apart."""
        return self.name if self.columns is None else f"{min(self.components)}:{self.name}"

    def add_to(self, parameter: Tensor, change: Tensor) -> None:
        """Add a change in the weight's shape (i, o) to its share of a parameter, in place."""
        if self.columns is None:
            parameter.add_(change)
            return
        # The outputs are the last axis of what is cut.
        turned = self.outputs_first and parameter.dim() == 2
        values, change = (parameter.mT, change.mT) if turned else (parameter, change)
        OutputColumns(*self.columns, self.groups).add(values, change)

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
    first_position: int = 0  # of the first token in a position table
    sees_window: bool = False  # some layers look no further back than a window of positions
    token_types: bool = False  # tokens of the second text of a pair are marked

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
    """Find the structure of a transformers model; BadInput for one that cannot be used."""
    architecture = find_architecture(model.config.model_type)
    sizes = _sizes(model.config, architecture)
    weighted_modules = {
        path: module
        for path, module in model.named_modules()
        if getattr(module, "weight", None) is not None
    }
    target_slices = {
        name: tuple(
            _target_slice(architecture.kind, path, name, module, rule, sizes)
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
    config = _stack_configs(model.config)[1]
    pad = getattr(model.config, "pad_token_id", None)
    return ModelStructure(
        architecture=architecture,
        width=sizes.width,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head_width=sizes.head_width,
        layers=config.num_hidden_layers,
        window=architecture.usable_window(getattr(config, "max_position_embeddings", None), pad),
        attention_blocks=tuple(attention_blocks),
        target_slices=target_slices,
        weights=tuple(_weights(model, architecture, sizes)),
        first_position=architecture.first_position(pad),
        sees_window=_sees_window(config),
        token_types=(getattr(config, "type_vocab_size", None) or 0) > 1,
    )


@dataclass(frozen=True)
class _AttentionSizes:
    """Sizes that all attention blocks of a model have in common."""

    width: int
    heads: int
    kv_heads: int
    head_width: int

    @cached_property
    def fused_columns(self) -> dict[str, tuple[int, int]]:
        """Part → its columns in a matrix of all queries, all keys and all values."""
        ends, end = {}, 0
        for part, heads in zip(
            FUSED_PARTS, (self.heads, self.kv_heads, self.kv_heads), strict=True
        ):
            ends[part] = (end, end := end + heads * self.head_width)
        return ends


def _stack_configs(config: Any) -> tuple[Any, Any]:
    """Return the configurations of encoder and decoder, mostly one and the same."""
    encoder, decoder = getattr(config, "encoder", None), getattr(config, "decoder", None)
    if hasattr(encoder, "hidden_size") and hasattr(decoder, "hidden_size"):
        return encoder, decoder
    return config, config


def _sizes(config: Any, architecture: Architecture) -> _AttentionSizes:
    """Return the sizes of attention; BadInput where encoder and decoder differ."""

    def of(part: Any, heads: int) -> _AttentionSizes:
        """Read the sizes of one stack with so many heads."""
        head_width = getattr(part, "d_kv", None) or getattr(part, "head_dim", None)
        return _AttentionSizes(
            part.hidden_size,
            heads,
            getattr(part, "num_key_value_heads", None) or heads,
            head_width or part.hidden_size // heads,
        )

    encoder, decoder = _stack_configs(config)
    found = of(decoder, decoder.num_attention_heads)
    others = [of(encoder, encoder.num_attention_heads)]
    if architecture.kind == "encoder-decoder":
        others.append(of(decoder, getattr(decoder, "decoder_attention_heads", found.heads)))
    if any(other != found for other in others):
        raise BadInput(
            f"encoder and decoder of this {config.model_type} model differ in width or heads, and "
            "an adapter has one size for both; only models with two equal stacks can be used"
        )
    return found


def _sees_window(config: Any) -> bool:
    """Return whether some layers look no further back than a window of positions."""
    local = any(kind == "local" for kind in getattr(config, "attention_layers", ()))
    return local or bool(getattr(config, "sliding_window", None))


def _matches(rule: Rule, path: str) -> bool:
    """Return whether a module path matches an architecture's rule."""
    return bool(re.fullmatch(rule if isinstance(rule, str) else rule.pattern, path))


def _columns(rule: FusedPart, sizes: _AttentionSizes) -> OutputColumns:
    """Return the columns of a part of a matrix that holds query, key and value."""
    if not rule.by_head:
        return OutputColumns(*sizes.fused_columns[rule.part])
    number = FUSED_PARTS.index(rule.part)
    e = sizes.head_width
    return OutputColumns(number * e, (number + 1) * e, sizes.heads)


def _target_slice(
    kind: ModelKind, path: str, name: str, module: Any, rule: Rule, sizes: _AttentionSizes
) -> TargetSlice:
    """Build the slice of a module; GPT-2 stores its matrices (i, o), all others (o, i)."""
    conv = type(module).__name__ == "Conv1D"
    inputs, outputs = module.weight.shape if conv else module.weight.shape[::-1]
    own = OutputColumns(0, outputs) if isinstance(rule, str) else _columns(rule, sizes)
    return TargetSlice(path, name, stack_of(kind, path), inputs, own.start, own.stop, own.groups)


def layer_of(path: str) -> int | None:
    """Return the number of the layer that a module path lies in, from 0; None outside them."""
    number = re.search(r"\.(\d+)\.", path)
    return int(number[1]) if number else None


def stack_of(kind: ModelKind, path: str) -> Stack:
    """Return the stack that a module path lies in."""
    in_encoder = re.match(r"(model\.)?encoder\.", path)
    return "encoder" if in_encoder or kind == "encoder" else "decoder"


def _depths(config: Any) -> dict[Stack, int]:
    """Return stack → its number of layers."""
    encoder, decoder = _stack_configs(config)
    depth = decoder.num_hidden_layers
    own = getattr(config, "num_decoder_layers", None) or getattr(config, "decoder_layers", None)
    return {"encoder": encoder.num_hidden_layers, "decoder": own or depth}


def _weights(model: Any, architecture: Architecture, sizes: _AttentionSizes) -> Iterator[Weight]:
    """Yield every parameter of a component, in slices where a module holds several."""
    rules = {**architecture.components, **architecture.other_modules}
    users: dict[int, list[str]] = {}
    for path, module in model.named_modules():
        for tensor in module.parameters(recurse=False):
            users.setdefault(id(tensor), []).append(path)
    depths = _depths(model.config)
    for name, tensor in model.named_parameters():
        paths, shape = tuple(users[id(tensor)]), tuple(tensor.shape)
        matching_rules = {
            c: rule for c, rule in rules.items() if any(_matches(rule, p) for p in paths)
        }
        if not matching_rules:  # a pooler, which nothing reads
            continue
        outside_stacks = bool(UNSTACKED & matching_rules.keys())
        stack = None if outside_stacks else stack_of(architecture.kind, paths[0])
        layer = None if stack is None else _layer(matching_rules, paths[0], depths[stack])
        shares = {c: rule for c, rule in matching_rules.items() if isinstance(rule, FusedPart)}
        if not shares:
            yield Weight(name, frozenset(matching_rules), stack, layer, shape, None, paths)
        outputs_first = type(model.get_submodule(paths[0])).__name__ != "Conv1D"
        for component, rule in shares.items():
            own = _columns(rule, sizes)
            cut = (own.count, *shape[1:]) if outputs_first else (*shape[:-1], own.count)
            yield Weight(
                name,
                frozenset({component}),
                stack,
                layer,
                cut,
                (own.start, own.stop),
                paths,
                own.groups,
                outputs_first,
            )


def _layer(components: Collection[str], path: str, depth: int) -> int:
    """Return the layer number of a module path; norms outside count to the nearest layer."""
    number = layer_of(path)
    if number is not None:
        return number
    return depth - 1 if "layernorm.final" in components else 0
