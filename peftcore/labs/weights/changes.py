"""What one seed of an adapter changed, site by site, beside what the base has there; any method.

A method that changes outputs is asked by its own code: the outputs it gives for the rows of an
identity matrix are the matrix it adds.  Where its change does not add up (a threshold, a network)
there is no such matrix, and only the change of outputs on examples can be measured.  Axes: o
outputs, i inputs, p positions, d width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.exchange.peft_export import centroid
from peftcore.methods.common.weight_deltas import ChosenWeights
from peftcore.models import structure
from peftcore.models.structure import OutputColumns

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch
    from peftcore.models.structure import AttentionBlock, TargetSlice, Weight

Form = Literal["matrix", "vector", "function", "keys", "values", "tokens"]
TRIED_INPUTS = 3  # random inputs on which a change must equal its matrix
ADDS_UP = 1e-3  # up to this share of the change


@dataclass(frozen=True)
class SiteChange:
    """One place that an adapter changes: a matrix, a vector, or rows beside the base's own.

    change and base: (o, i) of a matrix, (o,) of a vector.  Of keys, values and tokens the change is
    what the adapter puts there, (p, d), and the base the mean length of its own such rows.
    """

    component: str
    stack: str
    layer: int | None
    path: str
    form: Form
    change: Tensor | None = None
    base: Tensor | None = None


@dataclass(frozen=True)
class Recording:
    """Inputs and outputs of modules of the base by path, a tensor for each example."""

    inputs: Mapping[str, Sequence[Tensor]]  # (1, t, i), or ids (1, t)
    outputs: Mapping[str, Sequence[Tensor]]  # (1, t, o)


@torch.no_grad()
def record_base(base: BaseModel, batches: Sequence[Batch], paths: Sequence[str]) -> Recording:
    """Pass examples, one a batch, through the base; note what these modules read and write."""
    plain = unadapted_model(base)
    inputs: dict[str, list[Tensor]] = {path: [] for path in paths}
    outputs: dict[str, list[Tensor]] = {path: [] for path in paths}

    def note(path: str) -> Any:
        """Return the hook of the module at this path."""

        def hook(module: Any, args: tuple[Any, ...], out: Any) -> None:
            if isinstance(out, Tensor) and args:
                inputs[path].append(args[0])
                outputs[path].append(out)

        return hook

    for path in paths:
        plain.model.get_submodule(path).register_forward_hook(note(path))
    for batch in batches:
        arguments = plain.model_inputs(batch)
        if base.kind == "encoder-decoder":
            written = plain.model.prepare_decoder_input_ids_from_labels(labels=batch.targets)
            arguments["decoder_input_ids"] = written
        plain.model(**arguments)
    return Recording(inputs, outputs)


def recorded_paths(adapted: AdaptedModel) -> list[str]:
    """List the modules of the base whose work an adapter's changes are compared with."""
    adapter = adapted.adapter
    if adapter.injects == "prefix":
        return [part.path for _, parts in _key_and_value_slices(adapted) for part in parts]
    return list(adapter.target_modules())


@torch.no_grad()
def site_changes(adapted: AdaptedModel, seed: int, recording: Recording) -> Iterator[SiteChange]:
    """Yield what one seed, counted from 0, changed; nothing where only the text read changes."""
    mix, adapter = centroid(adapted, seed), adapted.adapter
    if isinstance(adapter, ChosenWeights):
        parameters = dict(adapted.base.model.named_parameters())
        for weight in adapter.chosen_weights:
            yield _weight_change(weight, mix(f"delta:{weight.key}", 1)[0], parameters[weight.name])
    elif adapter.injects == "output":
        for path in adapter.target_modules():
            yield from _module_changes(adapted, path, mix)
    elif adapter.injects == "prefix":
        yield from _prefix_changes(adapted, mix, recording)
    elif adapter.injects == "prompt":
        soft = adapter.soft_tokens(mix, 1)
        assert soft is not None, "a method of soft tokens has some"
        own = adapted.base.embeddings.float().norm(dim=-1).mean()
        yield SiteChange("prompt", "input", None, "", "tokens", soft[0], own)


def _weight_change(weight: Weight, change: Tensor, parameter: Tensor) -> SiteChange:
    """Return what was added to one of the base's own weights, or its share of a parameter."""
    own = parameter.detach()
    if weight.columns is not None:
        columns = OutputColumns(*weight.columns, weight.groups)
        turned = weight.outputs_first and own.dim() == 2
        own = columns.take(own.mT).mT if turned else columns.take(own)
    component = " + ".join(sorted(weight.components))
    form: Form = "matrix" if own.dim() == 2 else "vector"
    return SiteChange(
        component, weight.stack or component, weight.layer, weight.name, form, change, own
    )


