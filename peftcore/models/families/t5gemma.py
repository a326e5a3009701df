"""T5Gemma: an encoder and a decoder built like Gemma 2, with a look at the input between."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj")

declare(
    Architecture(
        kind="encoder-decoder",
        components={
            **named_attention(r".*self_attn", MATRICES),
            **named_attention(r".*cross_attn", MATRICES, "cross"),
            "ffn": r".*mlp\.(gate|up|down)_proj",
        },
        other_modules={
            "layernorm.block": r".*_layernorm",
            "layernorm.final": r".*\.norm",
            "embeddings": r".*embed_tokens",
            "head": r"lm_head\.out_proj",
        },
        attention_modules={
            "encoder": r"model\.encoder\..*self_attn",
            "decoder": r"model\.decoder\..*self_attn",
            "cross": r"model\.decoder\..*cross_attn",
        },
        positions="rotary",
        layernorm=("layernorm.block",),
    ),
    {"t5gemma": "T5Gemma"},
)
