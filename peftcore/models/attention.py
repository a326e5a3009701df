"""The one attention function every model runs, base or adapted.

Transformers lets a model name its attention implementation.  Ours, registered as "peftcore", puts
a prefix of keys and values in front of the content and can write down what it saw; without either
it is the library's fused kernel, bit for bit, but where that kernel is slow (see below).  The mask
function registered beside it always makes an explicit mask: under a name that has none, padding
and causality would silently vanish, and the library's own shortcut (no mask when nothing is
padded) is wrong once a prefix is there.

What is in force travels in a context variable, so threads that share a model never meet.
Axes: b row, h head, q query, k key, p prefix position, e head width.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

IMPLEMENTATION_NAME = "peftcore"
Prefix = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class AttentionRecord:
    """Inputs and results of one attention block: prefix positions first, then content."""

    block_path: str
    query: Tensor  # (b, h, q, e)
    key: Tensor  # (b, h, p + k, e)
    value: Tensor  # (b, h, p + k, e)
    weights: Tensor  # (b, h, q, p + k)
    output: Tensor  # (b, h, q, e)
    prefix_length: int  # p
    scale: float = 1.0  # of query times key, before the softmax
    bias: Tensor | None = None  # added to that; or a mask, True where a key is seen
    softcap: float | None = None  # scores are bent so as to stay below it, before bias or mask


@dataclass
class AttentionContext:
    """The active prefix and what to record, for one forward pass or one generation."""

    prefix: Callable[[str, int], Prefix | None] = lambda site, n: None
    recorded_blocks: frozenset[str] = frozenset()  # paths of the blocks to record
    records: list[AttentionRecord] = field(default_factory=list)


ACTIVE_CONTEXT: ContextVar[AttentionContext | None] = ContextVar("peftcore_call", default=None)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attend over prefix and content: outputs (b, q, h, e), and the weights if recorded.

    query is (b, h, q, e); key and value are (b, g, k, e) with g dividing h. attention_mask is
    boolean (b, 1, q, k), True where a key may be seen; position_bias (1 or b, h, q, k) is added to
    the scores. softcap c bends scores s to c tanh(s / c) before the mask, as Gemma 2 does, those of
    the prefix like all others. Weights are (b, h, q, p + k) with p prefix positions.
    """
    # The path is set on the module by `freeze`; a model that is not ours has none.
    context, block_path = ACTIVE_CONTEXT.get(), getattr(module, "peftcore_site", "")
    prefix = context.prefix(block_path, len(query)) if context else None
    prefix_length = 0
    if prefix is not None:
        prefix_length = prefix[0].shape[2]
        # In front of the content, after rotary positions were applied: a prefix has none.
        key = torch.cat([prefix[0].to(key.dtype), key], 2)  # (b, h, p + k, e)
        value = torch.cat([prefix[1].to(value.dtype), value], 2)  # (b, h, p + k, e)
        attention_mask = _pad_for_prefix(attention_mask, prefix_length, True)
        # T5 adds a bias by distance; a prefix has no distance, so it gets none.
        position_bias = _pad_for_prefix(position_bias, prefix_length, 0.0)
    groups = query.shape[1] // key.shape[1]
    if groups > 1:  # grouped-query attention: several query heads read one key head
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    bias = _bias(attention_mask, position_bias, query.dtype)  # (b or 1, h or 1, q, p + k)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    recorded = context is not None and block_path in context.recorded_blocks
    # The fused kernel cannot bend scores.
    if not recorded and softcap is None and not _slow_when_fused(query, key):
        out = scaled_dot_product_attention(
            query, key, value, attn_mask=bias, dropout_p=dropout, scale=scale
        )
        return out.transpose(1, 2).contiguous(), None  # (b, q, h, e), as the library expects
    # The fused kernel never forms the weights, so a recorded block computes them openly.
    weights = _weights(query, key, bias, scale, softcap)  # (b, h, q, p + k)
    out = drop(weights, dropout, module.training) @ value  # (b, h, q, e)
    if context is None or not recorded:
        return out.transpose(1, 2).contiguous(), None
    context.records.append(
        AttentionRecord(
            block_path, query, key, value, weights, out, prefix_length, scale, bias, softcap
        )
    )
    return out.transpose(1, 2).contiguous(), weights


def _slow_when_fused(query: Tensor, key: Tensor) -> bool:
    """Return whether the fused kernel is slower than plain operations here.

    Its bf16 backward on a processor takes 3 to 5 times as long. Beyond 512 tokens it wins again,
    and the weights would fill the memory.
    """
    narrow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    return narrow and torch.is_grad_enabled() and max(query.shape[2], key.shape[2]) <= 512


def _weights(
    query: Tensor, key: Tensor, bias: Tensor | None, scale: float, softcap: float | None
) -> Tensor:
    """Return the softmax of the scores (b, h, q, k), computed in float32 at least."""
    scores = query @ key.mT  # (b, h, q, p + k)
    # bf16 has eight bits of mantissa: too few for the sum of a softmax.
    scores = (scores.float() if scores.dtype == torch.bfloat16 else scores) * scale
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if bias is not None:
        # Not -inf: a row without any key would become nan, and so would its gradients.
        lowest = torch.finfo(scores.dtype).min
        scores = scores.masked_fill(~bias, lowest) if bias.dtype == torch.bool else scores + bias
    return scores.softmax(-1).to(query.dtype)


def _pad_for_prefix(term: Tensor | None, prefix_length: int, value: float | bool) -> Tensor | None:
    """Extend a mask or bias (…, q, k) by the prefix: (…, q, p + k)."""
    return None if term is None else pad(term, (prefix_length, 0), value=value)


def _bias(mask: Tensor | None, position_bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Combine mask and position bias (…, q, k) into the one term the kernel takes."""
    if position_bias is None:
        return mask
    # The kernel takes one term only, so the mask goes into the bias.
    bias = position_bias.to(dtype)
    return bias if mask is None else bias.masked_fill(~mask, torch.finfo(dtype).min)


def explicit_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """Return the library's boolean mask (b, 1, q, k), True where a key is seen, always explicit."""
    # The shortcuts return no mask where nothing is padded, and know nothing of a prefix.
    skips = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    return sdpa_mask(*args, **(kwargs | skips))


AttentionInterface.register(IMPLEMENTATION_NAME, attend)
AttentionMaskInterface.register(IMPLEMENTATION_NAME, explicit_mask)
