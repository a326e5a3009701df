"""Frozen matrices in half precision: each converted once, and what several read converted once.

Under autocast a product converts its matrix and what it reads at every call: the same frozen
numbers at every step, and the same states three times where query, key and value read them. The
classes here keep the matrix as it was converted, beside the parameter, and ask the active mixture
for the states. Every number is what autocast makes of it; only gradients of states that several
products read are summed before they are converted back.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from peftcore.adapters.mixing import ACTIVE_MIXTURE, half_type

LINEAR = (nn.Linear, Conv1D)


def keep_converted(model: nn.Module) -> None:
    """Let the matrices of a copied model keep what half precision makes of them."""
    for module in model.modules():
        if type(module) in LINEAR and not module.weight.requires_grad:
            # By its class and not by a function of its own, so that copies of the model have it.
            own_class: Any = type(module)
            module.__class__ = _keeping(own_class)


@cache
def _keeping(module_class: Any) -> type[nn.Module]:
    """Derive a class of linear modules whose converted numbers are kept."""
    plain: Any = module_class.forward

    def forward(self: Any, x: Tensor) -> Tensor:
        """Return the product (…, o) of x (…, i)."""
        dtype, mix = half_type(x), ACTIVE_MIXTURE.get()
        if dtype is None or self.weight.requires_grad or self.weight.dtype != torch.float32:
            found: Tensor = plain(self, x)
            return found
        x = x.to(dtype) if mix is None else mix.narrow(x)
        weight = converted(self.weight, dtype)
        bias: Any = None if self.bias is None else converted(self.bias, dtype)
        if module_class is nn.Linear:
            return nn.functional.linear(x, weight, bias)
        product = torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight)  # GPT-2 stores (i, o)
        return product.view(*x.shape[:-1], -1)

    return type(module_class.__name__, (module_class,), {"forward": forward})


def converted(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a frozen parameter (o, …) in this type, converted when first asked for."""
    known: tuple[Any, Tensor] | None = getattr(weight, "peftcore_converted", None)
    now = (weight._version, weight.data_ptr(), dtype)
    if known is not None and known[0] == now:
        return known[1]
    # What inference mode makes could not be saved for a later backward pass.
    with torch.inference_mode(False), torch.no_grad():
        kept = weight.detach().to(dtype)
    weight.peftcore_converted = (now, kept)  # type: ignore[attr-defined]
    return kept
