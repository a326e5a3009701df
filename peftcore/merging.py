"""A base with what an adapter learnt added to its weights: an ordinary model again.

Only for methods that change weights and nothing else; products of LoRA are multiplied out, and
differences (tensors called "delta:" and the name of a weight) are added as they are.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapter import Adapted, Mix


def merged(adapted: Adapted, seed_index: int) -> Any:
    """The transformers model with the centroid of one seed in its weights."""
    from peftcore.peft_format import centroid

    changes = differences(adapted, centroid(adapted, seed_index))
    model = copy.deepcopy(adapted.base.model)
    parameters = dict(model.named_parameters())
    for name, change in changes.items():
        assert parameters[name].shape == change.shape, "a change has its weight's shape"
        parameters[name].data += change.to(parameters[name].dtype)
    return model


def differences(adapted: Adapted, mix: Mix) -> dict[str, Tensor]:
    """Name of a weight → what is added to it; BadInput if the method adds more than that."""
    adapter = adapted.adapter
    if adapter.name == "lora":
        return _products(adapted, mix)
    names = list(mix.tensors)
    if names and all(name.startswith("delta:") for name in names):
        return {name.removeprefix("delta:"): mix(name, 1)[0] for name in names}
    raise BadInput(
        f"{adapter.title} cannot be merged into a base: it does more than change weights. "
        "LoRA and methods that train the base's own weights can"
    )


def _products(adapted: Adapted, mix: Mix) -> dict[str, Tensor]:
    import torch

    config, changes = adapted.adapter.config, dict[str, torch.Tensor]()
    for part in adapted.adapter.parts():  # type: ignore[attr-defined]
        key, name = f"{part.component}:{part.path}", f"{part.path}.weight"
        leaf = adapted.base.model.get_submodule(part.path)
        product = mix(f"down:{key}", 1)[0] @ mix(f"up:{key}", 1)[0] * (config.alpha / config.rank)
        if name not in changes:
            changes[name] = torch.zeros_like(leaf.weight)
        # GPT-2 stores its matrices (inputs, outputs), everyone else transposed.
        conv = type(leaf).__name__ == "Conv1D"
        columns = changes[name] if conv else changes[name].mT
        columns[:, part.start : part.stop] += product
    return changes
