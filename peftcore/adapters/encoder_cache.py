"""What an encoder says of examples, computed once where nothing that is trained sits below it.

Adapters of a decoder alone, and heads alone, meet the same states of an example at every step, at
every look at dev and at every point of a landscape.
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
    """Batches like an Encoder's, with the states of the base's encoder in them."""

    def __init__(
        self, base: BaseModel, batcher: ExampleBatcher, autocast: torch.dtype | None
    ) -> None:
        self.base, self.batcher, self.autocast = base, batcher, autocast
        self.free_bytes = MAX_CACHE_BYTES
        self._states: dict[tuple[str, str], Tensor] = {}  # (t, d) of an example's id and text

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """The examples as one batch on the base's device, in their order."""
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
        """States of some rows of a batch, each (t, d) without its padding."""
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
    """What makes the batches of an adapted model: with the encoder's states where they stay."""
    return (
        CachedEncoderBatcher(adapted.base, batcher, autocast)
        if adapted.encoder_untouched
        else batcher
    )
