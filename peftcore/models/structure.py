"""The parts of one particular model, found by the patterns of its family.

Parts are matrices that get something beside them; weights are all the numbers a model has, sorted
into the same components and a few more, so that they can be chosen by name and counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from peftcore.errors import BadInput, unknown
from peftcore.models.architectures import Choice as Choice
from peftcore.models.architectures import Component as Component
from peftcore.models.architectures import Family, family
from peftcore.models.architectures import Kind as Kind
from peftcore.models.architectures import Place as Place
from peftcore.models.architectures import Stack as Stack

UNSTACKED = frozenset({"embeddings", "head"})


@dataclass(frozen=True)
class Part:
    """A share of one leaf's output: columns [start, stop) of `outputs` from `inputs`."""

    path: str
    component: str
    stack: Stack
    inputs: int
    start: int
    stop: int


@dataclass(frozen=True)
class Weight:
    """A parameter of the model, or the share of one that belongs to a component.

    Tied parameters are one weight with several users, and may be of several components.
    """

    name: str  # as the model lists it
    components: frozenset[str]
    stack: Stack | None  # None: outside the stacks, as words and head are
    layer: int | None  # None: outside the layers
    shape: tuple[int, ...]  # of the share
    columns: tuple[int, int] | None  # of the output; None: all of them
    users: tuple[str, ...]  # paths of the modules that compute with it

    @property
    def key(self) -> str:
        """A name that tells the shares of a parameter apart."""
        return self.name if self.columns is None else f"{min(self.components)}:{self.name}"

    @property
    def bias(self) -> bool:
        """Whether it is a bias vector."""
        return self.name.endswith(".bias")

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Site:
    """One attention block: its path, the place it belongs to, and its number there from 0."""

    path: str
    place: Place
    layer: int


@dataclass(frozen=True)
class Anatomy:
    """The parts of one particular model."""

    family: Family
    width: int
    heads: int
    kv_heads: int
    head_width: int
    layers: int
    window: int | None  # longest input in positions; None: no hard limit
    sites: tuple[Site, ...]
    parts: Mapping[str, tuple[Part, ...]]
    weights: tuple[Weight, ...] = ()

    def of(self, component: str) -> tuple[Part, ...]:
        """Parts of a component; BadInput if this model has none."""
        if component not in get_args(Component):
            raise unknown("component", component, get_args(Component))
        if not self.parts.get(component):
            have = ", ".join(name for name, parts in self.parts.items() if parts)
            raise BadInput(f"this base has no component {component!r}; it has: {have}")
        return self.parts[component]

    def choose(
        self,
        components: Iterable[str] = ("all",),
        stacks: Collection[str] = ("encoder", "decoder"),
        first: int = 0,
        last: int | None = None,
    ) -> tuple[Weight, ...]:
        """Weights of any of these components, in these stacks (of a base with both) and layers.

        Norms around the layers go with the nearest layer.  Words and head are outside of stacks
        and layers: they are chosen by name, or by "all" without a limit.
        """
        if last is not None and last < first:
            raise BadInput(f"the last layer must not lie before the first; got {first} to {last}")
        names, whole = set(components), first == 0 and last is None
        both = self.family.kind != "encoder-decoder" or {"encoder", "decoder"} <= set(stacks)

        def meant(weight: Weight) -> bool:
            if not any(self._is(weight, name) for name in names):
                return False
            if weight.components & UNSTACKED:
                return bool(names & UNSTACKED & weight.components) or (both and whole)
            assert weight.layer is not None, "what is not words or head lies in a layer"
            inside = first <= weight.layer and (last is None or weight.layer <= last)
            return inside and (both or weight.stack in stacks)

        return tuple(weight for weight in self.weights if meant(weight))

    def _is(self, weight: Weight, choice: str) -> bool:
        if choice in ("all", "bias"):
            return choice == "all" or weight.bias
        if choice == "layernorm":
            return bool(weight.components & set(self.family.layernorm))
        return any(c == choice or c.startswith(f"{choice}.") for c in weight.components)

    @property
    def choices(self) -> tuple[str, ...]:
        """The names by which weights of this model can be chosen."""
        known: tuple[str, ...] = get_args(Choice)
        return tuple(name for name in known if any(self._is(w, name) for w in self.weights))


def dissect(model: Any) -> Anatomy:
    """Find the parts of a transformers model."""
    config, kin = model.config, family(model.config.model_type)
    heads = config.num_attention_heads
    head_width = getattr(config, "d_kv", None) or getattr(config, "head_dim", None)
    leaves = {
        path: m for path, m in model.named_modules() if getattr(m, "weight", None) is not None
    }
    parts = {
        name: tuple(
            _part(kin.kind, path, name, leaf, rule)
            for path, leaf in leaves.items()
            if _matches(rule, path)
        )
        for name, rule in kin.components.items()
    }
    sites = [
        Site(path, place, number)
        for place, pattern in kin.attentions.items()
        for number, path in enumerate(
            p for p, _ in model.named_modules() if re.fullmatch(pattern, p)
        )
    ]
    return Anatomy(
        family=kin,
        width=config.hidden_size,
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_width=head_width or config.hidden_size // heads,
        layers=config.num_hidden_layers,
        window=None if kin.kind == "encoder-decoder" else config.max_position_embeddings,
        sites=tuple(sites),
        parts=parts,
        weights=tuple(_weights(model, kin)),
    )


def _matches(rule: str | tuple[str, int, int], path: str) -> bool:
    return bool(re.fullmatch(rule if isinstance(rule, str) else rule[0], path))


def _part(kind: Kind, path: str, name: str, leaf: Any, rule: str | tuple[str, int, int]) -> Part:
    """A leaf as a part; GPT-2 stores its matrices (inputs, outputs), everyone else transposed."""
    conv = type(leaf).__name__ == "Conv1D"
    inputs, outputs = leaf.weight.shape if conv else leaf.weight.shape[::-1]
    _, i, n = (rule, 0, 1) if isinstance(rule, str) else rule
    stack = _stack(kind, path)
    return Part(path, name, stack, inputs, i * outputs // n, (i + 1) * outputs // n)


def _stack(kind: Kind, path: str) -> Stack:
    return "encoder" if path.startswith("encoder.") or kind == "encoder" else "decoder"


def _weights(model: Any, kin: Family) -> Iterator[Weight]:
    """Every parameter that belongs to a component, by shares where a leaf holds several."""
    rules = {**kin.components, **kin.others}
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
        found = {c: rule for c, rule in rules.items() if any(_matches(rule, p) for p in paths)}
        if not found:  # a pooler, which nothing reads
            continue
        outside = bool(UNSTACKED & found.keys())
        stack = None if outside else _stack(kin.kind, paths[0])
        layer = None if stack is None else _layer(found, paths[0], depths[stack])
        shares = {c: rule for c, rule in found.items() if not isinstance(rule, str)}
        if not shares:
            yield Weight(name, frozenset(found), stack, layer, shape, None, paths)
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
    number = re.search(r"\.(\d+)\.", path)
    if number:
        return int(number[1])
    return depth - 1 if "layernorm.final" in components else 0
