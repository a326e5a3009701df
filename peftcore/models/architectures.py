"""Where each model architecture keeps its components: patterns over module paths.

A component is a named kind of module ("attention.query"). GPT-2 keeps three of them in one matrix,
so a pattern may come with a slice of the output columns. A new architecture is one more entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from peftcore.errors import unknown_name

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


@dataclass(frozen=True)
class Architecture:
    """One model architecture; patterns match whole module paths of the model.

    components: name → pattern, or (pattern, i, n) for the i-th of n equal slices of the output.

    other_modules: the same for modules whose weights can be trained but whose output no method
    changes.

    attention_modules: kind of attention → pattern of the modules that call the attention function.

    layernorm: the norms that the word "layernorm" stands for, as in SparseFit's own patterns.
    """

    kind: ModelKind
    components: Mapping[str, str | tuple[str, int, int]]
    other_modules: Mapping[str, str]
    attention_modules: Mapping[AttentionKind, str]
    absolute_positions: bool
    layernorm: tuple[str, ...] = NORMS


ARCHITECTURES: Mapping[str, Architecture] = {
    "t5": Architecture(
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
        other_modules={
            "layernorm.block": r".*\.layer_norm",
            "layernorm.final": r".*final_layer_norm",
            "attention.relative": r".*SelfAttention\.relative_attention_bias",
            "embeddings": r"shared|.*embed_tokens",
            "head": r"lm_head",
        },
        attention_modules={
            "encoder": r"encoder\..*SelfAttention",
            "decoder": r"decoder\..*SelfAttention",
            "cross": r"decoder\..*EncDecAttention",
        },
        absolute_positions=False,
    ),
    "bert": Architecture(
        kind="encoder",
        components={
            "attention.query": r".*attention\.self\.query",
            "attention.key": r".*attention\.self\.key",
            "attention.value": r".*attention\.self\.value",
            "attention.output": r".*attention\.output\.dense",
            "ffn": r".*layer\.\d+\.(intermediate|output)\.dense",
        },
        other_modules={
            "layernorm.block": r".*layer\.\d+\.(attention\.)?output\.LayerNorm",
            "layernorm.embedding": r".*embeddings\.LayerNorm",
            "embeddings": r".*(word|position|token_type)_embeddings",
        },
        attention_modules={"encoder": r".*attention\.self"},
        absolute_positions=True,
    ),
    "gpt2": Architecture(
        kind="decoder",
        components={
            "attention.query": (r".*attn\.c_attn", 0, 3),
            "attention.key": (r".*attn\.c_attn", 1, 3),
            "attention.value": (r".*attn\.c_attn", 2, 3),
            "attention.output": r".*attn\.c_proj",
            "ffn": r".*mlp\.c_(fc|proj)",
        },
        other_modules={
            "layernorm.block": r".*\.ln_[12]",
            "layernorm.final": r".*ln_f",
            "embeddings": r".*w[tp]e",
            "head": r"lm_head",
        },
        attention_modules={"decoder": r".*\.attn"},
        absolute_positions=True,
    ),
    "llama": Architecture(
        kind="decoder",
        components={
            **{
                f"attention.{word}": rf".*self_attn\.{letter}_proj"
                for word, letter in zip(("query", "key", "value", "output"), "qkvo", strict=True)
            },
            "ffn": r".*mlp\.(gate|up|down)_proj",
        },
        other_modules={
            "layernorm.block": r".*_layernorm",
            "layernorm.final": r"(.*\.)?norm",
            "embeddings": r".*embed_tokens",
            "head": r"lm_head",
        },
        attention_modules={"decoder": r".*self_attn"},
        absolute_positions=False,
        layernorm=("layernorm.block",),  # the final one is called `norm`, and not matched
    ),
}
SAME_ARCHITECTURE = {"roberta": "bert", "mt5": "t5", "mistral": "llama", "qwen2": "llama"}


def find_architecture(model_type: str) -> Architecture:
    """Return the entry for a configuration's model type; BadInput names those there are."""
    name = SAME_ARCHITECTURE.get(model_type) or model_type
    if name not in ARCHITECTURES:
        raise unknown_name("model family", model_type, ARCHITECTURES)
    return ARCHITECTURES[name]
