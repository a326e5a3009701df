"""BERT and ELECTRA, which is a BERT that may read narrower words and has no pooler."""

from __future__ import annotations

from dataclasses import replace

from peftcore.models.architectures import Architecture, declare, named_attention

BERT = Architecture(
    kind="encoder",
    components={
        **named_attention(r".*attention", ("self.query", "self.key", "self.value", "output.dense")),
        "ffn": r".*layer\.\d+\.(intermediate|output)\.dense",
    },
    other_modules={
        "layernorm.block": r".*layer\.\d+\.(attention\.)?output\.LayerNorm",
        "layernorm.embedding": r".*embeddings\.LayerNorm",
        "embeddings": r".*(word|position|token_type)_embeddings|embeddings_project",
    },
    attention_modules={"encoder": r".*attention\.self"},
    positions="absolute",
    has_pooler=True,
)
declare(BERT, {"bert": "BERT"})
declare(replace(BERT, has_pooler=False), {"electra": "ELECTRA"})
