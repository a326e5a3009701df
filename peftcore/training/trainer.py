"""The one training loop: every method, every base, many seeds in one pass.

The objective is the sum over seeds of the mean loss of that seed's examples; gradients are clipped
per seed, each seed has its own examples and order and keeps its own best step.  The base stays in
evaluation mode.  So one pass over s seeds gives what s passes give, which is a test.  Where s are
too many for the memory they are split into groups, with the same result: the loop itself finds out
how many when memory runs out.  Everything random is a function of seed and step, and what the base
computes of an example is the same whenever it is first met, so that a run resumes from its
checkpoint to the same bytes.

Axes: s seeds, v vertices, r rows of one seed, l layers.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from peftcore.adapters import frozen_states
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.simplex_points import random_points, validation_salt
from peftcore.data.task import Episode, Example
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import RunSpec, Training
from peftcore.system import atomic_files, thread_pool
from peftcore.training import batch_budget

T = TypeVar("T")
FLAT = 0.01  # share by which a dev loss has to fall to count as better for patience
HEAD_LEARNING_RATE = 2e-2  # learning rate of a classification head, whatever the adapter's


@dataclass
class SeedState:
    """The progress of one seed, and its best step."""

    seed: int
    best_step: int = 0
    best_dev: float = math.inf
    best_score: float | None = None  # share of dev labels right at the best step, if it counts
    looks: int = 0  # evaluations of dev since one that was better
    flat_from: float = math.inf  # dev loss at that one
    stopped: str | None = None  # why it trains no more


@dataclass(frozen=True)
class TrainingProgress:
    """One report of the loop or of the answering after it."""

    phase: str  # "training" or "answering"
    step: int
    steps: int
    losses: list[float]  # per seed, mean since the last report; empty while answering
    dev: list[float] | None  # per seed, if this step evaluated dev
    learning_rate: float
    seconds: float  # since the start, before an interruption included
    seconds_left: float | None  # seconds, estimated
    seeds: list[SeedState]
    copies: list[list[float]] | None = None  # per seed, dev loss of each copy at random points
    centroid: list[float] | None = None  # per seed, dev loss of the centroid, beside the copies
    scores: list[float] | None = None  # per seed, share of dev labels right, where that counts


@dataclass(frozen=True)
class DevMeasure:
    """Dev loss and share of right dev labels of a seed; of a simplex the mean over its copies."""

    loss: float
    score: float  # share of labels right; of no meaning for tasks without labels


class TrainingStopped(Exception):
    """The loop was asked to stop; what was learnt is kept."""


def lr_multiplier(training: Training, step: int) -> float:
    """Return the factor on the learning rate at a step counted from 0."""
    rise = training.warmup * training.steps
    if step < rise:
        return (step + 1) / (rise + 1)  # never 0, which would waste the first step
    if training.schedule == "constant":
        return 1.0
    done = (step - rise) / max(1.0, training.steps - rise)  # from 0 to 1 after the warm-up
    return 1 - done if training.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def step_examples(examples: Sequence[Example], seed: int, step: int, size: int) -> list[Example]:
    """Return the examples of one seed at one step: shuffled epochs, one after another."""
    # Computed from the step alone, so that a resumed run needs no state of an iterator.
    batch: list[Example] = []
    position = step * size  # computed, not counted, so that resuming needs no state
    while len(batch) < size:
        epoch, offset = divmod(position, len(examples))
        order = list(range(len(examples)))
        # The order depends on the seed alone, so the seeds beside it change nothing.
        random.Random(f"order/{seed}/{epoch}").shuffle(order)
        take = order[offset : offset + size - len(batch)]
        batch += [examples[i] for i in take]
        position += len(take)
    return batch


def autocast_dtype(wanted: str, device: torch.device) -> torch.dtype | None:
    """Return the autocast type for a precision of a spec, None for single precision.

    `auto` takes bfloat16 on a GPU that has it and on processors with instructions for it, where it
    halves the time; elsewhere on processors it is slower than single precision.
    """
    if wanted == "fp32":
        return None
    if wanted == "bf16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else None


def cosine_penalty(stacked: Sequence[Tensor], pairs: Sequence[Sequence[int]]) -> Tensor:
    """Return the squared cosine (s,) between two vertices of each seed, over all their numbers.

    stacked: tensors (s, v, …).  pairs: two vertices of each seed.
    """
    flat = torch.cat([t.flatten(2) for t in stacked], 2)  # (s, v, numbers)
    one, other = (torch.stack([flat[s, pair[k]] for s, pair in enumerate(pairs)]) for k in (0, 1))
    return torch.nn.functional.cosine_similarity(one, other).square()


def _scaled(grads: dict[str, Tensor], factors: Tensor) -> dict[str, Tensor]:
    """Return gradients (s, v, …) times each seed's factor (s,), zero where that is zero."""
    shaped = {name: factors.view(-1, *[1] * (g.dim() - 1)) for name, g in grads.items()}
    # Not a product alone, since 0 · nan is nan.
    return {
        name: torch.where(shaped[name] > 0, grad * shaped[name], 0.0)
        for name, grad in grads.items()
    }


