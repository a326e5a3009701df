"""Merge an adapter into its base: an ordinary model again.

Only for methods that change weights and nothing else; products of LoRA are multiplied out, and
differences from the base's weights are added as they are.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput
from peftcore.exchange.peft_export import LowRankProduct, centroid, low_rank_products
from peftcore.methods.common.weight_deltas import ChosenWeights, merged_parameters

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.mixing import MemberMixture


def merged_model(adapted: AdaptedModel, seed_index: int) -> Any:
    """Return the transformers model with the centroid of one seed in its weights."""
    values = merged_weights(adapted, centroid(adapted, seed_index))
    model = copy.deepcopy(adapted.base.model)
    parameters = dict(model.named_parameters())
    for name, value in values.items():
        assert parameters[name].shape == value.shape, "a weight keeps its shape"
        parameters[name].data.copy_(value)
    return model


def merged_weights(adapted: AdaptedModel, mix: MemberMixture) -> dict[str, Tensor]:
    """Return weight name → merged weight, e.g. (o, i), for the weights that change.

    BadInput if the method does more than change weights. mix holds one row: tensors (1, v, …).
    """
    adapter = adapted.adapter
    if isinstance(adapter, ChosenWeights):
        return merged_parameters(adapter, {name: mix(name, 1)[0] for name in mix.tensors})
    products_and_scale = low_rank_products(adapted, mix)
    if products_and_scale is None:
        raise BadInput(
            f"{adapter.title} cannot be merged into a base: it does more than change weights. "
            "LoRA and methods that train the base's own weights can"
        )
    return _add_products(adapted, *products_and_scale)


def _add_products(
    adapted: AdaptedModel, low_rank_products: list[LowRankProduct], scale: float
) -> dict[str, Tensor]:
    """Multiply products out and add them: name → weight of its own shape."""
    new_weights: dict[str, Tensor] = {}
    for part, down, up in low_rank_products:
        name = f"{part.path}.weight"
        module = adapted.base.model.get_submodule(part.path)
        if name not in new_weights:
            new_weights[name] = module.weight.detach().clone()
        # GPT-2 stores its matrices (inputs, outputs), everyone else transposed.
        inputs_first = type(module).__name__ == "Conv1D"
        columns = new_weights[name] if inputs_first else new_weights[name].mT
        part.columns.add(columns, down @ up * scale)
    return new_weights
