"""Runs one attention layer with and without an adapter, on inputs that can be kept the same.

"Single layer": only this layer has the adapter, so that all below it, and hence its inputs, are
those of the untouched base; then the prefix theory applies exactly.  "Whole stack": every layer has
it, and from the second one on inputs differ.  Positions of the content are the same in both passes,
unless `shift_positions` moves them by the prefix's length, as happens where a prefix is passed off
as a cache of earlier tokens.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from peftcore import tasks
from peftcore.adapters.adapted_model import AdaptedModel, shared_copy
from peftcore.adapters.initializers import SeededInitializer
from peftcore.adapters.mixing import MemberMixture
from peftcore.adapters.module_hooks import add_output_hook
from peftcore.analysis import limits
from peftcore.errors import BadInput
from peftcore.labs.attention.capture import MAX_SHOWN_TOKENS, check_length, generate_answer
from peftcore.methods.prefix_tuning import PrefixTuning
from peftcore.models.batching import ExampleBatcher
from peftcore.training.predict import typed_example

if TYPE_CHECKING:
    from peftcore.data.task import Example
    from peftcore.models.attention import AttentionRecord, Prefix
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch

Precision = Literal["fp32", "fp64", "bf16"]
DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "bf16": torch.bfloat16,
}


@dataclass(frozen=True)
class ProbeOptions:
    """The options of the two passes."""

    single_layer: bool = True  # only the layer in question has the adapter
    shift_positions: bool = False  # the prefix moves the content's positions
    length: int | None = None  # prefix positions used, the first ones; None: all


@dataclass(frozen=True)
class ActiveParts:
    """Which parts of an adapter are active in one pass, and how far positions are shifted."""

    block_paths: frozenset[str] | None  # attention blocks; None: all of the model
    length: int | None = None  # prefix positions, the first ones; None: all
    position_shift: int = 0

    def includes_module(self, path: str) -> bool:
        """Return whether a module's output is adapted: all of them, or those in the blocks."""
        return self.block_paths is None or any(
            path.startswith(f"{block_path}.") for block_path in self.block_paths
        )

    def limit_prefix(self, block_path: str, prefix: Prefix | None) -> Prefix | None:
        """Return what an attention block gets of its prefix, (n, h, p, e) key and value."""
        if prefix is None or (self.block_paths is not None and block_path not in self.block_paths):
            return None
        key, value = prefix
        return key[:, :, : self.length], value[:, :, : self.length]


# A context variable, because pages share one probe among threads.
ACTIVE_PARTS: ContextVar[ActiveParts] = ContextVar("peftcore_active_parts")


def base_in_precision(base: BaseModel, precision: Precision) -> BaseModel:
    """Return a base whose model computes in this precision: itself, or with a copy of the model."""
    if precision == "fp32":
        return base
    return replace(base, model=copy.deepcopy(base.model).to(DTYPES[precision]))


def _is_active(path: str) -> bool:
    """Return whether the module at this path is adapted in the pass under way."""
    return ACTIVE_PARTS.get().includes_module(path)


class LayerProbe:
    """Runs an adapted model in one precision with its adapter active in chosen layers only.

    The adapter stays that of `adapted`; the probe has a copy of the module tree of its own, whose
    hooks ask which parts are active.
    """

    def __init__(
        self,
        adapted: AdaptedModel,
        precision: Precision = "fp32",
        base: BaseModel | None = None,
    ) -> None:
        """Take an adapted model, and its base in that precision if there is one already."""
        if adapted.adapter.injects == "prompt":
            raise BadInput(
                f"{adapted.adapter.title} puts soft tokens before the input instead of changing "
                "attention layers; choose a run with a prefix or with changed weights"
            )
        if adapted.towers:
            raise BadInput("this run reads the two texts of a pair apart; choose one that does not")
        self.adapted, self.seeds = adapted, adapted.seeds
        self.base = base or base_in_precision(adapted.base, precision)
        self.model: Any = shared_copy(self.base.model)
        for path in adapted.adapter.target_modules():
            active = functools.partial(_is_active, path)
            add_output_hook(self.model, adapted.adapter, path, active)

    def _model_inputs(self, batch: Batch, mix: MemberMixture, shift: int) -> dict[str, Any]:
        inputs = self.adapted.model_inputs(batch, mix)
        if self.base.kind == "encoder-decoder":
            written = self.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
            inputs["decoder_input_ids"] = written
            way = self.base.structure.architecture.positions
            if way == "absolute" and shift:
                raise BadInput(
                    f"{self.base.name} counts its positions by itself, so they cannot be moved"
                )
            if way == "rotary":
                for name, ids in (("", batch.input_ids), ("decoder_", written)):
                    own = torch.arange(ids.shape[1], device=ids.device)[None]  # (1, t)
                    inputs[f"{name}position_ids"] = own + shift
            return inputs  # relative positions have no number to move
        if not shift:
            return inputs
        count, window = batch.input_ids.shape[1], self.base.structure.window
        if window and count + shift > window:
            raise BadInput(
                f"{count} tokens moved by {shift} positions do not fit into the {window} positions "
                f"of {self.base.name}; shorten the text or the prefix"
            )
        positions = torch.arange(count, device=batch.input_ids.device)[None]  # (1, t)
        positions = positions + self.base.structure.first_position
        inputs["position_ids"] = inputs.get("position_ids", positions) + shift
        return inputs

    @torch.no_grad()
    def record_layers(
        self, batch: Batch, seed_index: int, block_paths: Sequence[str], active: ActiveParts
    ) -> dict[str, AttentionRecord]:
        """Record these attention blocks for a batch of one row under one seed's adapter."""
        adapted = self.adapted
        seed_tensors = {name: tensor[[seed_index]] for name, tensor in adapted.tensors.items()}
        reset_token = ACTIVE_PARTS.set(active)
        try:
            with adapted.active(adapted.centroid(1), 1, seed_tensors, block_paths) as (mix, call):
                whole_prefix = call.prefix
                call.prefix = lambda path, n: active.limit_prefix(path, whole_prefix(path, n))
                inputs = self._model_inputs(batch, mix, active.position_shift)
                mix.token_masks = adapted.token_masks(batch, inputs["attention_mask"])
                cache = {} if self.base.kind == "encoder" else {"use_cache": False}
                self.model(**inputs, **cache)
        finally:
            ACTIVE_PARTS.reset(reset_token)
        return {record.block_path: record for record in call.records}


