"""GPT-NeoX, as Pythia: query, key and value of each head in turn, in one matrix."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, fused_attention

declare(
    Architecture(
        kind="decoder",
        components={
            **fused_attention(r".*attention\.query_key_value", by_head=True),
            "attention.output": r".*attention\.dense",
            "ffn": r".*mlp\.dense_(h_to_4h|4h_to_h)",
        },
        other_modules={
            "layernorm.block": r".*layers\.\d+\.(input|post_attention)_layernorm",
            "layernorm.final": r".*final_layer_norm",
            "embeddings": r".*embed_in",
            "head": r"lm_head",
        },
        attention_modules={"decoder": r".*\.attention"},
        positions="rotary",
    ),
    {"gpt_neox": "GPT-NeoX (Pythia)"},
)
