"""One attention layer with and without an adapter, on inputs that can be kept the same.

"Alone": only this layer wears the adapter, so that all below it, and hence its inputs, are those
of the untouched base; then the prefix theory applies exactly.  "Whole stack": every layer wears it,
and from the second one on inputs differ.  Positions of the content are the same in both passes,
unless `naive` moves them by the prefix's length, as happens where a prefix is passed off as a cache
of earlier tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from peftcore.adapters.adapted_model import AdaptedModel, shared_copy
from peftcore.adapters.base import Adapter
from peftcore.adapters.mixing import MemberMixture
from peftcore.analysis import limits
from peftcore.errors import BadInput
from peftcore.labs.attention.capture import MAX_SHOWN_TOKENS
from peftcore.models.batching import ExampleBatcher

if TYPE_CHECKING:
    from peftcore.data.task import Example
    from peftcore.models.attention import AttentionRecord
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
    """How the two passes are made."""

    single_layer: bool = True  # only the layer in question wears the adapter
    shift_positions: bool = False  # the prefix moves the content's positions
    length: int | None = None  # prefix positions used, the first ones; None: all


@dataclass(frozen=True)
class ActiveParts:
    """What is worn in one pass: sites (None: all), positions of the prefix, shift of positions."""

    block_paths: frozenset[str] | None
    length: int | None = None
    position_shift: int = 0


ACTIVE_PARTS: ContextVar[ActiveParts] = ContextVar("peftcore_active_parts")


class _PartialAdapter:
    """An adapter of which only some sites are worn, as the context says."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def prefix(self, site: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        active = ACTIVE_PARTS.get()
        if active.block_paths is not None and site not in active.block_paths:
            return None
        prefix = self._adapter.prefix(site, mix, n)
        if prefix is None:
            return None
        key, value = prefix
        return key[:, :, : active.length], value[:, :, : active.length]

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        active = ACTIVE_PARTS.get()
        if active.block_paths is not None and not any(
            _in_block(path, block_path) for block_path in active.block_paths
        ):
            return out
        return self._adapter.transform_output(path, x, out, mix)


def _in_block(path: str, block_path: str) -> bool:
    """Whether a leaf belongs to an attention block."""
    return path.startswith(f"{block_path}.")


class LayerProbe(AdaptedModel):
    """An adapted model of its own, in one precision, that can wear its adapter layer by layer."""

    def __init__(self, adapted: AdaptedModel, precision: Precision = "fp32") -> None:
        if adapted.adapter.injects == "prompt":
            raise BadInput(
                f"{adapted.adapter.title} puts soft tokens before the input instead of changing "
                "attention layers; choose a run with a prefix or with changed weights"
            )
        vars(self).update(vars(adapted))
        model = copy.deepcopy(adapted.base.model) if precision != "fp32" else adapted.base.model
        self.base = replace(adapted.base, model=model.to(DTYPES[precision]))
        self.adapter: Any = _PartialAdapter(adapted.adapter)
        self.model = shared_copy(model)
        for path in adapted.adapter.target_modules():
            self.model.get_submodule(path).register_forward_hook(self._output_hook(path))

    def _model_inputs(self, batch: Batch, mix: MemberMixture) -> dict[str, Tensor]:
        inputs, shift = super()._model_inputs(batch, mix), ACTIVE_PARTS.get().position_shift
        if not shift or self.base.kind == "encoder-decoder":  # relative: there is no number to move
            return inputs
        count = batch.input_ids.shape[1]
        positions = torch.arange(count, device=batch.input_ids.device)[None]
        inputs["position_ids"] = inputs.get("position_ids", positions) + shift
        window = self.base.structure.window
        if window and count + shift > window:
            raise BadInput(
                f"{count} tokens moved by {shift} positions do not fit into the {window} positions "
                f"of {self.base.name}; shorten the text or the prefix"
            )
        return inputs

    @torch.no_grad()
    def record_layers(
        self, batch: Batch, seed_index: int, block_paths: Sequence[str], active: ActiveParts
    ) -> dict[str, AttentionRecord]:
        """What these attention blocks compute for one row under one seed's adapter."""
        seed_tensors = {name: tensor[[seed_index]] for name, tensor in self.tensors.items()}
        reset_token = ACTIVE_PARTS.set(active)
        try:
            with self.active(self.centroid(1), 1, seed_tensors, block_paths) as (mix, recorded):
                inputs = self._model_inputs(batch, mix)
                if self.base.kind == "encoder-decoder":
                    shifted = self.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
                    inputs |= {"decoder_input_ids": shifted}
                extra = {} if self.base.kind == "encoder" else {"use_cache": False}
                mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
                self.model(**inputs, **extra)
        finally:
            ACTIVE_PARTS.reset(reset_token)
        return {record.block_path: record for record in recorded.records}


