"""GPT-2: one matrix for query, key and value."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, fused_attention

declare(
    Architecture(
        kind="decoder",
        components={
            **fused_attention(r".*attn\.c_attn"),
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
        positions="absolute",
    ),
    {"gpt2": "GPT-2"},
)
