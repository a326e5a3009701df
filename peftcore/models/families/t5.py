"""T5 and what is built like it: relative positions, which a table turns into a bias."""

from __future__ import annotations

from peftcore.models.architectures import Architecture, declare, named_attention

T5 = Architecture(
    kind="encoder-decoder",
    components={
        **named_attention(r".*SelfAttention", ("q", "k", "v", "o")),
        **named_attention(r".*EncDecAttention", ("q", "k", "v", "o"), "cross"),
        "ffn": r".*DenseReluDense\.w[io](_\d)?",
    },
    other_modules={
        "layernorm.block": r".*\.layer_norm",
        "layernorm.final": r".*final_layer_norm",
        "attention.relative": r".*SelfAttention\.relative_attention_bias",
        "embeddings": r"shared|.*embed_tokens",
        "head": r"lm_head",
    },
    attention_modules={
        "encoder": r"encoder\..*SelfAttention",
        "decoder": r"decoder\..*SelfAttention",
        "cross": r"decoder\..*EncDecAttention",
    },
    positions="relative",
)
declare(T5, {"t5": "T5", "mt5": "mT5", "umt5": "umT5"})
