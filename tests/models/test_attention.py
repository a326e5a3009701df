"""The attention function: with and without the fused kernel the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from peftcore.models import attention


def numbers(dtype: torch.dtype, *, bias: bool) -> tuple[torch.Tensor, ...]:
    """Query, key, value (2, 4, 5 or 7, 8), a mask with a hidden key and perhaps a position bias."""
    rng = torch.Generator().manual_seed(3)
    sizes = ((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8))
    drawn = [torch.randn(size, generator=rng).to(dtype).requires_grad_() for size in sizes]
    mask = torch.ones(2, 1, 5, 7, dtype=torch.bool)
    mask[1, :, :, 6] = False
    return *drawn, mask, torch.randn(1, 4, 5, 7, generator=rng) if bias else None


@pytest.mark.parametrize("bias", [False, True])
def test_written_out_attention_learns_as_the_fused_kernel_does(bias, monkeypatch):
    found = {}
    for way in (False, True):
        monkeypatch.setattr(attention, "_slow_when_fused", lambda query, key, way=way: way)
        query, key, value, mask, position = numbers(torch.float32, bias=bias)
        out, weights = attention.attend(
            nn.Module(), query, key, value, mask, position_bias=position
        )
        assert weights is None, "nothing was to be recorded"
        found[way] = (out, *torch.autograd.grad(out.square().sum(), (query, key, value)))
    for fused, written in zip(found[False], found[True], strict=True):
        torch.testing.assert_close(fused, written, rtol=1e-5, atol=1e-6)


def test_half_precision_stays_near_the_full_one_while_learning():
    query, key, value, mask, position = numbers(torch.bfloat16, bias=True)
    half, _ = attention.attend(nn.Module(), query, key, value, mask, position_bias=position)
    full, _ = attention.attend(
        nn.Module(), query.float(), key.float(), value.float(), mask, position_bias=position
    )
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, rtol=0.02, atol=0.02)


def test_only_learning_in_half_precision_on_a_processor_avoids_the_fused_kernel():
    short = torch.zeros(1, 1, 8, 4, dtype=torch.bfloat16)
    long = torch.zeros(1, 1, 600, 4, dtype=torch.bfloat16)
    assert attention._slow_when_fused(short, short)
    assert not attention._slow_when_fused(short, long)
    assert not attention._slow_when_fused(short.float(), short.float())
    with torch.no_grad():
        assert not attention._slow_when_fused(short, short)
