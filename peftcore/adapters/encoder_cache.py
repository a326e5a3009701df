"""Encoder states of examples, computed once where nothing that is trained changes them.

Adapters in the decoder alone, and heads alone, read the same states of an example at every step,
every validation and every point of a landscape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.data.task import Example
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import Batch, ExampleBatcher

MAX_CACHE_BYTES = 2**29  # of states kept; what comes later is computed each time it is met


class CachedEncoderBatcher:
    """An ExampleBatcher whose batches carry the base's encoder states."""

    def __init__(
        self, base: BaseModel, batcher: ExampleBatcher, autocast: torch.dtype | None
    ) -> None:
        """Wrap a batcher; autocast is the dtype the encoder runs in, None for its own."""
        self.base, self.batcher, self.autocast = base, batcher, autocast
        self.free_bytes = MAX_CACHE_BYTES
        self._states: dict[tuple[str, str], Tensor] = {}  # (t, d) of an example's id and text

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """Batch the examples in their order on the base's device, with their encoder states."""
        batch = self.batcher.batch(examples, with_targets)
        keys = [(example.id, example.source) for example in examples]
        fresh = {k: i for i, k in enumerate(keys) if k not in self._states}
        computed = dict(zip(fresh, self._encode(batch, list(fresh.values())), strict=True))
        for key, states in computed.items():
            if self.free_bytes >= states.nbytes:
                self.free_bytes -= states.nbytes
                self._states[key] = states
        rows = [computed[key] if key in computed else self._states[key] for key in keys]
        return replace(
            batch, encoder_states=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        )

    @torch.no_grad()
    def _encode(self, batch: Batch, rows: list[int]) -> list[Tensor]:
        """Compute the encoder states of some rows of a batch, each (t, d) without its padding."""
        if not rows:
            return []
        ids, mask = batch.input_ids[rows], batch.attention_mask[rows]
        model_inputs = {"input_ids": ids, "attention_mask": mask}
        if batch.token_type_ids is not None:
            model_inputs["token_type_ids"] = batch.token_type_ids[rows]
        model = self.base.model
        encoder = model if self.base.kind == "encoder" else model.get_encoder()
        with torch.autocast(ids.device.type, self.autocast, enabled=self.autocast is not None):
            states = encoder(**model_inputs).last_hidden_state
        lengths = mask.sum(1).tolist()
        return [own[:length].clone() for own, length in zip(states, lengths, strict=True)]


def choose_batcher(
    adapted: AdaptedModel, batcher: ExampleBatcher, autocast: torch.dtype | None
) -> ExampleBatcher | CachedEncoderBatcher:
    """Return the adapted model's batcher, with cached encoder states if they are constant."""
    return (
        CachedEncoderBatcher(adapted.base, batcher, autocast)
        if adapted.encoder_untouched
        else batcher
    )
