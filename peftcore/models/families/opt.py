"""OPT: learned positions, and words that may be narrower than the model."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

declare(
    Architecture(
        kind="decoder",
        components={
            **named_attention(r".*self_attn", ("q_proj", "k_proj", "v_proj", "out_proj")),
            "ffn": r".*layers\.\d+\.fc[12]",
        },
        other_modules={
            "layernorm.block": r".*layers\.\d+\.(self_attn|final)_layer_norm",
            "layernorm.final": r".*decoder\.final_layer_norm",
            "embeddings": r".*(embed_tokens|embed_positions|project_in)",
            "head": r"lm_head|.*project_out",
        },
        attention_modules={"decoder": r".*self_attn"},
        positions="absolute",
    ),
    {"opt": "OPT"},
)
