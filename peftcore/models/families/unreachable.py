"""Families whose attention cannot be reached, each with the reason."""

from __future__ import annotations

from peftcore.models.architectures import refuse

refuse(
    "all its layers are one module that is called again and again, so that a prefix, a record or a "
    "change of one layer cannot be kept apart from that of another",
    {"albert": "ALBERT"},
)
refuse(
    "its attention reads positions through the same matrices as words, in a pass without rows, "
    "where adapters of several members cannot be kept apart",
    {"deberta-v2": "DeBERTa-v2 and v3"},
)
refuse(
    "the library computes its attention inside the module, where no prefix can enter and nothing "
    "can be recorded",
    {
        "bloom": "BLOOM",
        "deberta": "DeBERTa",
        "falcon": "Falcon",
        "led": "LED",
        "longformer": "Longformer",
        "longt5": "LongT5",
        "xlnet": "XLNet",
    },
)
refuse(
    "its layers are not attention over all positions",
    {"mamba": "Mamba", "mamba2": "Mamba 2", "rwkv": "RWKV"},
)
