"""What an encoder says of examples, computed once where nothing that is trained sits below it.

Adapters of a decoder alone, and heads alone, meet the same states of an example at every step, at
every look at dev and at every point of a landscape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peftcore.adapters.adapted_model import Adapted
from peftcore.data.task import Example
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import Batch, Encoder

BYTES = 2**29  # of states kept; what comes later is computed each time it is met


class Encoded:
    """Batches like an Encoder's, with the states of the base's encoder in them."""

    def __init__(self, base: BaseModel, encoder: Encoder, autocast: torch.dtype | None) -> None:
        self.base, self.encoder, self.autocast = base, encoder, autocast
        self.room = BYTES
        self._states: dict[tuple[str, str], Tensor] = {}  # (t, d) of an example's id and text

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """The examples as one batch on the base's device, in their order."""
        batch = self.encoder.batch(examples, with_targets)
        keys = [(example.id, example.source) for example in examples]
        fresh = {k: i for i, k in enumerate(keys) if k not in self._states}
        found = dict(zip(fresh, self._run(batch, list(fresh.values())), strict=True))
        for key, states in found.items():
            if self.room >= states.nbytes:
                self.room -= states.nbytes
                self._states[key] = states
        rows = [found[key] if key in found else self._states[key] for key in keys]
        return replace(batch, states=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True))

    @torch.no_grad()
    def _run(self, batch: Batch, rows: list[int]) -> list[Tensor]:
        """States of some rows of a batch, each (t, d) without its padding."""
        if not rows:
            return []
        ids, mask = batch.ids[rows], batch.mask[rows]
        given = {"input_ids": ids, "attention_mask": mask}
        if batch.types is not None:
            given["token_type_ids"] = batch.types[rows]
        model = self.base.model
        reader = model if self.base.kind == "encoder" else model.get_encoder()
        with torch.autocast(ids.device.type, self.autocast, enabled=self.autocast is not None):
            states = reader(**given).last_hidden_state
        lengths = mask.sum(1).tolist()
        return [own[:length].clone() for own, length in zip(states, lengths, strict=True)]


def reader(adapted: Adapted, encoder: Encoder, autocast: torch.dtype | None) -> Encoder | Encoded:
    """What makes the batches of an adapted model: with the encoder's states where they stay."""
    return Encoded(adapted.base, encoder, autocast) if adapted.encoder_untouched else encoder
