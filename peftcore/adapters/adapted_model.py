"""A frozen model wearing an adapter: members, coordinates, three seams.

The base model is never changed: an adapted model is a copy of its module tree that shares every
tensor, and the hooks live on the copy.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from peftcore.adapters.base import Adapter
from peftcore.adapters.initializers import SeededInitializer
from peftcore.adapters.mixing import ACTIVE_MIXTURE, MemberMixture, layer_key
from peftcore.models import attention
from peftcore.models.batching import IGNORE_INDEX, Batch

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


def shared_copy(model: nn.Module) -> nn.Module:
    """A copy of the module tree that shares every tensor, so hooks never touch the original."""
    return copy.deepcopy(model, {id(t): t for t in (*model.parameters(), *model.buffers())})


def pool_states(states: Tensor, batch: Batch, sentences: bool, pairs: bool) -> Tensor:
    """What a head reads of an encoder's states (n, t, d): (n, d), or (n, 1) for pairs of sentences.

    As the base was trained to be read: a sentence encoder by the mean over the tokens, and for two
    texts by the cosine of their means (arXiv:1908.10084); any other by its first token.
    """

    def mean(mask: Tensor) -> Tensor:
        weight = mask[..., None].to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1)

    if not sentences:
        return states[:, 0]
    if not pairs:
        return mean(batch.attention_mask)
    assert batch.text_numbers is not None, "an encoder's batch says which text a token belongs to"
    first, second = mean(batch.text_numbers == 1), mean(batch.text_numbers == 2)
    return nn.functional.cosine_similarity(first, second)[:, None]


class AdaptedModel:
    """The base model's shell with an adapter spliced in, and a head if there are labels.

    `tensors` holds what members have of their own, (s, v, …) each: the adapter's, and for encoders
    "head" (s, v, width, labels) with "head_bias" (s, v, 1, labels).  All but what the adapter calls
    fixed is trained.  `frozen` is saved with them and the same for all members: mean and scale by
    which what the head reads is standardised.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: Adapter,
        initializer: SeededInitializer,
        labels: int = 0,
        pairs: bool = False,
    ) -> None:
        self.base, self.adapter, self.labels, self.pairs = base, adapter, labels, pairs
        self.seeds, self.vertices = len(initializer.seeds), initializer.vertices
        self.tensors = dict(adapter.tensors)
        self.tensors_are_effective = False
        self.head_stats: dict[str, Tensor] = {}
        if labels:
            width = 1 if pairs and base.is_sentence_encoder else base.structure.width
            self.tensors["head"] = initializer.normal(width, labels, std=0.02)
            self.tensors["head_bias"] = initializer.constant(1, labels, value=0.0)
            self.head_stats = {"head_mean": torch.zeros(width), "head_scale": torch.ones(width)}
        for tensor in self.trainable_tensors.values():
            tensor.requires_grad_()
        self.model: Any = shared_copy(base.model)
        for path in adapter.target_modules():
            self.model.get_submodule(path).register_forward_hook(self._output_hook(path))
        adapter.edit_model(self.model)

    def _output_hook(self, path: str) -> Any:
        def hook(_: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
            mix = ACTIVE_MIXTURE.get()
            return out if mix is None else self.adapter.transform_output(path, args[0], out, mix)

        return hook

    @property
    def trainable_tensors(self) -> dict[str, Tensor]:
        """The tensors that are trained."""
        fixed = self.adapter.untrained_names()
        return {name: tensor for name, tensor in self.tensors.items() if name not in fixed}

    @property
    def trainable_count(self) -> int:
        """Numbers that one seed trains, all its vertices and its head."""
        return sum(tensor[0].numel() for tensor in self.trainable_tensors.values())

    @property
    def encoder_untouched(self) -> bool:
        """Whether an encoder's states are the base's own: nothing enters in it or below."""
        edited = type(self.adapter).edit_model is not Adapter.edit_model
        changed = edited or self.adapter.injects == "prompt"
        if self.base.kind == "decoder" or changed:
            return False
        with torch.no_grad():
            names = [*self.effective_tensors(self.tensors), *self.adapter.target_modules()]
        return all(name.rpartition(":")[2].startswith(("decoder.", "head")) for name in names)

    def with_tensors(self, effective: Mapping[str, Tensor]) -> AdaptedModel:
        """The same model with these effective tensors (s, v, …) as its members.

        Base, hooks and head statistics are shared; `effective_tensors` leaves the values as given.
        """
        other = copy.copy(self)
        other.tensors, other.tensors_are_effective = dict(effective), True
        other.seeds, other.vertices = next(iter(other.tensors.values())).shape[:2]
        return other

    def layer_keys(self) -> list[str]:
        """The shares of the adapter that draw points of their own where each layer does."""
        return sorted({layer_key(name) for name in self.effective_tensors(self.tensors)})

    def to(self, device: str) -> AdaptedModel:
        """The same adapter on this device; the base must be there already."""
        trainable = self.trainable_tensors.keys()
        for name, tensor in self.tensors.items():
            self.tensors[name] = tensor.detach().to(device).requires_grad_(name in trainable)
        self.head_stats = {name: tensor.to(device) for name, tensor in self.head_stats.items()}
        return self

    @torch.no_grad()
    def fit_head_stats(self, batch: Batch) -> None:
        """Set `frozen` from what the untouched base says of these examples."""
        model_inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        if batch.token_type_ids is not None:
            model_inputs["token_type_ids"] = batch.token_type_ids
        states = self.base.model(**model_inputs).last_hidden_state
        read = pool_states(states, batch, self.base.is_sentence_encoder, self.pairs)
        self.head_stats = {"head_mean": read.mean(0), "head_scale": read.std(0).clamp(min=1e-3)}

    def centroid(self, seeds: int | None = None) -> Tensor:
        """Coordinates (s, 1, v) of the middle of every seed's simplex."""
        return torch.full((seeds or self.seeds, 1, self.vertices), 1 / self.vertices)

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is mixed: the adapter's effective tensors and the head's."""
        if self.tensors_are_effective:
            return dict(tensors)
        heads = {name: tensors[name] for name in ("head", "head_bias") if name in tensors}
        return {**self.adapter.effective_tensors(tensors), **heads}

    @contextmanager
    def active(
        self,
        coords: Tensor,
        rows: int,
        tensors: Mapping[str, Tensor] | None,
        wanted: Collection[str] = (),
    ) -> Iterator[tuple[MemberMixture, attention.AttentionContext]]:
        """Everything the shell's hooks and the attention function need, while the block runs."""
        current = self.tensors if tensors is None else tensors
        effective = self.effective_tensors(current)
        per_seed = rows // coords.shape[-3]
        if coords.shape[-2] == 1:
            coords = coords.expand(*coords.shape[:-2], per_seed, -1)
        layer_keys = self.layer_keys() if coords.dim() == 4 else ()
        mix = MemberMixture(effective, coords.to(self.base.device), layer_keys)
        call = attention.AttentionContext(
            lambda site, n: self.adapter.prefix(site, mix, n), frozenset(wanted)
        )
        reset_tokens = ACTIVE_MIXTURE.set(mix), attention.ACTIVE_CONTEXT.set(call)
        try:
            yield mix, call
        finally:
            ACTIVE_MIXTURE.reset(reset_tokens[0])
            attention.ACTIVE_CONTEXT.reset(reset_tokens[1])

    def model_inputs(self, batch: Batch, mix: MemberMixture) -> dict[str, Any]:
        """Return the arguments of the model: the batch, with soft tokens where there are any.

        They stand in front, in encoders after the first token.
        """
        soft = self.adapter.soft_tokens(mix, len(batch.input_ids))
        kind: str = self.base.kind
        inputs: dict[str, Any] = {"attention_mask": batch.attention_mask}
        if batch.encoder_states is not None:
            inputs["encoder_outputs"] = BaseModelOutput(last_hidden_state=batch.encoder_states)
        elif soft is None:
            inputs["input_ids"] = batch.input_ids
        else:
            at = int(kind == "encoder")
            table = self.base.model.get_input_embeddings()

            def insert(rows: Tensor, new: Tensor) -> Tensor:
                return torch.cat([rows[:, :at], new, rows[:, at:]], 1)

            words = table(batch.input_ids)
            inputs["inputs_embeds"] = insert(words, soft.to(words.dtype))
            ones = batch.attention_mask.new_ones(soft.shape[:2])
            inputs["attention_mask"] = insert(batch.attention_mask, ones)
            if batch.token_type_ids is not None:
                batch = replace(batch, token_type_ids=insert(batch.token_type_ids, ones * 0))
        if kind == "decoder":  # rows are padded on the left
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
        if batch.token_type_ids is not None:
            inputs["token_type_ids"] = batch.token_type_ids
        return inputs

    def logits(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Label logits (n, labels) of an encoder; else target logits (n, t, words)."""
        return self._logits_and_costs(batch, coords, tensors)[0]

    def _logits_and_costs(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits, and the costs (n,) that the method counted on the way."""
        with self.active(coords, len(batch.input_ids), tensors) as (mix, _):
            return self._logits(batch, mix), mix.costs

    def _logits(self, batch: Batch, mix: MemberMixture) -> Tensor:
        inputs = self.model_inputs(batch, mix)
        mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
        if self.base.kind == "encoder":
            known = inputs.get("encoder_outputs")
            states = (self.model(**inputs) if known is None else known).last_hidden_state
            extra = states.shape[1] - batch.input_ids.shape[1]
            states = torch.cat([states[:, :1], states[:, 1 + extra :]], 1)  # content only
            read = pool_states(states, batch, self.base.is_sentence_encoder, self.pairs).float()
            read = (read - self.head_stats["head_mean"]) / self.head_stats["head_scale"]
            return mix.linear_output(read, "head") + mix("head_bias", len(read))[:, 0]
        assert batch.targets is not None, "logits need targets"
        if self.base.kind == "encoder-decoder":
            shifted = self.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
            return self.model(**inputs, decoder_input_ids=shifted, use_cache=False).logits
        length = batch.targets.shape[1]
        # Position t predicts t + 1, and soft tokens stand in front: count from the right.
        return self.model(**inputs, use_cache=False, logits_to_keep=length + 1).logits[:, :-1]

    def losses(
        self,
        batch: Batch,
        coords: Tensor,
        tensors: Mapping[str, Tensor] | None = None,
        with_costs: bool = False,
    ) -> Tensor:
        """Cross-entropy of each row (n,): of its label, or the mean over its target's tokens.

        costs: add what the method counts beside it, as in training.
        """
        logits, extra = self._logits_and_costs(batch, coords, tensors)
        task = self._cross_entropy(batch, logits.float())
        return task + torch.stack(extra).sum(0) if with_costs and extra else task

    def _cross_entropy(self, batch: Batch, logits: Tensor) -> Tensor:
        if self.base.kind == "encoder":
            assert batch.class_labels is not None, "a loss needs labels"
            return nn.functional.cross_entropy(logits, batch.class_labels, reduction="none")
        assert batch.targets is not None, "a loss needs targets"
        # As one long row of words: three times as fast as words on the second axis of three.
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=IGNORE_INDEX,
            reduction="none",
        ).view(batch.targets.shape)
        return each.sum(1) / (batch.targets != IGNORE_INDEX).sum(1)

    def token_masks(self, batch: Batch, mask: Tensor) -> dict[str, Tensor]:
        """For each stack which of its positions (n, t) are not padding."""
        if self.base.kind != "encoder-decoder":
            return {self.base.kind: mask}
        assert batch.targets is not None, "logits need targets"
        return {"encoder": mask, "decoder": batch.targets != IGNORE_INDEX}

    @torch.no_grad()
    def notes(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """What the method notes in one forward pass by name, such as coefficients of atoms."""
        with self.active(coords, len(batch.input_ids), tensors) as (mix, _):
            mix.notes = {}
            self._logits(batch, mix)
            return mix.notes

    @torch.no_grad()
    def generate(self, batch: Batch, coords: Tensor, **options: Any) -> Tensor:
        """New token ids (n, t) for the sources of a batch."""
        with self.active(coords, len(batch.input_ids), None) as (mix, _):
            inputs = self.model_inputs(batch, mix)
            inputs.pop("position_ids", None)  # the library counts them from the mask
            out = self.model.generate(**inputs, **options)
        seen = (
            batch.input_ids.shape[1] if "input_ids" in inputs and self.base.kind == "decoder" else 0
        )
        return out[:, seen:]

    @torch.no_grad()
    def record_attention(
        self, batch: Batch, coords: Tensor, block_paths: Collection[str]
    ) -> dict[str, attention.AttentionRecord]:
        """Queries, keys, values and weights of these attention blocks for one forward pass."""
        with self.active(coords, len(batch.input_ids), None, block_paths) as (mix, call):
            self._logits(batch, mix)
        return {record.block_path: record for record in call.records}
