"""A tiny decoder, many seeds of it at once: every tensor has the seed axis in front.

Pre-norm blocks, learned absolute positions, GELU, an output layer of its own without bias
(arXiv:2310.19698, notebook 01).  The positions in front of the digits hold a constant, so what they
are inside the model is computed once for a whole batch.  A prefix replaces it: vectors that enter
each layer in place of its input at those positions, through the same norm, keys and values.

Axes: s seed, b row, m position in front, t digit position, d width, h head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, layer_norm

from peftcore.labs.toys.recipes import VOCABULARY_SIZE, ToyShape

Tensors = Mapping[str, Tensor]


@dataclass
class AttentionTrace:
    """Records of attention: weights (s, b, h, query, m + digits) of each layer."""

    weights: list[Tensor] = field(default_factory=list)


STARTS_APART = 100  # between the salts of one start and the next


def _generators(seeds: Sequence[int], salt: int) -> list[Generator]:
    return [torch.Generator().manual_seed(1_000_003 * seed + salt) for seed in seeds]


def init_model(shape: ToyShape, seeds: Sequence[int]) -> dict[str, Tensor]:
    """Draw a model for each seed as GPT-2 starts: N(0, 0.02), less where a layer ends.

    Every tensor has the seeds in front: (s, …).
    """
    d, window = shape.width, shape.pads + 2 * shape.length - 1
    residual_std = 0.02 / (2 * shape.layers) ** 0.5
    sizes: dict[str, tuple[tuple[int, ...], float]] = {
        "words": ((VOCABULARY_SIZE, d), 0.02),
        "places": ((window, d), 0.02),
        "head": ((d, VOCABULARY_SIZE), 0.02),
    }
    for layer in range(shape.layers):
        sizes |= {
            f"{layer}.qkv": ((d, 3 * d), 0.02),
            f"{layer}.out": ((d, d), residual_std),
            f"{layer}.up": ((d, 4 * d), 0.02),
            f"{layer}.down": ((4 * d, d), residual_std),
        }
    rngs = _generators(seeds, 1)
    tensors = {
        name: torch.stack([torch.randn(size, generator=rng) * std for rng in rngs])
        for name, (size, std) in sizes.items()
    }
    ones, zeros = torch.ones(len(seeds), 1, d), torch.zeros(len(seeds), 1, d)
    for layer in range(shape.layers):
        widths = {"qkv": 3 * d, "out": d, "up": 4 * d, "down": d}
        tensors |= {
            f"{layer}.{part}.bias": torch.zeros(len(seeds), 1, n) for part, n in widths.items()
        }
        tensors |= {f"{layer}.norm2": ones.clone(), f"{layer}.norm2.bias": zeros.clone()}
        if shape.norm:
            tensors |= {f"{layer}.norm1": ones.clone(), f"{layer}.norm1.bias": zeros.clone()}
    return tensors | {"norm": ones.clone(), "norm.bias": zeros.clone()}


def has_weight_decay(name: str) -> bool:
    """Return whether weight decay applies: to matrices of linear layers only."""
    return name == "head" or name.rpartition(".")[2] in ("qkv", "out", "up", "down")


def init_prefix(shape: ToyShape, seeds: Sequence[int], start: int = 0) -> dict[str, Tensor]:
    """Draw a prefix (s, layer, m, d) from N(0, 1), another one for each start."""
    size = (shape.layers, shape.pads, shape.width)
    rngs = _generators(seeds, 2 + STARTS_APART * start)
    return {"prefix": torch.stack([torch.randn(size, generator=rng) for rng in rngs])}


def init_lora(
    shape: ToyShape, seeds: Sequence[int], start: int = 0, attention: bool = False
) -> dict[str, Tensor]:
    """Draw rank-1 changes (s, …) of both matrices of each layer's perceptron, without effect.

    attention: and of the matrix that attention writes with.
    """
    d, tensors = shape.width, {}
    rngs = _generators(seeds, 3 + STARTS_APART * start)
    parts = [("up", d, 4 * d), ("down", 4 * d, d), *([("out", d, d)] if attention else [])]
    for layer in range(shape.layers):
        for part, inputs, outputs in parts:
            matrices = [torch.randn(inputs, 1, generator=rng) * inputs**-0.5 for rng in rngs]
            tensors[f"{layer}.{part}.a"] = torch.stack(matrices)
            tensors[f"{layer}.{part}.b"] = torch.zeros(len(seeds), 1, outputs)
    return tensors


def apply_lora(tensors: Tensors, lora: Tensors) -> dict[str, Tensor]:
    """Return the tensors with the rank-1 changes (s, i, o) added."""
    deltas = {
        name.removesuffix(".a"): lora[name] @ lora[f"{name.removesuffix('.a')}.b"]
        for name in lora
        if name.endswith(".a")
    }
    return {
        name: tensor + deltas[name] if name in deltas else tensor
        for name, tensor in tensors.items()
    }


def logits(
    shape: ToyShape,
    tensors: Tensors,
    tokens: Tensor,
    prefix: Tensor | None = None,
    trace: AttentionTrace | None = None,
) -> Tensor:
    """Return scores (s, b, t - n + 1, words) of what follows each position after the input.

    tokens (s, b, t): the n input digits, then the answer's digits so far.
    """
    m, t = shape.pads, tokens.shape[-1]
    positions = tensors["places"]
    rows = torch.arange(len(tokens), device=tokens.device)[:, None, None]
    x = tensors["words"][rows, tokens] + positions[:, None, m : m + t]  # (s, b, t, d)
    front = (tensors["words"][:, :1] + positions[:, :m])[:, None]  # (s, 1, m, d): zeros in front
    for layer in range(shape.layers):
        last = layer == shape.layers - 1
        if prefix is not None:
            front = prefix[:, layer][:, None]
        keys_front, next_front = _front_keys_values(
            shape, tensors, layer, front, last or prefix is not None
        )
        # Only what follows the input is ever read, so the last layer computes no more than that.
        start = shape.length - 1 if last else 0
        heads = _attend(shape, _qkv(shape, tensors, layer, x), keys_front, start, trace)
        x = _finish_layer(tensors, layer, x[:, :, start:], heads)  # (s, b, t - start, d)
        front = next_front
    x = _norm(x, tensors, "norm")
    return _linear(x, tensors["head"])


def _front_keys_values(
    shape: ToyShape, tensors: Tensors, layer: int, front: Tensor, dead_end: bool
) -> tuple[Tensor, Tensor]:
    """Return keys and values (s, 1, m, 2 d) of the positions in front, and their next states."""
    qkv = _qkv(shape, tensors, layer, front)
    keys_values = qkv[..., shape.width :]
    if dead_end:
        return keys_values, front
    no_front = keys_values[..., :0, :]
    return keys_values, _finish_layer(tensors, layer, front, _attend(shape, qkv, no_front, 0, None))


def _qkv(shape: ToyShape, tensors: Tensors, layer: int, x: Tensor) -> Tensor:
    """Return queries, keys and values (s, b, t, 3 d) of a layer."""
    normed = _norm(x, tensors, f"{layer}.norm1") if shape.norm else x
    return _linear(normed, tensors[f"{layer}.qkv"], tensors[f"{layer}.qkv.bias"])


def _attend(
    shape: ToyShape, qkv: Tensor, front: Tensor, start: int, trace: AttentionTrace | None
) -> Tensor:
    """Return the heads' outputs (s, b, t - start, d), which attend to the front and the past."""
    s, b, t, _ = qkv.shape
    h, m = shape.heads, front.shape[2]
    query, key, value = qkv.chunk(3, -1)
    key_front, value_front = (half.expand(s, b, m, -1) for half in front.chunk(2, -1))
    query = query[:, :, start:].unflatten(-1, (h, -1)).transpose(2, 3)
    key = torch.cat([key_front, key], 2).unflatten(-1, (h, -1)).transpose(2, 3)
    value = torch.cat([value_front, value], 2).unflatten(-1, (h, -1)).transpose(2, 3)
    scores = query @ key.mT * query.shape[-1] ** -0.5  # (s, b, h, t - start, m + t)
    hidden = torch.ones(t, m + t, dtype=torch.bool, device=qkv.device).triu(m + 1)[start:]
    if scores.dtype == torch.bfloat16:  # too coarse for a softmax
        scores = scores.float()
    weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    if trace is not None:
        trace.weights.append(weights.detach())
    return (weights @ value).transpose(2, 3).flatten(-2)


def _finish_layer(tensors: Tensors, layer: int, x: Tensor, head_outputs: Tensor) -> Tensor:
    """Add the heads' outputs (s, b, t, d) to the states, then those of the perceptron."""

    def linear(x: Tensor, part: str) -> Tensor:
        """Apply a part's weight and bias to states (s, b, t, d)."""
        return _linear(x, tensors[f"{layer}.{part}"], tensors[f"{layer}.{part}.bias"])

    x = x + linear(head_outputs, "out")
    hidden = gelu(linear(_norm(x, tensors, f"{layer}.norm2"), "up"), approximate="tanh")
    return x + linear(hidden, "down")


def _norm(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    normalised = layer_norm(x, x.shape[-1:])
    return normalised * tensors[name][:, None] + tensors[f"{name}.bias"][:, None]


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply x (s, b, t, i) by each seed's matrix (s, i, o)."""
    s, b, t, i = x.shape
    flat = x.reshape(s, b * t, i)
    out = torch.bmm(flat, weight) if bias is None else torch.baddbmm(bias, flat, weight)
    return out.view(s, b, t, -1)
