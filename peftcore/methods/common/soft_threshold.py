"""Soft thresholds relative to the spread of the input, with short backward passes.

Both functions compute what plain operations would. Automatic differentiation of these goes through
a dozen operations at every target module, some as wide as the activations, which is a tenth of a
training step; written by hand, the backward pass is one wide product and two narrow ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _RootMeanSquare(torch.autograd.Function):
    """Root mean square over the last axis, with its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the root mean square (…, 1) of x (…, i)."""
        rms = x.norm(dim=-1, keepdim=True) * x.shape[-1] ** -0.5
        ctx.save_for_backward(x, rms)
        return rms

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Return the gradient (…, i) for x, from that of the result (…, 1)."""
        x, rms = ctx.saved_tensors
        slope = grad / (rms * x.shape[-1])
        return x * slope.masked_fill(rms == 0, 0).to(x.dtype)  # at zero any slope would do


class _SoftThreshold(torch.autograd.Function):
    """Soft threshold over the last axis, with its derivative."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: Tensor) -> Tensor:
        """Move values (…, m) towards zero by limit (…, 1)."""
        code = values - values.clamp(-limit, limit)
        ctx.save_for_backward(code)
        return code

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients for values (…, m) and limit (…, 1)."""
        sign = ctx.saved_tensors[0].sign()
        return grad * sign.abs(), -(grad * sign).sum(-1, keepdim=True)


def root_mean_square(x: Tensor) -> Tensor:
    """Return the root mean square of each position's values: (…, i) → (…, 1)."""
    result: Tensor = _RootMeanSquare.apply(x)
    return result


def shrink(values: Tensor, limit: Tensor) -> Tensor:
    """Move values (…, m) towards zero by the limit (…, 1); smaller ones become exactly zero."""
    code: Tensor = _SoftThreshold.apply(values, limit)
    return code
