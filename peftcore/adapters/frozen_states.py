"""States of examples that no adapter changes, computed once.

The base is frozen, so what enters the first layer that an adapter touches is the same for an
example at every step, for every seed, at every validation and point of a landscape. Kept are the
states at that layer; where an encoder is left alone as a whole, its final states, too, which also
serve answers.

The last digit of a sum depends on the rows of the batch. A training therefore plans in which
company the states of each example are computed, so that they are the same whichever example is met
first: by the run as a whole, by one that resumes in the middle, or by threads side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import torch
from torch import Tensor

from peftcore.adapters import lower_layers
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.data.task import Example
from peftcore.models.batching import IGNORE_INDEX, Batch, ExampleBatcher

MAX_CACHE_BYTES = 2**29  # of states kept; what comes later is computed each time it is met
Key = tuple[str, ...]


@dataclass
class PlannedPass:
    """Examples whose states are computed together, by whoever needs one of them first."""

    examples: list[Example]
    done: bool = False
    lock: Lock = field(default_factory=Lock)


class StateStore:
    """States (t, d) of rows by key, up to a number of bytes."""

    def __init__(self, left: bool = False) -> None:
        """Rows are padded on the left or on the right."""
        self.left, self.rows, self.free_bytes = left, dict[Key, Tensor](), MAX_CACHE_BYTES
        self.closed = False  # to what was not planned

    def states(
        self,
        keys: Sequence[Key],
        width: int,
        compute: Callable[[list[int]], Sequence[Tensor]],
        planned: bool = False,
    ) -> Tensor:
        """Return the states (n, width, d) of the rows with these keys, each computed once.

        compute: gets positions of rows and returns the states (t, d) of each.
        """
        fresh = {key: i for i, key in enumerate(keys) if key not in self.rows}
        found = compute(list(fresh.values())) if fresh else ()
        computed = dict(zip(fresh, found, strict=True))
        for key, states in computed.items():
            if self.free_bytes >= states.nbytes and (planned or not self.closed):
                self.free_bytes -= states.nbytes
                self.rows[key] = states
        rows = [computed[key] if key in computed else self.rows[key] for key in keys]
        return lower_layers.padded(rows, width, self.left)


def _source_key(example: Example) -> Key:
    """Name what an example's source reads."""
    return (example.id, example.source)


class FrozenStateBatcher:
    """An ExampleBatcher whose batches carry what the base computes below the adapter."""

    def __init__(
        self, adapted: AdaptedModel, batcher: ExampleBatcher, autocast: torch.dtype | None
    ) -> None:
        """Wrap a batcher; autocast is the dtype the base runs in, None for its own."""
        self.adapted, self.batcher, self.autocast = adapted, batcher, autocast
        self.encoder_store = StateStore()
        self.lower_store = StateStore(left=adapted.base.kind == "decoder")
        self.planned: dict[Key, PlannedPass] = {}

    def plan(self, companies: Iterable[Sequence[Example]]) -> None:
        """Fix which examples' states are computed together, as many as there is room to keep.

        What stands in no company, or finds no room, is computed each time it is met, and not kept.
        """
        stores = (self.encoder_store, self.lower_store)
        self.planned, room = {}, min(store.free_bytes for store in stores)
        width = self.adapted.base.structure.width
        for company in companies:
            own = {_source_key(e): e for e in company if _source_key(e) not in self.planned}
            if not own:
                continue
            planned = PlannedPass(list(own.values()))
            batch = self.batcher.batch(planned.examples)
            tokens = max(int(batch.attention_mask.sum()), int(self._lower_mask(batch).sum()))
            room -= tokens * width * torch.float32.itemsize
            if room < 0:
                break
            self.planned |= dict.fromkeys(own, planned)
        for store in stores:
            store.closed = True

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """Batch the examples in their order on the base's device, with their states."""
        for key in map(_source_key, examples):
            planned = self.planned.get(key)
            if planned is None or planned.done:
                continue
            with planned.lock:  # another thread may be at it
                if not planned.done:
                    self._batch(planned.examples, keep=True)
                    planned.done = True
        return self._batch(examples, with_targets)

    def _batch(
        self, examples: Sequence[Example], with_targets: bool = True, keep: bool = False
    ) -> Batch:
        """Batch the examples with their states; keep: also those of a store that is closed."""
        batch = self.batcher.batch(examples, with_targets)
        sources = list(map(_source_key, examples))
        if self.adapted.encoder_untouched:
            states = self.encoder_store.states(
                sources,
                batch.input_ids.shape[1],
                lambda rows: self._encode(batch.rows(rows)),
                keep,
            )
            batch = replace(batch, encoder_states=states)
        in_encoder = self.adapted.first_touched.stack == "encoder"
        # Generation reads a decoder's lower layers word by word: known states do not help there.
        if not self.adapted.can_resume or not (in_encoder or with_targets):
            return batch
        keys = [(e.id, e.source, "" if in_encoder else e.target) for e in examples]
        width = self._lower_mask(batch).shape[1]
        states = self.lower_store.states(
            keys, width, lambda rows: self._compute_lower(batch.rows(rows)), keep
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
