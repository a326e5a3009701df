"""How many positions of a model a text may take, from its configuration alone.

The number in the configuration is that of the table's rows. RoBERTa and its relatives count from
behind the padding token, so that as many rows as its id, and one, are never reached by a text
(huggingface/transformers#14243).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peftcore.models.architectures import Architecture

POSITION_KEYS = ("max_position_embeddings", "n_positions")


def usable_window(architecture: Architecture, config: Mapping[str, Any]) -> int | None:
    """Return the longest input in tokens, special ones counted; None if there is no hard limit.

    config: a model's configuration as in its config.json; of some encoder-decoders it holds one
    for each stack.
    """
    own = config["decoder"] if isinstance(config.get("decoder"), dict) else config
    rows = next((own[key] for key in POSITION_KEYS if own.get(key) is not None), None)
    return architecture.usable_window(rows, config.get("pad_token_id"))
