"""Soft thresholds relative to the spread of the input, with short backward passes.

All compute what plain operations would. Automatic differentiation of these goes through a dozen
operations at every target module, some as wide as the activations, which is a tenth of a training
step; written by hand, the backward pass is one wide product and two narrow ones. Where encoding,
threshold and atoms are one function, what they give back to the input is summed in place.
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


class _SparseCombination(torch.autograd.Function):
    """The output with atoms added by thresholded coefficients, and these, with their derivatives.

    b is one matrix for each seed, or for each row.
    """

    @staticmethod
    def forward(
        ctx: Any, out: Tensor, x: Tensor, encode: Tensor, atoms: Tensor, threshold: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take out (n, t, o), x (n, t, i), encode (b, i, m), atoms (b, m, o), threshold (n, 1, 1).

        Returns the output (n, t, o) and the code (n, t, m).
        """
        ctx.set_materialize_grads(False)
        per, places = len(encode), (*x.shape[:-1], -1)
        read = torch.bmm(x.reshape(per, -1, x.shape[-1]), encode).view(places)
        rms = x.norm(dim=-1, keepdim=True) * x.shape[-1] ** -0.5  # (n, t, 1)
        rms = rms.to(x.dtype)
        limit = rms * threshold
        code = read - read.clamp(-limit, limit)  # (n, t, m)
        rows, own = (t.reshape(per, -1, t.shape[-1]) for t in (out, code))
        ctx.save_for_backward(x, encode, atoms, threshold, code, rms)
        return torch.baddbmm(rows, own, atoms).view_as(out), code

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_code: Tensor | None) -> Any:
        """Return the gradients for all five, from those of output (n, t, o) and code (n, t, m)."""
        x, encode, atoms, threshold, code, rms = ctx.saved_tensors
        rows, own_code = (t.reshape(len(encode), -1, t.shape[-1]) for t in (x, code))
        d_atoms, d_code = None, grad_code
        if grad is not None:
            flat = grad.reshape(len(encode), -1, grad.shape[-1])
            d_atoms = torch.bmm(own_code.mT, flat)
            through = torch.bmm(flat, atoms.mT).view_as(code)
            d_code = through if d_code is None else through + d_code
        if d_code is None:
            return None, None, None, None, None
        sign = code.sign()
        signed = d_code * sign  # zero where the code is
        d_limit = -signed.sum(-1, keepdim=True)  # (n, t, 1)
        d_read = (signed * sign).reshape(own_code.shape)
        d_x = None
        if ctx.needs_input_grad[1]:
            slope = (d_limit * threshold / (rms * x.shape[-1])).masked_fill(rms == 0, 0)
            # At zero any slope would do.
            d_x = torch.bmm(d_read, encode.mT).view_as(x).addcmul_(x, slope)
        d_threshold = (d_limit * rms).sum_to_size(threshold.shape)
        return grad, d_x, torch.bmm(rows.mT, d_read), d_atoms, d_threshold


def add_sparse_combination(
    out: Tensor, x: Tensor, encode: Tensor, atoms: Tensor, threshold: Tensor
) -> tuple[Tensor, Tensor]:
    """Return out (n, t, o) plus D a, and a (n, t, m), for a = shrink(E x, threshold · rms of x).

    x is (n, t, i), encode (b, i, m) and atoms (b, m, o), b seeds or rows; threshold is (n, 1, 1).
    """
    result: tuple[Tensor, Tensor] = _SparseCombination.apply(out, x, encode, atoms, threshold)
    return result


def root_mean_square(x: Tensor) -> Tensor:
    """Return the root mean square of each position's values: (…, i) → (…, 1)."""
    result: Tensor = _RootMeanSquare.apply(x)
    return result


def shrink(values: Tensor, limit: Tensor) -> Tensor:
    """Move values (…, m) towards zero by the limit (…, 1); smaller ones become exactly zero."""
    code: Tensor = _SoftThreshold.apply(values, limit)
    return code
