"""A frozen base model with an adapter attached, for all members in one forward pass.

The base model is never changed: an adapted model is a copy of its module tree that shares every
tensor, and the hooks live on the copy.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from peftcore.adapters import half_precision, last_feed_forward, lower_layers
from peftcore.adapters.base import HEAD_STATS, Adapter
from peftcore.adapters.initializers import SeededInitializer
from peftcore.adapters.mixing import ACTIVE_MIXTURE, MemberMixture, layer_key
from peftcore.adapters.module_hooks import add_output_hook
from peftcore.errors import BadInput
from peftcore.models import attention
from peftcore.models.batching import IGNORE_INDEX, Batch

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

MIN_SCALE = 1e-3  # of a feature that hardly varies


def shared_copy(model: nn.Module) -> nn.Module:
    """Copy the module tree but share every tensor, so that hooks never touch the original."""
    return copy.deepcopy(model, {id(t): t for t in (*model.parameters(), *model.buffers())})


def insert_at(rows: Tensor, new: Tensor, places: Tensor) -> Tensor:
    """Insert new (n, p, …) into rows (n, t, …), each before its own place (n,): (n, t + p, …)."""
    count, total = new.shape[1], rows.shape[1] + new.shape[1]
    column = torch.arange(total, device=rows.device).expand(len(rows), -1)
    behind = column - places[:, None]  # how far behind the place
    # Taken from new and rows, one after the other: a row up to its place, the new, the rest.
    source = torch.where(behind < 0, column + count, torch.where(behind < count, behind, column))
    both = torch.cat([new, rows], 1)
    return both[torch.arange(len(rows), device=rows.device)[:, None], source]


def pool_states(states: Tensor, batch: Batch, sentences: bool, pairs: bool) -> Tensor:
    """Pool an encoder's states (n, t, d) for the head: (n, d), or (n, 1) for sentence pairs.

    Pooling follows how the base was trained: a sentence encoder takes the mean over the tokens and,
    for two texts, the cosine of their means (arXiv:1908.10084); any other takes its first token.
    """

    def mean(mask: Tensor) -> Tensor:
        """Average the states (n, t, d) over the tokens that mask (n, t) marks: (n, d)."""
        weight = mask[..., None].to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1)

    if not sentences:
        return states[:, 0]
    if not pairs:
        return mean(batch.attention_mask)
    assert batch.text_numbers is not None, "an encoder's batch says which text a token belongs to"
    first, second = mean(batch.text_numbers == 1), mean(batch.text_numbers == 2)
    return nn.functional.cosine_similarity(first, second)[:, None]


def split_pair(batch: Batch) -> tuple[Batch, Batch]:
    """Return a batch of pairs (n, t) as two batches of single texts, each between its own marks.

    An encoder's row begins with a mark and ends with one; both stand around each text again.
    """
    numbers, ids = batch.text_numbers, batch.input_ids
    assert numbers is not None, "an encoder's batch says which text a token belongs to"
    rows = torch.arange(len(ids), device=ids.device)
    last = ids[rows, batch.attention_mask.sum(1) - 1]  # the closing mark of each row
    halves = []
    for number in (1, 2):
        inside = numbers == number
        count = inside.sum(1)  # (n,)
        place = inside.cumsum(1)  # a token's place behind the opening mark
        width = int(count.max()) + 2
        text = ids[:, :1].repeat(1, width)
        text[rows[:, None].expand_as(ids)[inside], place[inside]] = ids[inside]
        text[rows, count + 1] = last
        mask = (torch.arange(width, device=ids.device) < count[:, None] + 2).to(
            batch.attention_mask.dtype
        )
        kinds = None if batch.token_type_ids is None else torch.zeros_like(text)
        halves.append(Batch(text * mask, mask, kinds, mask.to(numbers.dtype)))
    return halves[0], halves[1]


def _without_soft_tokens(states: Tensor, batch: Batch) -> Tensor:
    """Return an encoder's states (n, t, d) of the text; soft tokens follow the first token."""
    extra = states.shape[1] - batch.input_ids.shape[1]
    return torch.cat([states[:, :1], states[:, 1 + extra :]], 1)


