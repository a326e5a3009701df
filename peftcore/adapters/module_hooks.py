"""How an adapter's changes reach the outputs of a model's modules: the hook, and what it reads.

Most modules are called with their input (n, t, i) and nothing else. Some families flatten rows and
positions into one axis, and some position tables count by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from peftcore.adapters.mixing import ACTIVE_MIXTURE

if TYPE_CHECKING:
    from torch import Tensor, nn

    from peftcore.adapters.base import Adapter


def add_output_hook(
    model: nn.Module, adapter: Adapter, path: str, is_active: Callable[[], bool] = lambda: True
) -> None:
    """Let the adapter change the output of the module at this path, where there is a mixture."""

    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
        """Return the output (n, t, o), changed if an adapter is active."""
        mix = ACTIVE_MIXTURE.get()
        if mix is None or not is_active():
            return out
        x = module_input(module, args, kwargs)
        if x.dim() == out.dim() == 2:  # OPT flattens rows and positions: (n · t, i)
            x = x.view(mix.rows, -1, x.shape[-1])
            rows = out.view(mix.rows, -1, out.shape[-1])
            return adapter.transform_output(path, x, rows, mix).view_as(out)
        return adapter.transform_output(path, x, out, mix)

    model.get_submodule(path).register_forward_hook(hook, with_kwargs=True)


def module_input(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return what a module computes with: x (n, t, i), or the rows (n, t) of a table."""
    x: Tensor = args[0]
    offset = getattr(module, "offset", None)
    if offset is None or not hasattr(module, "num_embeddings"):
        return x
    # OPT and BART hand their position tables a mask or words, for the shape, beside the positions.
    positions: Tensor | None = kwargs.get("position_ids")
    if positions is None:
        positions = torch.arange(x.shape[1], device=x.device)
    return positions.expand(len(x), -1) + offset
