"""Llama and what is built like it: rotary positions, grouped heads, gated feed-forwards."""

from __future__ import annotations

from dataclasses import replace

from peftcore.models.architectures import Architecture, declare, named_attention

LLAMA = Architecture(
    kind="decoder",
    components={
        **named_attention(r".*self_attn", ("q_proj", "k_proj", "v_proj", "o_proj")),
        "ffn": r".*mlp\.(gate|up|down)_proj",
    },
    other_modules={
        "layernorm.block": r".*_layernorm",
        "layernorm.final": r"(.*\.)?norm",
        "embeddings": r".*embed_tokens",
        "head": r"lm_head",
    },
    attention_modules={"decoder": r".*self_attn"},
    positions="rotary",
    layernorm=("layernorm.block",),  # the final one is called `norm`, and not matched
)
declare(LLAMA, {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "smollm3": "SmolLM3"})
# Norms of each head's query and key stand between the matrices and the attention function.
HEAD_NORMS = replace(
    LLAMA, other_modules={**LLAMA.other_modules, "layernorm.block": r".*_layernorm|.*[qk]_norm"}
)
declare(HEAD_NORMS, {"qwen3": "Qwen3"})
