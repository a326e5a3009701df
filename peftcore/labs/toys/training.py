"""Training and testing of toys, every seed in one pass.

The loss counts the answer's digits only.  Exact match is that of greedy decoding: an answer is
right in full exactly when every digit is the likeliest one after the right digits before it, so
one forward pass tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from peftcore.labs.toys import digits, model
from peftcore.labs.toys.recipes import Shape, Stage
from peftcore.training.trainer import autocast_dtype

BATCH = 64
TESTED = 1600  # test sequences of each seed
BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class Made:
    """What a stage made: tensors with seeds in front, losses on the way, seconds it took."""

    tensors: dict[str, Tensor]
    losses: list[tuple[int, list[float]]]
    seconds: float
    numbers: int  # trained by each seed


@dataclass
class Told:
    """How far a stage is."""

    stage: str
    step: int
    steps: int
    losses: list[float] = field(default_factory=list)


def start(shape: Shape, stage: Stage, seeds: Sequence[int], base: model.Tensors | None) -> Tensors:
    """What a stage trains, at its initial values."""
    if stage.kind == "pretrain":
        return model.fresh(shape, seeds)
    assert base is not None, "an adaptation needs a pretrained model"
    if stage.kind == "full":
        return {name: tensor.clone() for name, tensor in base.items()}
    made = model.fresh_prefix if stage.kind == "prefix" else model.fresh_lora
    return made(shape, seeds)


Tensors = dict[str, Tensor]


def scores(
    shape: Shape,
    kind: str,
    held: Mapping[str, Tensor],
    base: model.Tensors | None,
    tokens: Tensor,
    seen: model.Seen | None = None,
) -> Tensor:
    """Scores of the adapted model: what a stage of this kind trained, on top of the base."""
    if kind in ("pretrain", "full") or base is None:
        return model.logits(shape, held, tokens, seen=seen)
    if kind == "prefix":
        return model.logits(shape, base, tokens, held["prefix"], seen=seen)
    return model.logits(shape, model.with_lora(base, held), tokens, seen=seen)


def train(
    shape: Shape,
    stage: Stage,
    seeds: Sequence[int],
    base: model.Tensors | None = None,
    report: Callable[[Told], None] = lambda told: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> Made:
    """One stage of every seed; InterruptedError if asked to stop."""
    held = {n: t.to(device) for n, t in start(shape, stage, seeds, base).items()}
    base = None if base is None else {n: t.to(device) for n, t in base.items()}
    for tensor in held.values():
        tensor.requires_grad_()
    optimiser, half = (
        _optimiser(stage, held),
        autocast_dtype("auto", torch.device(device)) is not None,
    )
    rngs = [torch.Generator().manual_seed(7919 * seed + 11) for seed in seeds]
    losses: list[tuple[int, list[float]]] = []
    began, every = time.monotonic(), max(1, stage.steps // 60)
    for step in range(1, stage.steps + 1):
        if stop():
            raise InterruptedError
        inputs, wanted = _batch(shape.length, stage.task, rngs)
        tokens = torch.cat([inputs, wanted[..., :-1]], -1).to(device)
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=half):
            found = scores(shape, stage.kind, held, base, tokens)
        each = cross_entropy(
            found.float().flatten(0, 2), wanted.to(device).flatten(), reduction="none"
        )
        loss = each.view(len(seeds), -1).mean(1)
        grads = torch.autograd.grad(loss.sum(), list(held.values()))
        squares = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)
        factor = (1.0 / (squares.sqrt() + 1e-6)).clamp(max=1.0)  # each seed's norm is at most one
        for tensor, grad in zip(held.values(), grads, strict=True):
            tensor.grad = grad * factor.view(-1, *[1] * (grad.dim() - 1))
        optimiser.step()
        if step % every == 0 or step in (1, stage.steps):
            losses.append((step, [float(f"{value:.5g}") for value in loss.tolist()]))
            report(Told(stage.name, step, stage.steps, losses[-1][1]))
    made = {name: tensor.detach().cpu() for name, tensor in held.items()}
    numbers = sum(tensor[0].numel() for tensor in made.values())
    return Made(made, losses, time.monotonic() - began, numbers)


def _optimiser(stage: Stage, held: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    """AdamW; a model's linear layers decay by 0.1, an adapter by its usual 0.01."""
    whole = stage.kind in ("pretrain", "full")
    groups = [
        {
            "params": [tensor],
            "weight_decay": (0.1 if model.decayed(name) else 0.0) if whole else 0.01,
        }
        for name, tensor in held.items()
    ]
    return torch.optim.AdamW(groups, lr=stage.rate, betas=BETAS, foreach=True)


def _batch(length: int, task: str, rngs: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Inputs and answers (s, b, n), each seed its own."""
    inputs = [digits.draw(BATCH, length, rng, test=False) for rng in rngs]
    wanted = [digits.answers(x, task, rng) for x, rng in zip(inputs, rngs, strict=True)]
    return torch.stack(inputs), torch.stack(wanted)


@torch.no_grad()
def exact_match(
    shape: Shape, kind: str, held: Mapping[str, Tensor], base: model.Tensors | None, task: str
) -> list[float]:
    """Percent of test sequences each seed answers right in full; the same ones for all seeds."""
    rng = torch.Generator().manual_seed(20_231_019)
    inputs = digits.draw(TESTED, shape.length, rng, test=True)
    wanted = digits.answers(inputs, task)
    count = len(next(iter(held.values())))
    tokens = torch.cat([inputs, wanted[:, :-1]], -1).expand(count, -1, -1)
    right = (scores(shape, kind, held, base, tokens).argmax(-1) == wanted).all(-1)
    return [100 * value for value in right.float().mean(1).tolist()]


def _first(held: Mapping[str, Tensor]) -> Tensors:
    """The tensors of the first seed alone."""
    return {name: tensor[:1] for name, tensor in held.items()}


@torch.no_grad()
def answer(
    shape: Shape, kind: str, held: Mapping[str, Tensor], base: model.Tensors | None, asked: Tensor
) -> Tensor:
    """Greedy answers (b, n) of the first seed to inputs (b, n)."""
    base, tokens = None if base is None else _first(base), asked[None]
    for _ in range(shape.length):
        found = scores(shape, kind, _first(held), base, tokens)
        tokens = torch.cat([tokens, found[:, :, -1].argmax(-1)[..., None]], -1)
    return tokens[0, :, shape.length :]


@torch.no_grad()
def attention(
    shape: Shape, kind: str, held: Mapping[str, Tensor], base: model.Tensors | None, read: Tensor
) -> list[Tensor]:
    """What each layer's heads of the first seed look at, (h, q, m + t), reading digits (t,)."""
    seen = model.Seen()
    base = None if base is None else _first(base)
    scores(shape, kind, _first(held), base, read[None, None], seen)
    return [weights[0, 0] for weights in seen.weights]
