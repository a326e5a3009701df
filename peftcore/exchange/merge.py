"""A base with what an adapter learnt added to its weights: an ordinary model again.

Only for methods that change weights and nothing else; products of LoRA are multiplied out, and
differences from the base's weights are added as they are.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput
from peftcore.exchange.peft_export import Product, centroid, products
from peftcore.methods.common.weight_deltas import ChosenWeights, folded

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import Adapted
    from peftcore.adapters.mixing import Mix


def merged(adapted: Adapted, seed_index: int) -> Any:
    """The transformers model with the centroid of one seed in its weights."""
    values = weights(adapted, centroid(adapted, seed_index))
    model = copy.deepcopy(adapted.base.model)
    parameters = dict(model.named_parameters())
    for name, value in values.items():
        assert parameters[name].shape == value.shape, "a weight keeps its shape"
        parameters[name].data.copy_(value)
    return model


def weights(adapted: Adapted, mix: Mix) -> dict[str, Tensor]:
    """Name of a weight → what it becomes; BadInput if the method does more than that."""
    adapter = adapted.adapter
    if isinstance(adapter, ChosenWeights):
        return folded(adapter, {name: mix(name, 1)[0] for name in mix.tensors})
    made = products(adapted, mix)
    if made is None:
        raise BadInput(
            f"{adapter.title} cannot be merged into a base: it does more than change weights. "
            "LoRA and methods that train the base's own weights can"
        )
    return _with_products(adapted, *made)


def _with_products(adapted: Adapted, found: list[Product], scale: float) -> dict[str, Tensor]:
    """The weights that products are added to, multiplied out."""
    made: dict[str, Tensor] = {}
    for part, down, up in found:
        name = f"{part.path}.weight"
        leaf = adapted.base.model.get_submodule(part.path)
        if name not in made:
            made[name] = leaf.weight.detach().clone()
        # GPT-2 stores its matrices (inputs, outputs), everyone else transposed.
        upright = type(leaf).__name__ == "Conv1D"
        columns = made[name] if upright else made[name].mT
        columns[:, part.start : part.stop] += down @ up * scale
    return made