def pair_features(first: Tensor, second: Tensor) -> Tensor:
    """Return u, v and |u − v| (n, 3 d) of the means u and v (n, d) of two texts."""
    return torch.cat([first, second, (first - second).abs()], -1)


class AdaptedModel:
    """A copy of the base with the adapter's hooks, and a classification head if there are labels.

    `tensors` holds what each member has of its own, (s, v, …): the adapter's tensors and, for
    encoders, "head" (s, v, width, labels) and "head_bias" (s, v, 1, labels). All are trained but
    those the adapter names as untrained, and "head_mean" and "head_scale" (s, 1, 1, width), which
    standardise the head's input and which a seed's vertices share.
    """

    def __init__(
        self,
        base: BaseModel,
        adapter: Adapter,
        initializer: SeededInitializer,
        labels: int = 0,
        pairs: bool = False,
        towers: bool = False,
    ) -> None:
        """Take a base and its adapter; towers: the two texts of a pair are read apart."""
        self.base, self.adapter, self.labels, self.pairs = base, adapter, labels, pairs
        self.towers = towers
        self.seeds, self.vertices = len(initializer.seeds), initializer.vertices
        self.tensors = dict(adapter.tensors)
        self.tensors_are_effective = False
        if labels:
            width = 1 if pairs and base.is_sentence_encoder else base.structure.width
            width = 3 * base.structure.width if towers else width
            self.tensors["head"] = initializer.normal(width, labels, std=0.02)
            self.tensors["head_bias"] = initializer.constant(1, labels, value=0.0)
            empty = self.tensors["head"].new_empty(self.seeds, 1, 1, width)  # maybe on "meta"
            self.tensors["head_mean"] = torch.zeros_like(empty)
            self.tensors["head_scale"] = torch.ones_like(empty)
        for tensor in self.trainable_tensors.values():
            tensor.requires_grad_()
        self.model: Any = shared_copy(base.model)
        for path in adapter.target_modules():
            add_output_hook(self.model, adapter, path)
        adapter.edit_model(self.model)
        self.first_touched = lower_layers.find_first_touched(adapter)
        # Whether passes can begin at the first layer that is touched.
        self.can_resume = not towers and lower_layers.make_skippable(
            self.model, base.structure, self.first_touched
        )
        last_feed_forward.make_short(self.model, adapter)
        half_precision.keep_converted(self.model)

    @property
    def trainable_tensors(self) -> dict[str, Tensor]:
        """Tensors that are trained, by name, each (s, v, …)."""
        fixed = {*self.adapter.untrained_names(), *HEAD_STATS}
        return {name: tensor for name, tensor in self.tensors.items() if name not in fixed}

    @property
    def trainable_count(self) -> int:
        """Numbers trained for one seed: all its vertices, and the head."""
        return sum(tensor[0].numel() for tensor in self.trainable_tensors.values())

    @property
    def encoder_untouched(self) -> bool:
        """True if encoder states are the base's: nothing is injected in or before it."""
        untouched = self.base.kind != "decoder" and self.first_touched.stack != "encoder"
        return untouched and not self.towers  # states of a pair read jointly are of no use then

    def with_tensors(self, effective: Mapping[str, Tensor]) -> AdaptedModel:
        """Return this model with other effective tensors (s, v, …) as its members.

        Base and hooks are shared; `effective_tensors` returns the values unchanged.
        """
        other = copy.copy(self)
        other.tensors, other.tensors_are_effective = dict(effective), True
        for first in [*other.tensors.values()][:1]:  # a method that trains nothing has none
            other.seeds, other.vertices = first.shape[:2]
        return other

    def one_seed(self, index: int) -> AdaptedModel:
        """Return the model whose only seed is this one, counted from 0."""
        effective = self.effective_tensors(self.tensors)  # (s, 1 or v, …)
        lone = self.with_tensors(
            {
                name: t[index : index + 1].detach().expand(1, self.vertices, *t.shape[2:])
                for name, t in effective.items()
            }
        )
        lone.seeds = 1
        return lone

    def layer_keys(self) -> list[str]:
        """List the layers that get a simplex point of their own if sampled per layer."""
        return sorted({layer_key(name) for name in self.effective_tensors(self.tensors)})

    def to(self, device: str) -> AdaptedModel:
        """Move the adapter's tensors to this device; the base must be there already."""
        trainable = self.trainable_tensors.keys()
        for name, tensor in self.tensors.items():
            self.tensors[name] = tensor.detach().to(device).requires_grad_(name in trainable)
        return self

    @torch.no_grad()
    def fit_head_stats(self, batches: Sequence[Batch]) -> None:
        """Standardise each seed's head on the untouched base's states of its own examples.

        batches: one for each seed. A single example has no spread; its features count as they are.
        """
        reads: dict[int, Tensor] = {}  # seeds may share a batch, which is passed once
        for batch in batches:
            if id(batch) in reads:
                continue
            reads[id(batch)] = self._read_by_base(batch)
        for seed, batch in enumerate(batches):
            read = reads[id(batch)]
            self.tensors["head_mean"][seed, 0, 0] = read.mean(0)
            if len(read) > 1:
                self.tensors["head_scale"][seed, 0, 0] = read.std(0).clamp(min=MIN_SCALE)

    def _read_by_base(self, batch: Batch) -> Tensor:
        """Return what the head reads (n, width) of the untouched base."""

        def states(part: Batch) -> Tensor:
            """Return the base's states (n, t, d)."""
            inputs = {"input_ids": part.input_ids, "attention_mask": part.attention_mask}
            if part.token_type_ids is not None:
                inputs["token_type_ids"] = part.token_type_ids
            found: Tensor = self.base.model(**inputs).last_hidden_state
            return found

        if self.towers:
            means = [pool_states(states(half), half, True, False) for half in split_pair(batch)]
            return pair_features(*means)
        return pool_states(states(batch), batch, self.base.is_sentence_encoder, self.pairs)

    def centroid(self, seeds: int | None = None) -> Tensor:
        """Return the coordinates (s, 1, v) of the middle of every seed's simplex."""
        return torch.full((seeds or self.seeds, 1, self.vertices), 1 / self.vertices)

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors (s, v, …) that are mixed: the adapter's and the head's."""
        if self.tensors_are_effective:
            return dict(tensors)
        heads = {
            name: tensors[name] for name in ("head", "head_bias", *HEAD_STATS) if name in tensors
        }
        return {**self.adapter.effective_tensors(tensors), **heads}

    @contextmanager
    def active(
        self,
        coords: Tensor,
        rows: int,
        tensors: Mapping[str, Tensor] | None,
        wanted: Collection[str] = (),
    ) -> Iterator[tuple[MemberMixture, attention.AttentionContext]]:
        """Make the adapter active for the hooks and the attention function inside the `with` block.

        rows is the batch size n, coords (s, r, v) or (l, s, r, v) with r 1 or n / s. `wanted` names
        the attention blocks whose inputs and weights are to be recorded.
        """
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

    def model_inputs(self, batch: Batch, mix: MemberMixture | None = None) -> dict[str, Any]:
        """Return the arguments of the model: the batch, with soft tokens where there are any.

        They stand in front, in encoders after the first token; without a mixture there are none. In
        a decoder whose layers look no further back than a window they stand directly before the
        text: in front of the padding, how far away they are would depend on the longest row.
        """
        soft = None if mix is None else self.adapter.soft_tokens(mix, len(batch.input_ids))
        kind: str = self.base.kind
        inputs: dict[str, Any] = {"attention_mask": batch.attention_mask}
        if batch.encoder_states is not None:
            inputs["encoder_outputs"] = BaseModelOutput(last_hidden_state=batch.encoder_states)
        elif soft is None:
            inputs["input_ids"] = batch.input_ids
        else:
            mask, at = batch.attention_mask, int(kind == "encoder")
            in_text = kind == "decoder" and self.base.structure.sees_window
            padding = (mask == 0).sum(1) if in_text else None

            def insert(rows: Tensor, new: Tensor) -> Tensor:
                """Insert new (n, p, …) among rows (n, t, …): (n, t + p, …)."""
                if padding is not None:
                    return insert_at(rows, new, padding)
                return torch.cat([rows[:, :at], new, rows[:, at:]], 1)

            words = self.base.model.get_input_embeddings()(batch.input_ids)
            soft = soft.to(words.dtype) * self.base.embedding_factor
            inputs["inputs_embeds"] = insert(words, soft)
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
        """Return label logits (n, labels) of an encoder, else target logits (n, t, words)."""
        return self._logits_and_costs(batch, coords, tensors)[0]

    def _logits_and_costs(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the logits and the extra costs (n,) that the method added on the way."""
        with (
            self.active(coords, len(batch.input_ids), tensors) as (mix, _),
            last_feed_forward.reading(self._read_positions(batch)),
        ):
            return self._logits(batch, mix), mix.costs

    def _read_positions(self, batch: Batch) -> slice | None:
        """Return the positions whose last states are read; None: all of them may be."""
        if self.base.kind == "encoder":
            means = self.towers or self.base.is_sentence_encoder  # over all positions
            return None if means else slice(0, 1)
        # The head reads the targets' positions, each one place before its target.
        return None if batch.targets is None else slice(-batch.targets.shape[1] - 1, None)

    def states_below(self, batch: Batch) -> Tensor:
        """Return the states (n, t, d) that enter the first touched layer, computed by the base."""

        def run() -> None:
            """Pass through the layers below; no adapter is active, none would be met."""
            if self.first_touched.stack == "encoder" and self.base.kind == "encoder-decoder":
                self.model.get_encoder()(batch.input_ids, attention_mask=batch.attention_mask)
            else:
                self._outputs(batch, self.model_inputs(batch))

        return lower_layers.compute(self.first_touched.layer, run)

    def _outputs(self, batch: Batch, inputs: dict[str, Any]) -> Any:
        """Return what the model returns for its inputs: final states of encoders, else logits."""
        if self.base.kind == "encoder":
            known = inputs.get("encoder_outputs")
            return self.model(**inputs) if known is None else known
        assert batch.targets is not None, "logits need targets"
        if self.base.kind == "encoder-decoder":
            shifted = self.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
            return self.model(**inputs, decoder_input_ids=shifted, use_cache=False)
        length, width = batch.targets.shape[1], inputs["attention_mask"].shape[1]
        # Position t predicts t + 1, and soft tokens stand in front: count from the right. Numbers
        # and no slice, because the head takes twice as long on rows that do not lie together.
        kept = torch.arange(width - length - 1, width - 1, device=batch.targets.device)
        return self.model(**inputs, use_cache=False, logits_to_keep=kept)

    def _text_means(self, batch: Batch, mix: MemberMixture) -> Tensor:
        """Return the means (n, d) of an encoder's states over the texts it reads alone."""
        inputs = self.model_inputs(batch, mix)
        mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
        states = self.model(**inputs).last_hidden_state
        return pool_states(_without_soft_tokens(states, batch), batch, True, False)

    def _logits(self, batch: Batch, mix: MemberMixture) -> Tensor:
        if self.towers:
            means = [self._text_means(half, mix) for half in split_pair(batch)]
            return self._head(pair_features(*means), mix)
        inputs = self.model_inputs(batch, mix)
        mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
        with lower_layers.resume(self.first_touched.layer, batch.lower_states):
            outputs = self._outputs(batch, inputs)
        if self.base.kind == "encoder":
            states = _without_soft_tokens(outputs.last_hidden_state, batch)
            sentences = self.base.is_sentence_encoder
            return self._head(pool_states(states, batch, sentences, self.pairs), mix)
        logits: Tensor = outputs.logits
        return logits

    def _head(self, read: Tensor, mix: MemberMixture) -> Tensor:
        """Return label logits (n, labels) of what the head reads (n, width), standardised."""
        read = read.float()
        mean, scale = (mix(name, len(read))[:, 0] for name in HEAD_STATS)
        read = (read - mean) / scale
        return mix.linear_output(read, "head") + mix("head_bias", len(read))[:, 0]

    def _check_read_jointly(self) -> None:
        """Raise BadInput where the two texts of a pair are read apart, each without the other."""
        if self.towers:
            raise BadInput(
                "this run reads the two texts of a pair apart; attention and hidden states are "
                "shown of runs that read them together"
            )

    def losses(
        self,
        batch: Batch,
        coords: Tensor,
        tensors: Mapping[str, Tensor] | None = None,
        with_costs: bool = False,
    ) -> Tensor:
        """Return the cross-entropy of each row (n,): of its label, or mean over its target.

        with_costs adds what the method counts beside it, as in training.
        """
        logits, extra = self._logits_and_costs(batch, coords, tensors)
        task = self._cross_entropy(batch, logits.float())
        return task + torch.stack(extra).sum(0) if with_costs and extra else task

    @torch.no_grad()
    def losses_and_hits(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of each row (n,), and 1 where its label is right, else 0 (n,).

        A base that writes is right where greedy search would write the label: each of its tokens is
        the likeliest after those before. That takes no pass of its own.
        """
        logits = self._logits_and_costs(batch, coords, tensors)[0].float()
        losses = self._cross_entropy(batch, logits)
        if self.base.kind == "encoder":
            assert batch.class_labels is not None, "a loss needs labels"
            return losses, logits.argmax(-1).eq(batch.class_labels).float()
        assert batch.targets is not None, "a loss needs targets"
        assert batch.label_lengths is not None, "a batch with targets says how long labels are"
        counted = batch.targets != IGNORE_INDEX
        decides = counted & (counted.cumsum(1) <= batch.label_lengths[:, None])
        return losses, ((logits.argmax(-1) == batch.targets) | ~decides).all(1).float()

    def _cross_entropy(self, batch: Batch, logits: Tensor) -> Tensor:
        """Return the cross-entropy (n,) of logits (n, labels) or (n, t, words)."""
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
        """Return for each stack which of its positions (n, t) are not padding."""
        if self.base.kind != "encoder-decoder":
            return {self.base.kind: mask}
        assert batch.targets is not None, "logits need targets"
        return {"encoder": mask, "decoder": batch.targets != IGNORE_INDEX}

    @torch.no_grad()
    def notes(
        self, batch: Batch, coords: Tensor, tensors: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return what the method notes in a pass by name, e.g. coefficients (n, t, m)."""
        with self.active(coords, len(batch.input_ids), tensors) as (mix, _):
            mix.notes = {}
            self._logits(batch, mix)
            return mix.notes

    @torch.no_grad()
    def generate(self, batch: Batch, coords: Tensor, **options: Any) -> Tensor:
        """Generate token ids (n, t) for the sources of a batch; options go to `model.generate`.

        An encoder-decoder with learned positions stops where its table ends.
        """
        window = self.base.structure.window
        if self.base.kind == "encoder-decoder" and window:
            options["max_new_tokens"] = min(options.get("max_new_tokens", window), window)
        with self.active(coords, len(batch.input_ids), None) as (mix, _):
            inputs = self.model_inputs(batch, mix)
            inputs.pop("position_ids", None)  # the library counts them from the mask
            with lower_layers.resume(self.first_touched.layer, batch.lower_states):
                out = self.model.generate(**inputs, **options)
        seen = (
            batch.input_ids.shape[1] if "input_ids" in inputs and self.base.kind == "decoder" else 0
        )
        return out[:, seen:]

    @torch.no_grad()
    def hidden_states(self, batch: Batch, coords: Tensor) -> dict[str, list[Tensor]]:
        """Return stack → states (n, t, d) as they enter it and behind each layer, soft tokens too.

        Those behind the last layer went through the stack's final norm.
        """
        self._check_read_jointly()
        with self.active(coords, len(batch.input_ids), None) as (mix, _):
            inputs = self.model_inputs(batch, mix)
            mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
            outputs = self._outputs(batch, {**inputs, "output_hidden_states": True})
        if self.base.kind != "encoder-decoder":
            return {self.base.kind: list(outputs.hidden_states)}
        return {
            "encoder": list(outputs.encoder_hidden_states),
            "decoder": list(outputs.decoder_hidden_states),
        }

    @torch.no_grad()
    def record_attention(
        self, batch: Batch, coords: Tensor, block_paths: Collection[str]
    ) -> dict[str, attention.AttentionRecord]:
        """Record queries, keys, values and weights of these attention blocks in one forward pass.

        The result maps a block's path to its record; shapes (b, h, q, e) and (b, h, q, p + k) as in
        `AttentionRecord`.
        """
        self._check_read_jointly()
        with self.active(coords, len(batch.input_ids), None, block_paths) as (mix, call):
            self._logits(batch, mix)
        return {record.block_path: record for record in call.records}
