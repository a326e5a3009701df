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
    """The result of a stage: tensors (s, …), losses on the way, seconds it took.

    right: percent of the last training batches answered in full on the way.  start_losses: seed →
    mean loss of the last steps of each start, of which the lowest was kept.
    """

    tensors: dict[str, Tensor]
    losses: list[tuple[int, list[float]]]
    seconds: float
    numbers: int  # trained by each seed
    right: list[tuple[int, list[float]]]
    start_losses: list[list[float]]


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
        return _repeat(base, stage.starts)
    drawn = [
        model.init_prefix(shape, seeds, start)
        if stage.kind == "prefix"
        else model.init_lora(shape, seeds, start, stage.attention)
        for start in range(stage.starts)
    ]
    return {name: torch.stack([one[name] for one in drawn], 1).flatten(0, 1) for name in drawn[0]}


def _repeat(tensors: model.Tensors, starts: int) -> Tensors:
    """Return tensors (s, …) with every seed's once for each of its starts (s · starts, …)."""
    return {name: tensor.repeat_interleave(starts, 0) for name, tensor in tensors.items()}


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
    """Train one stage of every seed, tensors (s, …); InterruptedError if asked to stop.

    With several starts a seed's are trained side by side, on the same sequences.
    """
    control = control or StageControl()
    started_at, history = time.monotonic(), _History(len(seeds), stage.starts)
    parameters = {
        name: tensor.to(control.device).requires_grad_()
        for name, tensor in initial_tensors(shape, stage, seeds, base).items()
    }
    if base is not None:
        base = {name: t.to(control.device) for name, t in _repeat(base, stage.starts).items()}
    optimiser = _optimiser(stage, parameters)
    use_bfloat16 = autocast_dtype("auto", torch.device(control.device)) is not None
    rngs = [torch.Generator().manual_seed(7919 * seed + 11) for seed in seeds]
    report_every = max(1, stage.steps // 60)
    for step in range(1, stage.steps + 1):
        if control.stop():
            raise InterruptedError
        batch = _batch(shape.length, stage.task, rngs)
        inputs, answers = (part.repeat_interleave(stage.starts, 0) for part in batch)
        tokens = torch.cat([inputs, answers[..., :-1]], -1).to(control.device)
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=use_bfloat16):
            logits = stage_logits(shape, stage.kind, parameters, base, tokens)
        answers = answers.to(control.device)
        token_losses = cross_entropy(
            logits.float().flatten(0, 2), answers.flatten(), reduction="none"
        )
        loss = token_losses.view(len(tokens), -1).mean(1)
        _set_gradients(loss, parameters)
        if stage.falling:
            for group in optimiser.param_groups:
                group["lr"] = stage.rate * (1 - (step - 1) / stage.steps)
        optimiser.step()
        history.add(loss.detach(), (logits.detach().argmax(-1) == answers).all(-1))
        if step % report_every == 0 or step in (1, stage.steps):
            history.close(step)
            control.report(StageProgress(stage.name, step, stage.steps, history.lowest()))
    kept = history.best_starts()
    tensors = {name: tensor.detach().cpu()[kept] for name, tensor in parameters.items()}
    numbers = sum(tensor[0].numel() for tensor in tensors.values())
    seconds = time.monotonic() - started_at
    return TrainedStage(
        tensors, history.losses(kept), seconds, numbers, history.right(kept), history.start_losses()
    )


class _History:
    """Losses (s · starts,) at reports, and the share right and mean loss since the last one."""

    def __init__(self, seeds: int, starts: int) -> None:
        self.seeds, self.starts = seeds, starts
        self.steps: list[int] = []
        self.last: list[Tensor] = []  # the loss of the step reported
        self.means: list[Tensor] = []  # of the steps since the report before
        self.shares: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []

    def add(self, loss: Tensor, hits: Tensor) -> None:
        """Take in a step: losses (r,) of s · starts rows, and which sequences were right (r, b)."""
        self._losses.append(loss)
        self._hits.append(hits.float().mean(1))

    def close(self, step: int) -> None:
        """Keep what came in since the last report."""
        self.steps.append(step)
        self.last.append(self._losses[-1].cpu())
        self.means.append(torch.stack(self._losses).mean(0).cpu())
        self.shares.append(100 * torch.stack(self._hits).mean(0).cpu())
        self._losses, self._hits = [], []

    def lowest(self) -> list[float]:
        """Return each seed's lowest loss of the last step, over its starts."""
        return _rounded(self.last[-1].view(self.seeds, -1).min(1).values)

    def best_starts(self) -> Tensor:
        """Return the rows (s,) of each seed's start of lowest mean loss since the last report."""
        best = self.means[-1].view(self.seeds, -1).nan_to_num(torch.inf).argmin(1)
        return torch.arange(self.seeds) * self.starts + best

    def losses(self, kept: Tensor) -> list[tuple[int, list[float]]]:
        """Return step and losses of the rows (k,) that are kept."""
        pairs = zip(self.steps, self.last, strict=True)
        return [(step, _rounded(values[kept])) for step, values in pairs]

    def right(self, kept: Tensor) -> list[tuple[int, list[float]]]:
        """Return step and percent right since the report before, of the rows (k,) that are kept."""
        pairs = zip(self.steps, self.shares, strict=True)
        return [(step, _rounded(values[kept])) for step, values in pairs]

    def start_losses(self) -> list[list[float]]:
        """Return each seed's mean loss since the last report, start by start."""
        return [_rounded(row) for row in self.means[-1].view(self.seeds, -1)]


def _rounded(values: Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _set_gradients(loss: Tensor, parameters: Mapping[str, Tensor]) -> None:
    """Compute the gradients of losses (s,); each seed's norm is at most one."""
    grads = torch.autograd.grad(loss.sum(), list(parameters.values()))
    squares = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)
    factor = (1.0 / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for tensor, grad in zip(parameters.values(), grads, strict=True):
        tensor.grad = grad * factor.view(-1, *[1] * (grad.dim() - 1))


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
