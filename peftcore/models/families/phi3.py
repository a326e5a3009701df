"""Phi-3 and Phi-4: Llama with one matrix for query, key and value, and one for gate and up."""

from __future__ import annotations

from dataclasses import replace

from peftcore.models.architectures import declare, fused_attention
from peftcore.models.families.llama import LLAMA

declare(
    replace(
        LLAMA,
        components={
            **fused_attention(r".*self_attn\.qkv_proj"),
            "attention.output": r".*self_attn\.o_proj",
            "ffn": r".*mlp\.(gate_up|down)_proj",
        },
    ),
    {"phi3": "Phi-3"},
)
