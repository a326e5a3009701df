"""Phi 1 and 2: one norm for attention and feed-forward, which stand side by side."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

declare(
    Architecture(
        kind="decoder",
        components={
            **named_attention(r".*self_attn", ("q_proj", "k_proj", "v_proj", "dense")),
            "ffn": r".*mlp\.fc[12]",
        },
        other_modules={
            "layernorm.block": r".*input_layernorm|.*[qk]_layernorm",
            "layernorm.final": r".*final_layernorm",
            "embeddings": r".*embed_tokens",
            "head": r"lm_head",
        },
        attention_modules={"decoder": r".*self_attn"},
        positions="rotary",
    ),
    {"phi": "Phi 1 and 2"},
)
