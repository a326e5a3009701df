"""How many positions of a model a text may take.

The number in the configuration is that of the table's rows. RoBERTa and its relatives count from
behind the padding token, so that as many rows as its id, and one, are never reached by a text
(huggingface/transformers#14243).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peftcore.models.architectures import Architecture

# Model types that count positions from pad_token_id + 1.
COUNTED_BEHIND_PADDING = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "roberta-prelayernorm"}
    | {"data2vec-text", "xmod", "longformer", "ibert"}
)
POSITION_KEYS = ("max_position_embeddings", "n_positions")


def usable_window(architecture: Architecture, config: Mapping[str, Any]) -> int | None:
    """Return the longest input in tokens, special ones counted; None if there is no hard limit.

    config: a model's configuration as in its config.json.
    """
    if architecture.kind == "encoder-decoder" and not architecture.absolute_positions:
        return None
    rows = next((config[key] for key in POSITION_KEYS if config.get(key) is not None), None)
    if rows is None:
        return None
    padding = config.get("pad_token_id")
    offset = 1 + (1 if padding is None else int(padding))
    behind_padding = config.get("model_type") in COUNTED_BEHIND_PADDING
    return int(rows) - (offset if behind_padding else 0)
