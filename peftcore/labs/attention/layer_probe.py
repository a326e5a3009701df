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
from peftcore.labs.attention.capture import LIMIT
from peftcore.models.batching import Encoder

if TYPE_CHECKING:
    from peftcore.data.task import Example
    from peftcore.models.attention import AttentionRecord
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch

Precision = Literal["fp32", "fp64", "bf16"]
TYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "bf16": torch.bfloat16,
}


@dataclass(frozen=True)
class Switches:
    """How the two passes are made."""

    alone: bool = True  # only the layer in question wears the adapter
    naive: bool = False  # the prefix moves the content's positions
    length: int | None = None  # prefix positions used, the first ones; None: all


@dataclass(frozen=True)
class Worn:
    """What is worn in one pass: sites (None: all), positions of the prefix, shift of positions."""

    sites: frozenset[str] | None
    length: int | None = None
    shift: int = 0


WORN: ContextVar[Worn] = ContextVar("peftcore_worn")


class _Partly:
    """An adapter of which only some sites are worn, as the context says."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def prefix(self, site: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        worn = WORN.get()
        if worn.sites is not None and site not in worn.sites:
            return None
        found = self._adapter.prefix(site, mix, n)
        if found is None:
            return None
        key, value = found
        return key[:, :, : worn.length], value[:, :, : worn.length]

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        worn = WORN.get()
        if worn.sites is not None and not any(_within(path, site) for site in worn.sites):
            return out
        return self._adapter.transform_output(path, x, out, mix)


def _within(path: str, site: str) -> bool:
    """Whether a leaf belongs to an attention block."""
    return path.startswith(f"{site}.")


class Probe(AdaptedModel):
    """An adapted model of its own, in one precision, that can wear its adapter layer by layer."""

    def __init__(self, adapted: AdaptedModel, precision: Precision = "fp32") -> None:
        if adapted.adapter.injects == "prompt":
            raise BadInput(
                f"{adapted.adapter.title} puts soft tokens before the input instead of changing "
                "attention layers; choose a run with a prefix or with changed weights"
            )
        vars(self).update(vars(adapted))
        model = copy.deepcopy(adapted.base.model) if precision != "fp32" else adapted.base.model
        self.base = replace(adapted.base, model=model.to(TYPES[precision]))
        self.adapter: Any = _Partly(adapted.adapter)
        self.model = shared_copy(model)
        for path in adapted.adapter.target_modules():
            self.model.get_submodule(path).register_forward_hook(self._output_hook(path))

    def _model_inputs(self, batch: Batch, mix: MemberMixture) -> dict[str, Tensor]:
        given, shift = super()._model_inputs(batch, mix), WORN.get().shift
        if not shift or self.base.kind == "encoder-decoder":  # relative: there is no number to move
            return given
        count = batch.ids.shape[1]
        usual = torch.arange(count, device=batch.ids.device)[None]
        given["position_ids"] = given.get("position_ids", usual) + shift
        window = self.base.anatomy.window
        if window and count + shift > window:
            raise BadInput(
                f"{count} tokens moved by {shift} positions do not fit into the {window} positions "
                f"of {self.base.name}; shorten the text or the prefix"
            )
        return given

    @torch.no_grad()
    def layers(
        self, batch: Batch, seed_index: int, sites: Sequence[str], worn: Worn
    ) -> dict[str, AttentionRecord]:
        """What these attention blocks compute for one row under one seed's adapter."""
        own = {name: tensor[[seed_index]] for name, tensor in self.tensors.items()}
        token = WORN.set(worn)
        try:
            with self.active(self.centroid(1), 1, own, sites) as (mix, call):
                inputs = self._model_inputs(batch, mix)
                if self.base.kind == "encoder-decoder":
                    shifted = self.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
                    inputs |= {"decoder_input_ids": shifted}
                extra = {} if self.base.kind == "encoder" else {"use_cache": False}
                mix.token_masks = self.token_masks(batch, inputs["attention_mask"])
                self.model(**inputs, **extra)
        finally:
            WORN.reset(token)
        return {record.site: record for record in call.records}


def probe(
    probe: Probe,
    example: Example,
    sites: Sequence[str],
    switches: Switches,
    seed_index: int = 0,
) -> dict[str, limits.LayerComparison]:
    """Each of these attention blocks beside itself without the adapter, for one example."""
    if not 0 <= seed_index < probe.seeds:
        raise BadInput(f"seed must lie in [0, {probe.seeds - 1}]; got {seed_index}")
    known = [site.path for site in probe.base.anatomy.sites]
    if strange := [site for site in sites if site not in known]:
        raise BadInput(f"no attention block {strange[0]!r}; there are: {', '.join(known)}")
    batch = Encoder(probe.base, ()).batch([example])
    written = batch.targets if probe.base.kind == "encoder-decoder" else None
    tokens = batch.ids.shape[1] + (0 if written is None else written.shape[1])
    if tokens > LIMIT:  # weights grow with the square: a page of text would fill the memory
        raise BadInput(f"this input has {tokens} tokens; up to {LIMIT} are measured, so shorten it")
    plain = probe.layers(batch, seed_index, sites, Worn(frozenset()))
    found = {}
    for group in [[site] for site in sites] if switches.alone else [list(sites)]:
        chosen = frozenset(group) if switches.alone else None
        shift = _length(probe, switches) if switches.naive else 0
        worn = probe.layers(batch, seed_index, group, Worn(chosen, switches.length, shift))
        for site in group:
            found[site] = limits.compare_layers(_layer(plain[site]), _layer(worn[site]))
    return found


def _length(probe: Probe, switches: Switches) -> int:
    """Positions the prefix takes where it is longest."""
    whole = probe.adapter.virtual_tokens(probe.adapter.config)
    return min(whole, switches.length or whole)


def _layer(record: AttentionRecord) -> limits.AttentionLayer:
    """The only row of a record, in double precision from here on."""

    def array(tensor: Tensor) -> limits.Array:
        return tensor[0].double().cpu().numpy()

    return limits.AttentionLayer(
        array(record.weights), array(record.value), array(record.output), record.length
    )


def random_prefix(base: BaseModel, length: int, seed: int = 0) -> AdaptedModel:
    """The base wearing a prefix of N(0, 1) keys and values in every attention block."""
    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.methods.prefix_tuning import PrefixTuning

    draw = SeededInitializer([seed], 1)
    adapter = PrefixTuning(base, PrefixTuning.Config.make({"length": length}), draw)
    for name, tensor in adapter.tensors.items():
        if name.startswith("value:"):
            tensor.mul_(10)  # values start at a tenth in training
    return AdaptedModel(base, adapter, draw, 2 if base.kind == "encoder" else 0).to(
        str(base.device)
    )


def example_for(task: str, adapted: AdaptedModel, text: str | None, seed_index: int = 0) -> Example:
    """The first test example of a task, or a typed text with the answer the adapter writes to it.

    A decoder's layers are looked at while it reads that answer.
    """
    from peftcore import tasks
    from peftcore.labs.attention.capture import written
    from peftcore.training.predict import typed_example

    if text is None:
        return tasks.find(task).load("test")[0]
    example = typed_example(text)
    if adapted.base.kind == "encoder":
        return example
    return replace(example, target=written(adapted, example, seed_index, 40))
