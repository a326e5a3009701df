"""Initial values from real text: its embeddings, or the keys and values of the base.

A prompt may start as the words of an instruction, a prefix as what every attention block of the
untouched base would have attended to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from peftcore.errors import BadInput
from peftcore.models import attention

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

    from peftcore.models.base_model import BaseModel


def token_ids(base: BaseModel, text: str) -> Tensor:
    """Tokenise a text to ids (t,) without special tokens; BadInput if none are left."""
    ids: list[int] = base.tokenizer(text, add_special_tokens=False).input_ids
    if not ids:
        raise BadInput(f"start 'text' needs a text with at least one token; got {text!r}")
    return torch.tensor(ids)


def text_embeddings(base: BaseModel, text: str, length: int) -> Tensor:
    """Return embeddings (length, d) of a text's tokens, repeated or cut to the length."""
    ids = token_ids(base, text)
    return base.embeddings.detach()[ids.repeat(-(-length // len(ids)))[:length].to(base.device)]


@torch.no_grad()
def text_keys_and_values(
    base: BaseModel, text: str, length: int, block_paths: Collection[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return block path → keys and values (h, length, e) of a text's first tokens.

    The untouched base computes them; an encoder-decoder reads the text and writes it too. Where
    keys are rotated by their position the text stands directly before what will be read; where
    positions are learned embeddings it stands at the beginning, since nothing comes before it.
    BadInput if the text is too short.
    """
    ids = token_ids(base, text)[: base.structure.window]
    if len(ids) < length:
        raise BadInput(
            f"a prefix of length {length} needs a text of at least as many tokens; "
            f"{text!r} has {len(ids)}"
        )
    call = attention.AttentionContext(recorded_blocks=frozenset(block_paths))
    token = attention.ACTIVE_CONTEXT.set(call)
    try:
        base.model(**_reading_inputs(base, ids[None].to(base.device), length))
    finally:
        attention.ACTIVE_CONTEXT.reset(token)
    groups = base.structure.heads // base.structure.kv_heads  # records repeat key heads for queries
    return {
        record.block_path: (record.key[0, ::groups, :length], record.value[0, ::groups, :length])
        for record in call.records
    }


def _reading_inputs(base: BaseModel, ids: Tensor, length: int) -> dict[str, Any]:
    """Return the base's inputs for reading ids (1, t) whose first tokens become a prefix."""
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if base.kind == "encoder-decoder":
        inputs["decoder_input_ids"] = base.model.prepare_decoder_input_ids_from_labels(labels=ids)
    if base.kind != "encoder":
        inputs["use_cache"] = False
    if base.structure.architecture.positions == "rotary":
        before = torch.arange(ids.shape[1], device=ids.device)[None] - length
        inputs["position_ids"] = before
        if base.kind == "encoder-decoder":
            inputs["decoder_position_ids"] = before
    return inputs