def probe_layers(
    layer_probe: LayerProbe,
    example: Example,
    block_paths: Sequence[str],
    options: ProbeOptions,
    seed_index: int = 0,
) -> dict[str, limits.LayerComparison]:
    """Compare each of these attention blocks with itself without the adapter, for one example.

    BadInput for a block or seed that does not exist, or a text too long to be measured.
    """
    batch = _check_and_batch(layer_probe, example, block_paths, seed_index)
    base_records = layer_probe.record_layers(
        batch, seed_index, block_paths, ActiveParts(frozenset())
    )
    # One pass for each block where they are adapted alone, a single pass for the whole stack.
    groups = [[path] for path in block_paths] if options.single_layer else [list(block_paths)]
    shift = _prefix_length(layer_probe, options) if options.shift_positions else 0
    comparisons = {}
    for group in groups:
        active_paths = frozenset(group) if options.single_layer else None
        adapted_records = layer_probe.record_layers(
            batch, seed_index, group, ActiveParts(active_paths, options.length, shift)
        )
        for path in group:
            comparisons[path] = limits.compare_layers(
                _layer_arrays(base_records[path]), _layer_arrays(adapted_records[path])
            )
    return comparisons


def _check_and_batch(
    layer_probe: LayerProbe, example: Example, block_paths: Sequence[str], seed_index: int
) -> Batch:
    """Return the example as a batch of one row; BadInput if the question makes no sense."""
    if not 0 <= seed_index < layer_probe.seeds:
        raise BadInput(f"seed must lie in [0, {layer_probe.seeds - 1}]; got {seed_index}")
    known_paths = [block.path for block in layer_probe.base.structure.attention_blocks]
    if unknown_paths := [path for path in block_paths if path not in known_paths]:
        raise BadInput(
            f"no attention block {unknown_paths[0]!r}; there are: {', '.join(known_paths)}"
        )
    batch = ExampleBatcher(layer_probe.base, ()).batch([example])
    answer_ids = batch.targets if layer_probe.base.kind == "encoder-decoder" else None
    tokens = batch.input_ids.shape[1] + (0 if answer_ids is None else answer_ids.shape[1])
    # Weights grow with the square of the length: a page of text would fill the memory.
    if tokens > MAX_SHOWN_TOKENS:
        raise BadInput(
            f"this input has {tokens} tokens; up to {MAX_SHOWN_TOKENS} are measured, so shorten it"
        )
    return batch


def _prefix_length(layer_probe: LayerProbe, options: ProbeOptions) -> int:
    """Return how many positions the prefix takes where it is longest."""
    adapter = layer_probe.adapted.adapter
    full_length = adapter.virtual_tokens(adapter.config)
    return min(full_length, options.length or full_length)


def _layer_arrays(record: AttentionRecord) -> limits.AttentionLayer:
    """Return the only row of a record; from here on everything is in double precision."""

    def array(tensor: Tensor) -> limits.Array:
        """Return the row of (1, h, …) in double precision."""
        return tensor[0].double().cpu().numpy()

    return limits.AttentionLayer(
        array(record.weights), array(record.value), array(record.output), record.prefix_length
    )


def random_prefix(base: BaseModel, length: int, seed: int = 0) -> AdaptedModel:
    """Adapt a base by a prefix of N(0, 1) keys and values in every attention block."""
    initializer = SeededInitializer([seed], 1)
    adapter = PrefixTuning(base, PrefixTuning.Config.make({"length": length}), initializer)
    for name, tensor in adapter.tensors.items():
        if name.startswith("value:"):
            tensor.mul_(10)  # values start at a tenth in training
    return AdaptedModel(base, adapter, initializer, 2 if base.kind == "encoder" else 0).to(
        str(base.device)
    )


def example_for(task: str, adapted: AdaptedModel, text: str | None, seed_index: int = 0) -> Example:
    """Return a task's first test example, or a typed text with the answer the adapter writes to it.

    A decoder's layers are measured while it reads that answer.
    """
    if text is None:
        return tasks.find_task(task).load("test")[0]
    example = typed_example(text)
    if adapted.base.kind == "encoder":
        return example
    check_length(adapted.base, example)  # before it is answered
    return replace(example, target=generate_answer(adapted, example, seed_index, 40))
