"""GPT-Neo: GPT-2 with matrices of their own, whose layers see all or a window in turn."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

declare(
    Architecture(
        kind="decoder",
        components={
            **named_attention(r".*attn\.attention", ("q_proj", "k_proj", "v_proj", "out_proj")),
            "ffn": r".*mlp\.c_(fc|proj)",
        },
        other_modules={
            "layernorm.block": r".*\.ln_[12]",
            "layernorm.final": r".*ln_f",
            "embeddings": r".*w[tp]e",
            "head": r"lm_head",
        },
        attention_modules={"decoder": r".*attn\.attention"},
        positions="absolute",
        own_attention=True,
    ),
    {"gpt_neo": "GPT-Neo"},
)