def _module_changes(adapted: AdaptedModel, path: str, mix: MemberMixture) -> Iterator[SiteChange]:
    """Yield what a method adds to one module: the matrix of each target slice, else a function."""
    module, adapter = adapted.base.model.get_submodule(path), adapted.adapter
    weight = getattr(module, "weight", None)
    parts = _slices_at(adapted.base, path)
    stack = structure.stack_of(adapted.base.kind, path)
    if weight is None:  # a function of numbers, one by one: what it is multiplied by
        yield from _activation_change(adapted, path, mix)
        return
    turned = type(module).__name__ == "Conv1D"
    own = (weight.mT if turned else weight).detach().float()  # (o, i)
    x = torch.cat([own.new_zeros(1, own.shape[1]), torch.eye(own.shape[1])])
    added = _added(adapter, module, path, x, mix)  # (1 + i, o)
    matrix = (added[1:] - added[:1]).mT
    tried = torch.randn(TRIED_INPUTS, own.shape[1], generator=torch.Generator().manual_seed(0))
    expected, got = tried @ matrix.mT + added[:1], _added(adapter, module, path, tried, mix)
    adds_up = float((got - expected).norm()) <= ADDS_UP * max(float(got.norm()), 1e-12)
    for part in parts:
        columns = part.columns
        change = columns.take(matrix.mT).mT
        if adds_up and not change.any():  # another part of the same module
            continue
        here = (part.component, stack, part.layer, path)
        if adds_up:
            yield SiteChange(*here, "matrix", change, columns.take(own.mT).mT)
        else:
            yield SiteChange(*here, "function")


def _slices_at(base: BaseModel, path: str) -> list[TargetSlice]:
    """List the target slices of a module."""
    return [
        part
        for parts in base.structure.target_slices.values()
        for part in parts
        if part.path == path
    ]


def _activation_change(
    adapted: AdaptedModel, path: str, mix: MemberMixture
) -> Iterator[SiteChange]:
    """Yield by how much a method scales the outputs of a function without weights."""
    name = next(name for name in mix.tensors if name.endswith(f":{path}"))
    width = mix.tensors[name].shape[-1]
    ones = torch.ones(1, 1, width)
    scaled = adapted.adapter.transform_output(path, ones, ones, mix)
    layer = structure.layer_of(path)
    stack = structure.stack_of(adapted.base.kind, path)
    change = (scaled - ones)[0, 0]
    yield SiteChange("ffn.activation", stack, layer, path, "vector", change, ones[0, 0])


def _added(adapter: Any, module: Any, path: str, x: Tensor, mix: MemberMixture) -> Tensor:
    """Return what a method adds to a module's output (t, o) for inputs x (t, i)."""
    out = module(x[None])
    added: Tensor = (adapter.transform_output(path, x[None], out, mix) - out)[0]
    return added


def _key_and_value_slices(
    adapted: AdaptedModel,
) -> Iterator[tuple[AttentionBlock, list[TargetSlice]]]:
    """Yield each attention block with a prefix, and what writes its keys and its values."""
    blocks = {block.path: block for block in adapted.base.structure.attention_blocks}
    slices = adapted.base.structure.target_slices
    for path in adapted.adapter.injection_paths() or ():
        found = [
            next(part for part in slices[name] if part.path.startswith(f"{path}."))
            for name in (f"{_family(blocks[path])}.key", f"{_family(blocks[path])}.value")
        ]
        yield blocks[path], found


def _family(block: AttentionBlock) -> str:
    """Return what the components of a kind of attention are called by."""
    return "cross" if block.attention_kind == "cross" else "attention"


def _prefix_changes(
    adapted: AdaptedModel, mix: MemberMixture, recording: Recording
) -> Iterator[SiteChange]:
    """Yield keys and values of every prefix, with the mean length of the base's own."""
    forms: tuple[Form, Form] = ("keys", "values")
    for block, parts in _key_and_value_slices(adapted):
        prefix = adapted.adapter.prefix(block.path, mix, 1)
        assert prefix is not None, "only blocks with a prefix are listed"
        for form, rows, part in zip(forms, prefix, parts, strict=True):
            written = [part.columns.take(out) for out in recording.outputs[part.path]]
            own = torch.cat([out.float().norm(dim=-1).flatten() for out in written]).mean()
            table = rows[0].transpose(0, 1).flatten(1)  # (p, h e)
            here = (part.component, part.stack, block.layer, block.path)
            yield SiteChange(*here, form, table, own)


@torch.no_grad()
def output_effect(
    adapted: AdaptedModel, path: str, mix: MemberMixture, inputs: Sequence[Tensor]
) -> float | None:
    """Return how much a module's outputs change by its adapter alone, relative to their size.

    inputs: what the module reads in the base, (1, t, i) each; None where there are none.
    """
    if path not in adapted.adapter.target_modules() or not inputs:
        return None
    module = adapted.base.model.get_submodule(path)
    changed = size = 0.0
    for x in inputs:
        rows = x if x.dim() > 2 or not x.is_floating_point() else x[None]
        out = module(rows)
        changed += float(
            (adapted.adapter.transform_output(path, rows, out, mix) - out).square().sum()
        )
        size += float(out.square().sum())
    return (changed / size) ** 0.5 if size else None