class Trainer:
    """Trains an adapted model: tensors, optimiser, seeds and the best values of each so far."""

    def __init__(
        self,
        adapted: AdaptedModel,
        episodes: Sequence[Episode],
        batcher: ExampleBatcher,
        spec: RunSpec,
        seeds_per_pass: int | None = None,
        concurrent_passes: int = 1,
    ) -> None:
        """Tokenise all examples, and set up the optimiser.

        seeds_per_pass: at most so many seeds share one pass of the base; None: all of them.
        concurrent_passes: passes that run side by side, each with a share of the seeds.
        """
        self.adapted, self.episodes, self.batcher, self.spec = adapted, episodes, batcher, spec
        self.seeds = [SeedState(n) for n in spec.population.seed_numbers()]
        self.seeds_per_pass = max(1, min(seeds_per_pass or len(self.seeds), len(self.seeds)))
        self.concurrent_passes = concurrent_passes
        for example in {e for episode in episodes for e in (*episode.train, *episode.dev)}:
            batcher.tokenize(example)  # here, because threads would do it twice; too long: BadInput
        self.best = {name: t.detach().clone() for name, t in adapted.trainable_tensors.items()}
        self.step, self.seconds = 0, 0.0
        # Where nothing is trained, dev is looked at once.
        self.steps = spec.training.steps if self.best else 0
        self.autocast = autocast_dtype(spec.training.precision, adapted.base.device)
        self.cached_batcher = frozen_states.choose_batcher(adapted, batcher, self.autocast)
        self._plan_states()
        self.recent: dict[int, list[float]] = {}  # losses since the last report, by seed
        self.copies: list[list[float]] | None = None  # of the last evaluation of dev
        self.centroid: list[float] | None = None
        self.scores: list[float] | None = None
        self._learning_rates = self._base_learning_rates()
        self._views, self._group_rates, self.optimiser = self._optimiser()

    def _base_learning_rates(self) -> dict[str, float]:
        """Return each tensor's learning rate before the schedule."""
        learning_rate, factors = (
            self.spec.training.learning_rate,
            self.adapted.adapter.learning_rate_factors(),
        )
        learning_rate = (
            self.adapted.adapter.default_learning_rate(
                self.adapted.base.kind, self.adapted.base.parameter_count
            )
            if learning_rate is None
            else learning_rate
        )
        # A head starts from noise whatever the adapter does, so it has a rate of its own.
        return {
            name: HEAD_LEARNING_RATE
            if name.startswith("head")
            else learning_rate * factors.get(name, 1.0)
            for name in self.adapted.trainable_tensors
        }

    def _optimiser(
        self,
    ) -> tuple[list[tuple[str, int, Tensor]], list[float], torch.optim.Optimizer]:
        """Build the optimiser over each seed's own view of each tensor: (name, seed or -1, view).

        Returns the views, the learning rate of each group of them, and the optimiser. Views share
        memory with the stacked tensors. AdamW works number by number and needs none;
        Adafactor scales by a tensor's size and gets one view per seed.
        """
        kind, t = self.spec.training.optimiser, self.spec.training
        views = []
        for name, tensor in self.adapted.trainable_tensors.items():
            if kind == "adamw":
                views.append((name, -1, tensor.detach()))
            else:
                views += [(name, s, tensor.detach()[s]) for s in range(len(self.seeds))]
        # Neighbours of one rate are a group, which AdamW steps in one call. Their order, by which
        # a checkpoint numbers what the optimiser keeps, is that of the tensors.
        neighbours = itertools.groupby(views, lambda view: self._learning_rates[view[0]])
        groups = [{"params": [v for _, _, v in same], "lr": rate} for rate, same in neighbours]
        groups = groups or [{"params": [torch.zeros(())], "lr": 0.0}]  # it refuses to have none
        rates = [
            rate for rate, _ in itertools.groupby(self._learning_rates[v[0]] for v in views)
        ] or [0.0]
        if kind == "adamw":
            adamw = torch.optim.AdamW(groups, lr=1.0, weight_decay=t.weight_decay, fused=True)
            return views, rates, adamw
        return views, rates, torch.optim.Adafactor(groups, lr=1.0, weight_decay=t.weight_decay)

    @property
    def active_seeds(self) -> list[int]:
        """Return the positions of the seeds that still train."""
        return [i for i, state in enumerate(self.seeds) if state.stopped is None]

    @property
    def keeps_states(self) -> bool:
        """Return whether states of examples are kept, so that only the first meeting costs."""
        return self.cached_batcher is not self.batcher

    def _plan_states(self) -> None:
        """Fix in which company states are computed: that of an undisturbed run."""
        if isinstance(self.cached_batcher, frozen_states.FrozenStateBatcher):
            self.cached_batcher.plan(self._first_passes())

    def _first_passes(self) -> Iterator[list[Example]]:
        """Yield the examples of each pass of the base, until every one was met."""
        t, size = self.spec.training, max(1, 2 * self.spec.training.batch)
        for group in self._groups(list(range(len(self.seeds)))):
            for at in range(0, len(self.episodes[0].dev), size):
                yield [row for i in group for row in self.episodes[i].dev[at : at + size]]
            longest = max(len(self.episodes[i].train) for i in group)
            for step in range(min(self.steps, -(-longest // t.batch))):
                yield [
                    row
                    for i in group
                    for row in step_examples(
                        self.episodes[i].train, self.seeds[i].seed, step, t.batch
                    )
                ]

    def _groups(self, seeds: list[int]) -> Iterator[list[int]]:
        """Yield these seeds in groups that share a pass, as equal in size as can be."""
        rounds = -(-len(seeds) // (self.seeds_per_pass * self.concurrent_passes))
        count = min(len(seeds), rounds * self.concurrent_passes)
        size, more = divmod(len(seeds), count)  # the first `more` groups have one seed more
        at = 0
        for nth in range(count):
            end = at + size + (nth < more)
            yield seeds[at:end]
            at = end

    def _tensors(self, seeds: list[int]) -> dict[str, Tensor]:
        """Return these seeds' tensors (s, v, …): the model's own for all seeds, copies for some."""
        if len(seeds) == len(self.seeds):
            return self.adapted.tensors
        # Copies, because indexing a leaf would put all seeds into the gradient's graph.
        return {
            name: t.detach()[seeds].requires_grad_(t.requires_grad)
            for name, t in self.adapted.tensors.items()
        }

    def _losses(
        self,
        rows: list[list[Example]],
        coords: Tensor,
        tensors: dict[str, Tensor],
        with_costs: bool = False,
    ) -> Tensor:
        """Return the mean loss (s,) of seeds with these tensors, each over its own rows."""
        batch = self.cached_batcher.batch([row for block in rows for row in block])
        with torch.autocast(
            self.adapted.base.device.type, self.autocast, enabled=self.autocast is not None
        ):
            losses = self.adapted.losses(batch, coords, tensors, with_costs)
        return losses.view(len(rows), -1).mean(1)  # rows are seed-major: (s · r,) → (s, r) → (s,)

    def _row_points(self, seed_numbers: list[int], rows: int) -> Tensor:
        """Draw the points (s, r, v) of the rows of a step; (l, s, r, v) if drawn by layer."""
        sampling, vertices = self.spec.population.draw, self.adapted.vertices
        layers = len(self.adapted.layer_keys()) if sampling == "layer" else 0
        return random_points(
            seed_numbers,
            1 if sampling == "batch" else rows,  # one point for all rows of a seed, or each its own
            vertices,
            self.step,
            layers,
        )

    def _penalties(self, seeds: list[int], tensors: dict[str, Tensor]) -> Tensor | float:
        """Return what is added to each seed's loss (s,): the method's penalty, and diversity's."""
        own = self.adapted.adapter.penalty(tensors)
        total: Tensor | float = 0.0 if own is None else own
        weight = self.spec.training.diversity
        if weight and self.adapted.vertices > 1:
            picks = [self._vertex_pair(self.seeds[i].seed) for i in seeds]
            effective = self.adapted.adapter.effective_tensors(tensors).values()
            # Tensors that all vertices share say nothing about how alike vertices are.
            own_tensors = [t for t in effective if t.shape[1] > 1]  # (s, v, …)
            total = total + weight * cosine_penalty(own_tensors, picks)
        return total

    def _vertex_pair(self, seed: int) -> list[int]:
        """Draw two different vertices of a seed, new ones at every step."""
        rng = random.Random(f"diversity/{seed}/{self.step}")
        return rng.sample(range(self.adapted.vertices), 2)

    def train_step(self) -> dict[int, float]:
        """Train one step of every active seed; return losses, and stop seeds that diverged."""
        t, active = self.spec.training, self.active_seeds
        # values (active,); grads by name (s, v, …), zero for seeds that stopped.
        values, grads = self._within_memory(lambda: self._gradients(active))
        # One norm per seed: a norm over all would make seeds depend on each other.
        sizes_of = [torch.linalg.vector_norm(g.flatten(1).float(), dim=1) for g in grads.values()]
        # (s,): over all tensors of a seed, never across seeds
        norms = torch.linalg.vector_norm(torch.stack(sizes_of), dim=0)
        # Both numbers in one transfer: each one waits for the device.
        losses, sizes = torch.stack([values, norms[active]]).tolist()
        for i, loss, size in zip(active, losses, sizes, strict=True):
            if not (math.isfinite(loss) and math.isfinite(size)):
                self.seeds[i].stopped = (
                    f"diverged at step {self.step + 1}; the state of step "
                    f"{self.seeds[i].best_step} is kept: try a lower learning rate"
                )
        factors = (t.clip / (norms + 1e-6)).clamp(max=1.0)
        # A seed that diverged must not spread its nan through the shared optimiser step.
        factors = torch.where(norms.isfinite(), factors, torch.zeros_like(factors))
        if not all(size + 1e-6 <= t.clip for size in sizes):  # nan is not, either
            grads = _scaled(grads, factors)
        self._optimiser_step(grads)
        self.step += 1
        return dict(zip(active, losses, strict=True))

    def _gradients(self, active: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return losses (active,) of these seeds and gradients (s, v, …) of all; 0 if stopped."""
        groups = list(self._groups(active))
        if len(groups[0]) == len(self.seeds):  # one pass has them all: nothing to put together
            losses, seed_grads = self._losses_and_gradients(groups[0])
            return losses, dict(zip(self.adapted.trainable_tensors, seed_grads, strict=True))
        grads = {name: torch.zeros_like(t) for name, t in self.adapted.trainable_tensors.items()}

        def add_group(group: list[int]) -> Tensor:
            """Return the losses (s,) of a group of seeds, and put its gradients (s, v, …) in."""
            losses, group_grads = self._losses_and_gradients(group)
            for whole, part in zip(grads.values(), group_grads, strict=True):
                whole[group] = part  # safe among threads: each group has seeds of its own
            return losses

        group_losses = thread_pool.map_in_threads(add_group, groups, self.concurrent_passes)
        return torch.cat(group_losses), grads

    def _losses_and_gradients(self, seeds: list[int]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return losses (s,) and gradients (s, v, …) of seeds that share one pass."""
        tensors = self._tensors(seeds)
        losses = self._step_losses(seeds, tensors)
        # A sum over seeds: no seed's gradient depends on how many others are trained with it.
        total = (losses + self._penalties(seeds, tensors)).sum()
        return losses.detach(), torch.autograd.grad(
            total, [tensors[name] for name in self.adapted.trainable_tensors]
        )

    def _step_losses(self, seeds: list[int], tensors: dict[str, Tensor]) -> Tensor:
        """Return the mean loss (s,) of each of these seeds on its examples of this step."""
        size, seed_numbers = self.spec.training.batch, [self.seeds[i].seed for i in seeds]
        rows = [
            step_examples(self.episodes[i].train, self.seeds[i].seed, self.step, size)
            for i in seeds
        ]
        return self._losses(rows, self._row_points(seed_numbers, size), tensors, with_costs=True)

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Do the work, again with half as many seeds in a pass whenever memory runs out."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if self.seeds_per_pass == 1 or not batch_budget.is_out_of_memory(error):
                    raise
                self.seeds_per_pass = -(-self.seeds_per_pass // 2)
                self._plan_states()
            # Here and not in the handler, because the error keeps the tensors alive.
            torch.cuda.empty_cache()

    def _optimiser_step(self, grads: dict[str, Tensor]) -> None:
        """Step by each seed's gradients (s, v, …), clipped already."""
        multiplier = lr_multiplier(self.spec.training, self.step)
        for rate, group in zip(self._group_rates, self.optimiser.param_groups, strict=True):
            group["lr"] = rate * multiplier
        for name, s, view in self._views:
            # A stopped seed has zero gradients; what AdamW still moves is undone by its best.
            view.grad = grads[name] if s < 0 else grads[name][s]
        self.optimiser.step()

    @torch.no_grad()
    def evaluate_dev(self) -> list[float]:
        """Return the dev loss of every seed, nan where stopped, and keep the best state of each.

        A simplex is judged by the mean over copies of dev in which every row is at a random point
        (stochastic validation, arXiv:2310.15793); the losses of each copy are kept in `copies`.
        """
        active, dev_losses = self.active_seeds, [math.nan] * len(self.seeds)
        t = self.spec.training
        if not active:
            return dev_losses
        centroid = self._dev_measures(active, None)  # with one vertex, the adapter itself
        chosen_by = centroid
        if self.adapted.vertices > 1 and t.validation == "stochastic":
            copies = [self._dev_measures(active, copy) for copy in range(t.copies)]
            chosen_by = [
                DevMeasure(
                    sum(each.loss for each in seed) / t.copies,
                    sum(each.score for each in seed) / t.copies,
                )
                for seed in zip(*copies, strict=True)
            ]
            self.copies = [[math.nan] * t.copies for _ in self.seeds]
            self.centroid = [math.nan] * len(self.seeds)
            for index, i in enumerate(active):
                self.copies[i] = [copy[index].loss for copy in copies]
                self.centroid[i] = centroid[index].loss
        if t.select == "labels":
            self.scores = [math.nan] * len(self.seeds)
        for index, i in enumerate(active):
            dev_losses[i] = chosen_by[index].loss
            if self.scores is not None:
                self.scores[i] = chosen_by[index].score
            self._update_best(i, chosen_by[index])
        return dev_losses

    def dev_losses(self, seeds: list[int], copy: int | None) -> list[float]:
        """Return the dev loss of these seeds: at the centroid, or of a copy at random points."""
        return [each.loss for each in self._dev_measures(seeds, copy)]

    def _dev_measures(self, seeds: list[int], copy: int | None) -> list[DevMeasure]:
        """Measure these seeds on dev: at the centroid, or on a copy at random points."""

        def all_groups() -> list[DevMeasure]:
            """Compute group after group, side by side."""
            groups = thread_pool.map_in_threads(
                lambda group: self._group_dev_measures(group, copy),
                list(self._groups(seeds)),
                self.concurrent_passes,
            )
            return [each for group in groups for each in group]

        return self._within_memory(all_groups)

    def _group_dev_measures(self, seeds: list[int], copy: int | None) -> list[DevMeasure]:
        """Measure each of these seeds, which share one pass, on dev."""
        size = len(self.episodes[0].dev)
        totals = [(0.0, 0.0)] * len(seeds)  # of losses and of right labels
        per = max(1, 2 * self.spec.training.batch)  # twice a training step: no graph is kept
        seed_numbers, tensors = [self.seeds[i].seed for i in seeds], self._tensors(seeds)
        coords = self.adapted.centroid(len(seeds))  # (s, 1, v)
        for at in range(0, size, per):
            rows = [list(self.episodes[i].dev[at : at + per]) for i in seeds]
            if copy is not None:
                salt = validation_salt(self.step, copy, at)
                coords = random_points(seed_numbers, len(rows[0]), self.adapted.vertices, salt)
            found = self._losses_and_hits(rows, coords, tensors)
            # Weighted by rows: the last part of dev may be shorter.
            n = len(rows[0])
            totals = [
                (a + loss * n, b + hit * n)
                for (a, b), loss, hit in zip(totals, *found.tolist(), strict=True)
            ]
        return [DevMeasure(loss / size, hits / size) for loss, hits in totals]

    def _losses_and_hits(
        self, rows: list[list[Example]], coords: Tensor, tensors: dict[str, Tensor]
    ) -> Tensor:
        """Return mean loss and share of right labels (2, s) of seeds, each over its own rows."""
        batch = self.cached_batcher.batch([row for block in rows for row in block])
        with torch.autocast(
            self.adapted.base.device.type, self.autocast, enabled=self.autocast is not None
        ):
            found = self.adapted.losses_and_hits(batch, coords, tensors)
        return torch.stack(found).view(2, len(rows), -1).mean(2)

    def _update_best(self, i: int, found: DevMeasure) -> None:
        """Keep a seed's values if dev is the best so far, else maybe stop it."""
        state, t, dev = self.seeds[i], self.spec.training, found.loss
        by_labels = t.select == "labels"
        score = found.score if by_labels else 0.0
        best = state.best_score or 0.0
        # A loss that falls by little is flat: where labels come first it would hardly ever end.
        enough = 1 - FLAT if by_labels else 1.0
        better = math.isfinite(dev) and (score > best or dev < enough * state.flat_from)
        if (score == best and dev < state.best_dev) or (score > best and math.isfinite(dev)):
            state.best_dev, state.best_step = dev, self.step
            state.best_score = score if by_labels else None
            for name, tensor in self.adapted.trainable_tensors.items():
                self.best[name][i] = tensor.detach()[i]  # only this seed's rows (v, …)
        if better:
            state.looks, state.flat_from = 0, min(dev, state.flat_from)
            return
        state.looks += 1
        if not math.isfinite(dev):
            state.stopped = f"dev loss is not a number at step {self.step}"
        elif t.patience and state.looks >= t.patience:
            measure = "dev loss or labels" if by_labels else "dev loss"
            state.stopped = f"no better {measure} in {t.patience} looks"

    def run(
        self,
        report: Callable[[TrainingProgress], None],
        stop: Callable[[], bool],
        checkpoint: Callable[[Trainer], None] = lambda trainer: None,
    ) -> None:
        """Train to the end and give every seed its best values; TrainingStopped if asked to."""
        t, began, first = self.spec.training, time.monotonic() - self.seconds, self.step
        if self.step == 0:  # the untrained adapter is a point of the history, too
            self._report_progress(report, self.evaluate_dev(), began, first)
        while self.step < self.steps and self.active_seeds:
            if stop():
                self.seconds = time.monotonic() - began
                checkpoint(self)
                # What was learnt since the last evaluation of dev may be the best.
                if self.step > max(s.best_step for s in self.seeds):
                    self.evaluate_dev()
                self._restore_best()
                raise TrainingStopped
            for i, loss in self.train_step().items():
                self.recent.setdefault(i, []).append(loss)
            self.seconds = time.monotonic() - began
            if self.step % t.evaluate_every == 0 or self.step == t.steps:
                dev = self.evaluate_dev()
                self._report_progress(report, dev, began, first)
                self.recent = {}
                checkpoint(self)
            elif self.step % 5 == 0:
                self._report_progress(report, None, began, first)
        self._restore_best()

    def _restore_best(self) -> None:
        """Copy every seed's best tensors back into the model."""
        for name, tensor in self.adapted.trainable_tensors.items():
            tensor.data.copy_(self.best[name])

    def _report_progress(
        self,
        report: Callable[[TrainingProgress], None],
        dev: list[float] | None,
        began: float,
        first: int,
    ) -> None:
        """Report the state, with mean losses since the last report."""
        elapsed = time.monotonic() - began
        t, done = self.spec.training, self.step - first
        # The first steps pay for warming up and would predict too long a wait.
        seconds_left = None if done < 3 else (self.steps - self.step) * elapsed / max(1, self.step)
        losses = [
            sum(self.recent[i]) / len(self.recent[i]) if self.recent.get(i) else math.nan
            for i in range(len(self.seeds))
        ]
        learning_rate = max(self._learning_rates.values(), default=0.0) * lr_multiplier(
            t, max(0, self.step - 1)
        )
        states = [SeedState(**asdict(s)) for s in self.seeds]  # copies: ours go on changing
        looked = dev is not None
        copies, centroid, scores = (
            (self.copies, self.centroid, self.scores) if looked else (None, None, None)
        )
        report(
            TrainingProgress(
                "training",
                self.step,
                self.steps,
                losses,
                dev,
                learning_rate,
                elapsed,
                seconds_left,
                states,
                copies,
                centroid,
                scores,
            )
        )

    @property
    def checkpoint_bytes(self) -> int:
        """Return how much room a checkpoint takes: values, best values and what AdamW keeps."""
        return 4 * sum(t.numel() * t.element_size() for t in self.best.values())

    def save(self, path: Path) -> None:
        """Write everything that going on needs; the file is replaced in one step."""
        tensors = {f"now/{k}": v.detach() for k, v in self.adapted.trainable_tensors.items()}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{number}/{k}": torch.as_tensor(v) for k, v in state.items()}
        note = {
            "step": self.step,
            "seconds": self.seconds,
            "seeds": [asdict(s) for s in self.seeds],
            "recent": list(self.recent.items()),
        }
        # Written beside it and renamed: a crash leaves the old checkpoint or the new one.
        part = path.with_suffix(".part")
        ready = {k: v.cpu().contiguous().clone() for k, v in tensors.items()}
        save_file(ready, part, metadata={"state": json.dumps(note)})
        atomic_files.move_into_place(part, path)

    def restore(self, path: Path) -> None:
        """Read a checkpoint, to go on where `save` was called."""
        device = self.adapted.base.device
        optimiser: dict[int, dict[str, Any]] = {}
        with safe_open(path, "pt") as file:
            note = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (not a dict)
                kind, _, name = key.partition("/")
                value = file.get_tensor(key).to(device)
                if kind == "now":
                    self.adapted.tensors[name].data.copy_(value)
                elif kind == "best":
                    self.best[name].copy_(value)
                else:
                    number, _, field = name.partition("/")
                    optimiser.setdefault(int(number), {})[field] = (
                        value.cpu() if field == "step" else value  # as AdamW expects
                    )
        whole = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**whole, "state": optimiser})
        self.step, self.seconds = note["step"], note["seconds"]
        # Checkpoints of earlier versions say nothing of where dev got flat: at its best.
        self.seeds = [SeedState(**{"flat_from": s["best_dev"]} | s) for s in note["seeds"]]
        self.recent = dict(note.get("recent", ()))