def probe_layers(
    layer_probe: LayerProbe,
    example: Example,
    block_paths: Sequence[str],
    options: ProbeOptions,
    seed_index: int = 0,
) -> dict[str, limits.LayerComparison]:
    """Each of these attention blocks beside itself without the adapter, for one example."""
    if not 0 <= seed_index < layer_probe.seeds:
        raise BadInput(f"seed must lie in [0, {layer_probe.seeds - 1}]; got {seed_index}")
    known_paths = [block_path.path for block_path in layer_probe.base.structure.attention_blocks]
    if unknown_paths := [block_path for block_path in block_paths if block_path not in known_paths]:
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
    base_records = layer_probe.record_layers(
        batch, seed_index, block_paths, ActiveParts(frozenset())
    )
    comparisons = {}
    for path_group in (
        [[block_path] for block_path in block_paths]
        if options.single_layer
        else [list(block_paths)]
    ):
        active_paths = frozenset(path_group) if options.single_layer else None
        shift = _prefix_length(layer_probe, options) if options.shift_positions else 0
        adapted_records = layer_probe.record_layers(
            batch, seed_index, path_group, ActiveParts(active_paths, options.length, shift)
        )
        for block_path in path_group:
            comparisons[block_path] = limits.compare_layers(
                _layer_arrays(base_records[block_path]), _layer_arrays(adapted_records[block_path])
            )
    return comparisons


def _prefix_length(layer_probe: LayerProbe, options: ProbeOptions) -> int:
    """Positions the prefix takes where it is longest."""
    full_length = layer_probe.adapter.virtual_tokens(layer_probe.adapter.config)
    return min(full_length, options.length or full_length)


def _layer_arrays(record: AttentionRecord) -> limits.AttentionLayer:
    """The only row of a record, in double precision from here on."""

    def array(tensor: Tensor) -> limits.Array:
        return tensor[0].double().cpu().numpy()

    return limits.AttentionLayer(
        array(record.weights), array(record.value), array(record.output), record.prefix_length
    )


def random_prefix(base: BaseModel, length: int, seed: int = 0) -> AdaptedModel:
    """The base wearing a prefix of N(0, 1) keys and values in every attention block."""
    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.methods.prefix_tuning import PrefixTuning

    initializer = SeededInitializer([seed], 1)
    adapter = PrefixTuning(base, PrefixTuning.Config.make({"length": length}), initializer)
    for name, tensor in adapter.tensors.items():
        if name.startswith("value:"):
            tensor.mul_(10)  # values start at a tenth in training
    return AdaptedModel(base, adapter, initializer, 2 if base.kind == "encoder" else 0).to(
        str(base.device)
    )


def example_for(task: str, adapted: AdaptedModel, text: str | None, seed_index: int = 0) -> Example:
    """The first test example of a task, or a typed text with the answer the adapter writes to it.

    A decoder's layers are looked at while it reads that answer.
    """
    from peftcore import tasks
    from peftcore.labs.attention.capture import generate_answer
    from peftcore.training.predict import typed_example

    if text is None:
        return tasks.find_task(task).load("test")[0]
    example = typed_example(text)
    if adapted.base.kind == "encoder":
        return example
    return replace(example, target=generate_answer(adapted, example, seed_index, 40))
