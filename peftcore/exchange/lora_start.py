"""LoRA that was started from the base's own weights, brought onto the unchanged base.

PiSSA (arXiv:2404.02948) and OLoRA (arXiv:2406.01775) take a product out of every matrix before
training and give it to the adapter to begin with, so that a file's product belongs to a base
without it. On the unchanged base that first product is subtracted again. It is worked out anew
from the base's weights, which is exact where the recipe is: a random or a data-driven start cannot
be repeated, and is refused (huggingface/peft#1929).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from peftcore.errors import BadInput
from peftcore.exchange.module_patterns import product_scale

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.models.base_model import BaseModel

# Starts that leave the base as it is: its product is zero, or is what was saved.
UNCHANGED_BASE = ("gaussian", "eva", "orthogonal", "mica")
REPEATABLE = ("pissa", "olora")
Pairs = Mapping[str, "tuple[Tensor, Tensor]"]


def on_unchanged_base(
    config: Mapping[str, Any], pairs: Pairs, base: BaseModel
) -> tuple[dict[str, tuple[Tensor, Tensor]], tuple[str, ...]]:
    """Return path → down (i, r) and scaled up (r, o) for the base as it is, and notes.

    Where the start changed the base the rank doubles; BadInput where it cannot be worked out.
    """
    import torch

    start = config.get("init_lora_weights", True)
    if not isinstance(start, str) or start.lower() in UNCHANGED_BASE:
        return dict(pairs), ()
    name = start.lower()
    if name not in REPEATABLE:
        raise BadInput(
            f"the adapter was started with init_lora_weights {start[:40]!r}, which changes the "
            "base by what cannot be worked out from the file: save it again with "
            "path_initial_model_for_weight_conversion, which makes an ordinary LoRA of it"
        )
    moved = {}
    for path, (down, up) in pairs.items():
        scale = product_scale(config, path, down.shape[1])
        first_down, first_up = _first_product(name, base.model.get_submodule(path), len(up), scale)
        moved[path] = torch.cat([down, first_down], 1), torch.cat([up, -first_up])
    note = (
        f"it was started as {name}, whose first product is subtracted so that it fits the base as "
        "it is; the rank is twice that of the file"
    )
    return moved, (note,)


def _first_product(name: str, module: Any, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """Return the product (i, r), (r, o) that the start took out of a module's matrix."""
    import torch

    weight: Tensor = module.weight.detach().float()
    inputs_first = type(module).__name__ == "Conv1D"  # GPT-2 stores its matrices (i, o)
    if name == "pissa":
        left, sizes, right = torch.linalg.svd(
            weight.mT if inputs_first else weight, full_matrices=False
        )  # (o, m), (m,), (m, i)
        return right[:rank].mT, (left[:, :rank] * sizes[:rank]).mT
    first, second = torch.linalg.qr(weight)  # of the matrix as it is stored
    if inputs_first:
        return first[:, :rank], scale * second[:rank]
    return second[:rank].mT, scale * first[:, :rank].mT
