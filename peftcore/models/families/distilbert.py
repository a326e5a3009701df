"""DistilBERT: BERT without token types, under names of its own."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

declare(
    Architecture(
        kind="encoder",
        components={
            **named_attention(r".*attention", ("q_lin", "k_lin", "v_lin", "out_lin")),
            "ffn": r".*ffn\.lin[12]",
        },
        other_modules={
            "layernorm.block": r".*layer\.\d+\.(sa|output)_layer_norm",
            "layernorm.embedding": r"embeddings\.LayerNorm",
            "embeddings": r".*(word|position)_embeddings",
        },
        attention_modules={"encoder": r".*\.attention"},
        positions="absolute",
    ),
    {"distilbert": "DistilBERT"},
)
