"""MPNet: RoBERTa with a bias by distance beside its learned positions."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

declare(
    Architecture(
        kind="encoder",
        components={
            **named_attention(r".*attention\.attn", ("q", "k", "v", "o")),
            "ffn": r".*layer\.\d+\.(intermediate|output)\.dense",
        },
        other_modules={
            "layernorm.block": r".*layer\.\d+\.(attention|output)\.LayerNorm",
            "layernorm.embedding": r"embeddings\.LayerNorm",
            "attention.relative": r"encoder\.relative_attention_bias",
            "embeddings": r".*(word|position)_embeddings",
        },
        attention_modules={"encoder": r".*attention\.attn"},
        positions="absolute",
        positions_after_padding=True,
        has_pooler=True,
        own_attention=True,
    ),
    {"mpnet": "MPNet"},
)
