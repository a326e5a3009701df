"""States of examples that no adapter changes, computed once.

The base is frozen, so what enters the first layer that an adapter touches is the same for an
example at every step, for every seed, at every validation and point of a landscape. Kept are the
states at that layer; where an encoder is left alone as a whole, its final states, too, which also
serve answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from peftcore.adapters import lower_layers
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.data.task import Example
from peftcore.models.batching import IGNORE_INDEX, Batch, ExampleBatcher

MAX_CACHE_BYTES = 2**29  # of states kept; what comes later is computed each time it is met
Key = tuple[str, ...]


class StateStore:
    """States (t, d) of rows by key, up to a number of bytes."""

    def __init__(self, left: bool = False) -> None:
        """Rows are padded on the left or on the right."""
        self.left, self.rows, self.free_bytes = left, dict[Key, Tensor](), MAX_CACHE_BYTES

    def states(
        self, keys: Sequence[Key], width: int, compute: Callable[[list[int]], Sequence[Tensor]]
    ) -> Tensor:
        """Return the states (n, width, d) of the rows with these keys, each computed once.

        compute: gets positions of rows and returns the states (t, d) of each.
        """
        fresh = {key: i for i, key in enumerate(keys) if key not in self.rows}
        found = compute(list(fresh.values())) if fresh else ()
        computed = dict(zip(fresh, found, strict=True))
        for key, states in computed.items():
            if self.free_bytes >= states.nbytes:
                self.free_bytes -= states.nbytes
                self.rows[key] = states
        rows = [computed[key] if key in computed else self.rows[key] for key in keys]
        return lower_layers.padded(rows, width, self.left)


class FrozenStateBatcher:
    """An ExampleBatcher whose batches carry what the base computes below the adapter."""

    def __init__(
        self, adapted: AdaptedModel, batcher: ExampleBatcher, autocast: torch.dtype | None
    ) -> None:
        """Wrap a batcher; autocast is the dtype the base runs in, None for its own."""
        self.adapted, self.batcher, self.autocast = adapted, batcher, autocast
        self.encoder_store = StateStore()
        self.lower_store = StateStore(left=adapted.base.kind == "decoder")

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """Batch the examples in their order on the base's device, with their states."""
        batch = self.batcher.batch(examples, with_targets)
        sources = [(example.id, example.source) for example in examples]
        if self.adapted.encoder_untouched:
            states = self.encoder_store.states(
                sources, batch.input_ids.shape[1], lambda rows: self._encode(batch.rows(rows))
            )
            batch = replace(batch, encoder_states=states)
        in_encoder = self.adapted.first_touched.stack == "encoder"
        # Generation reads a decoder's lower layers word by word: known states do not help there.
        if not self.adapted.can_resume or not (in_encoder or with_targets):
            return batch
        keys = [(e.id, e.source, "" if in_encoder else e.target) for e in examples]
        width = self._lower_mask(batch).shape[1]
        states = self.lower_store.states(
            keys, width, lambda rows: self._compute_lower(batch.rows(rows))
        )
        return replace(batch, lower_states=states)

    def _lower_mask(self, batch: Batch) -> Tensor:
        """Return where the stack whose lower layers are kept reads no padding (n, t)."""
        if self.adapted.base.kind == "encoder-decoder" and self.adapted.encoder_untouched:
            assert batch.targets is not None, "a decoder's states need targets"
            return batch.targets != IGNORE_INDEX
        return batch.attention_mask

    @torch.no_grad()
    def _compute_lower(self, batch: Batch) -> list[Tensor]:
        """Return the states (t, d) of each row of a batch that enter the first touched layer."""
        with self._precision(batch):
            states = self.adapted.states_below(batch)
        # In half precision the layers above round what they read in any case.
        states = states if self.autocast is None else states.to(self.autocast)
        return list(lower_layers.own_rows(states, self._lower_mask(batch)))

    @torch.no_grad()
    def _encode(self, batch: Batch) -> list[Tensor]:
        """Compute the encoder states (t, d) of each row of a batch."""
        model_inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        if batch.token_type_ids is not None:
            model_inputs["token_type_ids"] = batch.token_type_ids
        model = self.adapted.base.model
        encoder = model if self.adapted.base.kind == "encoder" else model.get_encoder()
        with self._precision(batch):
            states = encoder(**model_inputs).last_hidden_state
        return list(lower_layers.own_rows(states, batch.attention_mask))

    def _precision(self, batch: Batch) -> torch.autocast:
        return torch.autocast(
            batch.input_ids.device.type, self.autocast, enabled=self.autocast is not None
        )


def choose_batcher(
    adapted: AdaptedModel, batcher: ExampleBatcher, autocast: torch.dtype | None
) -> ExampleBatcher | FrozenStateBatcher:
    """Return the adapted model's batcher, with kept states if anything below it is constant."""
    return (
        FrozenStateBatcher(adapted, batcher, autocast)
        if adapted.encoder_untouched or adapted.can_resume
        else batcher
    )
