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
from peftcore.labs.toys.recipes import Stage, ToyShape
from peftcore.training.trainer import autocast_dtype

BATCH_SIZE = 64
TEST_SEQUENCES = 1600  # test sequences of each seed
BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class TrainedStage:
    """The result of a stage: tensors (s, …), losses on the way, seconds it took."""

    tensors: dict[str, Tensor]
    losses: list[tuple[int, list[float]]]
    seconds: float
    numbers: int  # trained by each seed


@dataclass(frozen=True)
class StageControl:
    """The device of a stage, who gets its reports, and what may stop it."""

    device: str = "cpu"
    report: Callable[[StageProgress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False  # asked at every step


@dataclass
class StageProgress:
    """Step, steps and losses of a stage so far."""

    stage: str
    step: int
    steps: int
    losses: list[float] = field(default_factory=list)


def initial_tensors(
    shape: ToyShape, stage: Stage, seeds: Sequence[int], base: model.Tensors | None
) -> Tensors:
    """Return what a stage trains, at its initial values (s, …)."""
    if stage.kind == "pretrain":
        return model.init_model(shape, seeds)
    assert base is not None, "an adaptation needs a pretrained model"
    if stage.kind == "full":
        return {name: tensor.clone() for name, tensor in base.items()}
    init_adapter = model.init_prefix if stage.kind == "prefix" else model.init_lora
    return init_adapter(shape, seeds)


Tensors = dict[str, Tensor]


def stage_logits(
    shape: ToyShape,
    kind: str,
    trained: Mapping[str, Tensor],
    base: model.Tensors | None,
    tokens: Tensor,
    trace: model.AttentionTrace | None = None,
) -> Tensor:
    """Return scores (s, b, t, words) of the base adapted by what a stage of this kind trained."""
    if kind in ("pretrain", "full") or base is None:
        return model.logits(shape, trained, tokens, trace=trace)
    if kind == "prefix":
        return model.logits(shape, base, tokens, trained["prefix"], trace=trace)
    return model.logits(shape, model.apply_lora(base, trained), tokens, trace=trace)


def train_stage(
    shape: ToyShape,
    stage: Stage,
    seeds: Sequence[int],
    base: model.Tensors | None = None,
    control: StageControl | None = None,
) -> TrainedStage:
    """Train one stage of every seed, tensors (s, …); InterruptedError if asked to stop."""
    control = control or StageControl()
    device = control.device
    parameters = {
        name: tensor.to(device)
        for name, tensor in initial_tensors(shape, stage, seeds, base).items()
    }
    base = None if base is None else {name: tensor.to(device) for name, tensor in base.items()}
    for tensor in parameters.values():
        tensor.requires_grad_()
    optimiser, use_bfloat16 = (
        _optimiser(stage, parameters),
        autocast_dtype("auto", torch.device(device)) is not None,
    )
    rngs = [torch.Generator().manual_seed(7919 * seed + 11) for seed in seeds]
    losses: list[tuple[int, list[float]]] = []
    started_at, report_every = time.monotonic(), max(1, stage.steps // 60)
    for step in range(1, stage.steps + 1):
        if control.stop():
            raise InterruptedError
        inputs, answers = _batch(shape.length, stage.task, rngs)
        tokens = torch.cat([inputs, answers[..., :-1]], -1).to(device)
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=use_bfloat16):
            logits = stage_logits(shape, stage.kind, parameters, base, tokens)
        token_losses = cross_entropy(
            logits.float().flatten(0, 2), answers.to(device).flatten(), reduction="none"
        )
        loss = token_losses.view(len(seeds), -1).mean(1)
        grads = torch.autograd.grad(loss.sum(), list(parameters.values()))
        squares = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)
        factor = (1.0 / (squares.sqrt() + 1e-6)).clamp(max=1.0)  # each seed's norm is at most one
        for tensor, grad in zip(parameters.values(), grads, strict=True):
            tensor.grad = grad * factor.view(-1, *[1] * (grad.dim() - 1))
        optimiser.step()
        if step % report_every == 0 or step in (1, stage.steps):
            losses.append((step, [float(f"{value:.5g}") for value in loss.tolist()]))
            control.report(StageProgress(stage.name, step, stage.steps, losses[-1][1]))
    tensors = {name: tensor.detach().cpu() for name, tensor in parameters.items()}
    numbers = sum(tensor[0].numel() for tensor in tensors.values())
    return TrainedStage(tensors, losses, time.monotonic() - started_at, numbers)


def _optimiser(stage: Stage, parameters: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    """Build AdamW; a model's linear layers decay by 0.1, an adapter by its usual 0.01."""
    full_model = stage.kind in ("pretrain", "full")
    groups = [
        {
            "params": [tensor],
            "weight_decay": (0.1 if model.has_weight_decay(name) else 0.0) if full_model else 0.01,
        }
        for name, tensor in parameters.items()
    ]
    return torch.optim.AdamW(groups, lr=stage.rate, betas=BETAS, foreach=True)


def _batch(length: int, task: str, rngs: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Draw inputs and answers (s, b, n), each seed its own."""
    inputs = [digits.sample_inputs(BATCH_SIZE, length, rng, test=False) for rng in rngs]
    answers = [digits.task_answers(x, task, rng) for x, rng in zip(inputs, rngs, strict=True)]
    return torch.stack(inputs), torch.stack(answers)


@torch.no_grad()
def exact_match(
    shape: ToyShape, kind: str, trained: Mapping[str, Tensor], base: model.Tensors | None, task: str
) -> list[float]:
    """Return the percentage of test sequences that each seed, tensors (s, …), answers in full."""
    rng = torch.Generator().manual_seed(20_231_019)
    inputs = digits.sample_inputs(TEST_SEQUENCES, shape.length, rng, test=True)
    answers = digits.task_answers(inputs, task)
    count = len(next(iter(trained.values())))
    tokens = torch.cat([inputs, answers[:, :-1]], -1).expand(count, -1, -1)
    correct = (stage_logits(shape, kind, trained, base, tokens).argmax(-1) == answers).all(-1)
    return [100 * value for value in correct.float().mean(1).tolist()]


def _first_seed(tensors: Mapping[str, Tensor]) -> Tensors:
    """Return the tensors (1, …) of the first seed."""
    return {name: tensor[:1] for name, tensor in tensors.items()}


@torch.no_grad()
def greedy_answers(
    shape: ToyShape,
    kind: str,
    trained: Mapping[str, Tensor],
    base: model.Tensors | None,
    inputs: Tensor,
) -> Tensor:
    """Answer inputs (b, n) by the first seed, greedily: (b, n)."""
    base, tokens = None if base is None else _first_seed(base), inputs[None]
    for _ in range(shape.length):
        logits = stage_logits(shape, kind, _first_seed(trained), base, tokens)
        tokens = torch.cat([tokens, logits[:, :, -1].argmax(-1)[..., None]], -1)
    return tokens[0, :, shape.length :]


@torch.no_grad()
def attention_weights(
    shape: ToyShape,
    kind: str,
    trained: Mapping[str, Tensor],
    base: model.Tensors | None,
    input_digits: Tensor,
) -> list[Tensor]:
    """Return each layer's attention weights (h, q, m + t) of the first seed over digits (t,)."""
    trace = model.AttentionTrace()
    base = None if base is None else _first_seed(base)
    stage_logits(shape, kind, _first_seed(trained), base, input_digits[None, None], trace)
    return [weights[0, 0] for weights in trace.weights]
