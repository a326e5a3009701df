"""ModernBERT: rotary positions, one matrix for query, key and value, windows in most layers."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, fused_attention

declare(
    Architecture(
        kind="encoder",
        components={
            **fused_attention(r".*attn\.Wqkv"),
            "attention.output": r".*attn\.Wo",
            "ffn": r".*mlp\.W[io]",
        },
        other_modules={
            "layernorm.block": r".*layers\.\d+\.(attn|mlp)_norm",
            "layernorm.final": r"final_norm",
            "layernorm.embedding": r"embeddings\.norm",
            "embeddings": r"embeddings\.tok_embeddings",
        },
        attention_modules={"encoder": r".*\.attn"},
        positions="rotary",
    ),
    {"modernbert": "ModernBERT"},
)
