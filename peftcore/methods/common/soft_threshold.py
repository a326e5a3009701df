"""Soft thresholds relative to the spread of what is read, with short ways back.

Both are what plain operations would compute.  Left to themselves these go back through a dozen
operations at every site, some of them as wide as the activations, which is a tenth of a training
step; written out, the way back is one wide product and two narrow ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _RootMeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rms = x.norm(dim=-1, keepdim=True) * x.shape[-1] ** -0.5
        ctx.save_for_backward(x, rms)
        return rms

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        x, rms = ctx.saved_tensors
        slope = grad / (rms * x.shape[-1])
        return x * slope.masked_fill(rms == 0, 0).to(x.dtype)  # at zero any slope would do


class _SoftThreshold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: Tensor) -> Tensor:
        code = values - values.clamp(-limit, limit)
        ctx.save_for_backward(code)
        return code

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        sign = ctx.saved_tensors[0].sign()
        return grad * sign.abs(), -(grad * sign).sum(-1, keepdim=True)


def root_mean_square(x: Tensor) -> Tensor:
    """The root mean square of each position's values: (…, i) → (…, 1)."""
    result: Tensor = _RootMeanSquare.apply(x)
    return result


def shrink(values: Tensor, limit: Tensor) -> Tensor:
    """Values (…, m) moved towards zero by the limit (…, 1); within it they are exactly zero."""
    code: Tensor = _SoftThreshold.apply(values, limit)
    return code
