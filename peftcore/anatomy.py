"""Where each model family keeps its parts: one entry per family, patterns over module paths.

A component is a named kind of part ("attention.query"); GPT-2 keeps three of them in one matrix,
so a part is a path and, there, a share of the output columns.  A new family is one more entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from peftcore.errors import BadInput, unknown

Kind = Literal["encoder", "decoder", "encoder-decoder"]
Place = Literal["encoder", "decoder", "cross"]
Stack = Literal["encoder", "decoder"]
Component = Literal[
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.output",
    "cross.query",
    "cross.key",
    "cross.value",
    "cross.output",
    "ffn",
]


@dataclass(frozen=True)
class Family:
    """One model family.  Patterns match whole module paths of the bare model.

    components: name → pattern, or (pattern, i, n) for the i-th of n equal shares of the output.
    attentions: place → pattern of the modules that call the attention function.
    """

    kind: Kind
    components: Mapping[str, str | tuple[str, int, int]]
    attentions: Mapping[Place, str]
    absolute_positions: bool


FAMILIES: Mapping[str, Family] = {
    "t5": Family(
        kind="encoder-decoder",
        components={
            **{
                f"attention.{word}": rf".*SelfAttention\.{letter}"
                for word, letter in zip(("query", "key", "value", "output"), "qkvo", strict=True)
            },
            **{
                f"cross.{word}": rf".*EncDecAttention\.{letter}"
                for word, letter in zip(("query", "key", "value", "output"), "qkvo", strict=True)
            },
            "ffn": r".*DenseReluDense\.w[io](_\d)?",
        },
        attentions={
            "encoder": r"encoder\..*SelfAttention",
            "decoder": r"decoder\..*SelfAttention",
            "cross": r"decoder\..*EncDecAttention",
        },
        absolute_positions=False,
    ),
    "bert": Family(
        kind="encoder",
        components={
            "attention.query": r".*attention\.self\.query",
            "attention.key": r".*attention\.self\.key",
            "attention.value": r".*attention\.self\.value",
            "attention.output": r".*attention\.output\.dense",
            "ffn": r".*layer\.\d+\.(intermediate|output)\.dense",
        },
        attentions={"encoder": r".*attention\.self"},
        absolute_positions=True,
    ),
    "gpt2": Family(
        kind="decoder",
        components={
            "attention.query": (r".*attn\.c_attn", 0, 3),
            "attention.key": (r".*attn\.c_attn", 1, 3),
            "attention.value": (r".*attn\.c_attn", 2, 3),
            "attention.output": r".*attn\.c_proj",
            "ffn": r".*mlp\.c_(fc|proj)",
        },
        attentions={"decoder": r".*\.attn"},
        absolute_positions=True,
    ),
    "llama": Family(
        kind="decoder",
        components={
            **{
                f"attention.{word}": rf".*self_attn\.{letter}_proj"
                for word, letter in zip(("query", "key", "value", "output"), "qkvo", strict=True)
            },
            "ffn": r".*mlp\.(gate|up|down)_proj",
        },
        attentions={"decoder": r".*self_attn"},
        absolute_positions=False,
    ),
}
SAME = {"roberta": "bert", "mt5": "t5", "mistral": "llama", "qwen2": "llama"}


def family(model_type: str) -> Family:
    """The entry for a configuration's model type; BadInput names the families there are."""
    name = SAME.get(model_type) or model_type
    if name not in FAMILIES:
        raise unknown("model family", model_type, FAMILIES)
    return FAMILIES[name]


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

    def of(self, component: str) -> tuple[Part, ...]:
        """Parts of a component; BadInput if this model has none."""
        if component not in get_args(Component):
            raise unknown("component", component, get_args(Component))
        if not self.parts.get(component):
            have = ", ".join(name for name, parts in self.parts.items() if parts)
            raise BadInput(f"this base has no component {component!r}; it has: {have}")
        return self.parts[component]


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
    )


def _matches(rule: str | tuple[str, int, int], path: str) -> bool:
    return bool(re.fullmatch(rule if isinstance(rule, str) else rule[0], path))


def _part(kind: Kind, path: str, name: str, leaf: Any, rule: str | tuple[str, int, int]) -> Part:
    """A leaf as a part; GPT-2 stores its matrices (inputs, outputs), everyone else transposed."""
    conv = type(leaf).__name__ == "Conv1D"
    inputs, outputs = leaf.weight.shape if conv else leaf.weight.shape[::-1]
    _, i, n = (rule, 0, 1) if isinstance(rule, str) else rule
    stack: Stack = "encoder" if path.startswith("encoder.") or kind == "encoder" else "decoder"
    return Part(path, name, stack, inputs, i * outputs // n, (i + 1) * outputs // n)
