"""Where each model architecture keeps its components: patterns over module paths.

A component is a named kind of module ("attention.query"). Some architectures keep query, key and
value in one matrix, so a pattern may come with a part of the output columns. Every file of
`families` declares one architecture and the model families that are built like it, or families that
are known and why they cannot be used; a new family is one more file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from peftcore.errors import BadInput, unknown_name
from peftcore.registry import Registry

ModelKind = Literal["encoder", "decoder", "encoder-decoder"]
AttentionKind = Literal["encoder", "decoder", "cross"]
Stack = Literal["encoder", "decoder"]
SelfAttention = Literal["attention.query", "attention.key", "attention.value", "attention.output"]
CrossAttention = Literal["cross.query", "cross.key", "cross.value", "cross.output"]
Component = Literal[SelfAttention, CrossAttention, "ffn"]
# What weights can be chosen by: a component, a group of them ("attention" is all of
# self-attention), or a kind that cuts across ("bias").
WeightChoice = Literal[
    "all",
    "layernorm",
    "layernorm.block",
    "layernorm.final",
    "layernorm.embedding",
    "attention",
    SelfAttention,
    "attention.relative",
    "cross",
    CrossAttention,
    "ffn",
    "bias",
    "embeddings",
    "head",
]
NORMS = ("layernorm.block", "layernorm.final", "layernorm.embedding")


# How a model tells positions apart: by a learned table, by the distance of query and key, or by
# rotating both. Only the last two can be moved as a whole.
Positions = Literal["absolute", "relative", "rotary"]
FUSED_PARTS = ("query", "key", "value")


@dataclass(frozen=True)
class FusedPart:
    """Query, key or value columns of a matrix that holds all three; pattern matches its path.

    by_head: query, key and value of the first head, then those of the second; else all queries,
    then all keys, then all values.
    """

    pattern: str
    part: Literal["query", "key", "value"]
    by_head: bool = False


Rule = str | FusedPart  # of a component's modules, or of a share of their output columns


def fused_attention(pattern: str, by_head: bool = False) -> dict[str, Rule]:
    """Return component → rule for a matrix that holds query, key and value."""
    return {
        "attention.query": FusedPart(pattern, "query", by_head),
        "attention.key": FusedPart(pattern, "key", by_head),
        "attention.value": FusedPart(pattern, "value", by_head),
    }


def named_attention(pattern: str, names: tuple[str, str, str, str], kind: str = "attention") -> Any:
    """Return component → rule where query, key, value and output have matrices of their own.

    pattern is that of the attention block, names those of its four matrices in this order.
    """
    words = (*FUSED_PARTS, "output")
    return {
        f"{kind}.{word}": rf"{pattern}\.{name}" for word, name in zip(words, names, strict=True)
    }


@dataclass(frozen=True)
class Architecture:
    """One model architecture; patterns match whole module paths of the model.

    components: name → pattern, or the part of a matrix that holds several components.

    other_modules: the same for modules whose weights can be trained but whose output no method
    changes.

    attention_modules: kind of attention → pattern of the modules that call the attention function.

    layernorm: the norms that the word "layernorm" stands for, as in SparseFit's own patterns.

    positions_after_padding: the position table's first rows belong to the padding's number and what
    lies before it, so the window is that much shorter.

    has_pooler: the library adds a pooler behind the encoder unless it is asked not to.

    own_attention: the library's modules compute attention inside; `own_attention` reaches it.
    """

    kind: ModelKind
    components: Mapping[str, Rule]
    other_modules: Mapping[str, str]
    attention_modules: Mapping[AttentionKind, str]
    positions: Positions
    layernorm: tuple[str, ...] = NORMS
    positions_after_padding: bool = False
    has_pooler: bool = False
    own_attention: bool = False

    @property
    def absolute_positions(self) -> bool:
        """True if positions are rows of a learned table."""
        return self.positions == "absolute"

    def first_position(self, pad_token_id: int | None) -> int:
        """Return the row of the position table that the first token takes."""
        number = 1 if pad_token_id is None else pad_token_id  # as in these families' configurations
        return (number + 1) * self.positions_after_padding

    def usable_window(self, positions: int | None, pad_token_id: int | None) -> int | None:
        """Return how many tokens fit into a position table of this size; None: no hard limit.

        An encoder-decoder's limit holds for what it reads and for what it writes, each.
        """
        if positions is None or (self.kind == "encoder-decoder" and not self.absolute_positions):
            return None
        return positions - self.first_position(pad_token_id)


@dataclass(frozen=True)
class Family:
    """A model family by the name that a configuration gives it (`model_type`)."""

    name: str
    title: str
    architecture: Architecture | None = None
    refused: str = ""  # why it cannot be used; only without an architecture


FAMILIES: Registry[Family] = Registry("model family", "peftcore.models.families")


def declare(architecture: Architecture, titles: Mapping[str, str]) -> None:
    """Register the families of an architecture: name in configurations → title for people."""
    for name, title in titles.items():
        FAMILIES.add(Family(name, title, architecture))


def refuse(reason: str, titles: Mapping[str, str]) -> None:
    """Register families that are known and cannot be used: name → title, with the reason."""
    for name, title in titles.items():
        FAMILIES.add(Family(name, title, refused=reason))


def supported_families() -> list[str]:
    """List the names of all families that can be used."""
    return [family.name for family in FAMILIES.values() if family.architecture]


def find_architecture(model_type: str, base: str = "") -> Architecture:
    """Return the architecture of a configuration's model type.

    BadInput says of which base, why it cannot be used, and what can.
    """
    supported = supported_families()
    if model_type in supported:
        architecture = FAMILIES[model_type].architecture
        assert architecture, "a family that is supported has one"
        return architecture
    subject = f"base {base!r}: " if base else ""
    if model_type not in FAMILIES:
        raise BadInput(f"{subject}{unknown_name('model family', model_type, supported)}")
    family = FAMILIES[model_type]
    raise BadInput(
        f"{subject}the family {family.title} ({model_type}) is not supported, because "
        f"{family.refused}; these families work: {', '.join(supported)}"
    )
