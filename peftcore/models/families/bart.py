"""BART: learned positions on both sides, which begin at zero whatever is padded."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

MATRICES = ("q_proj", "k_proj", "v_proj", "out_proj")

declare(
    Architecture(
        kind="encoder-decoder",
        components={
            **named_attention(r".*self_attn", MATRICES),
            **named_attention(r".*encoder_attn", MATRICES, "cross"),
            "ffn": r".*layers\.\d+\.fc[12]",
        },
        other_modules={
            "layernorm.block": r".*layers\.\d+\.(self_attn|encoder_attn|final)_layer_norm",
            "layernorm.embedding": r".*layernorm_embedding",
            "embeddings": r".*(shared|embed_tokens|embed_positions)",
            "head": r"lm_head",
        },
        attention_modules={
            "encoder": r"model\.encoder\..*self_attn",
            "decoder": r"model\.decoder\..*self_attn",
            "cross": r"model\.decoder\..*encoder_attn",
        },
        positions="absolute",
    ),
    {"bart": "BART"},
)
