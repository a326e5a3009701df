"""Losses and answers at many points between adapters, many points in one forward pass.

A point is a row of weights on corners: adapters of equal shape, which are the vertices of an
AdaptedModel (the span).  Every point becomes a member of its own, so that one pass reads the same
examples at many points.  Corners are effective values (what the base reads), so that any point is
again a plain adapter, and two methods that inject tensors of equal names and sizes can be corners
of one plane.

Axes: s seeds, v corners, p points, n examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from peftcore.adapters import frozen_states
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import HEAD_STATS
from peftcore.adapters.simplex_points import random_points
from peftcore.analysis.simplex import bezier_weights
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.models.batching import Batch, ExampleBatcher
from peftcore.runs.spec import Evaluation
from peftcore.system import thread_pool
from peftcore.training import batch_budget
from peftcore.training.evaluation import PassControl, answer_examples, length_batches
from peftcore.training.trainer import step_examples

CPU_BLOCK_POINTS = 8  # points in one pass on a processor; a GPU takes 16 times as many
MAX_BLOCK_BYTES = 2**28  # of adapters in one pass
PRECISION_TOLERANCE = 0.02  # share of the losses' spread that half precision may move one of them
CURVE_POINTS = 4  # points of a curve in one training step


PointsToTensors = Callable[[AdaptedModel, int, Tensor], Mapping[str, Tensor]]


def corner_mixtures(span: AdaptedModel, seed: int, points: Tensor) -> dict[str, Tensor]:
    """Return the tensors (p, 1, …) at points (p, v) between the corners of one seed."""
    points = points.to(span.base.device)
    return {  # seeds become points, and each has a single vertex
        name: torch.einsum("pv,v...->p...", points.to(t.dtype), t[seed])[:, None]
        for name, t in span.tensors.items()
    }


def at_points(span: AdaptedModel, seed: int, points: Tensor) -> AdaptedModel:
    """Return the model with points (p, v) of one seed as its p members."""
    return span.with_tensors(corner_mixtures(span, seed, points))


def gram(span: AdaptedModel, seed: int) -> Tensor:
    """Return the inner products (v, v) of the corners of one seed, in double precision.

    What is not trained is left out: it is equal in all corners and would only add a constant.
    """
    flat = torch.cat(  # (v, trained numbers)
        [t[seed].detach().double().flatten(1) for t in span.trainable_tensors.values()], 1
    )
    return (flat @ flat.T).cpu()


def span_of_run(adapted: AdaptedModel) -> AdaptedModel:
    """Return the span of the simplexes a run trained: the vertices of each seed as its corners."""
    # Tensors that all vertices share have a vertex axis of 1; corners need their own.
    effective = adapted.effective_tensors(adapted.tensors)  # (s, 1 or v, …)
    return adapted.with_tensors(
        {
            name: t.detach().expand(t.shape[0], adapted.vertices, *t.shape[2:])
            for name, t in effective.items()
        }
    )


def centroid_span(span: AdaptedModel) -> AdaptedModel:
    """Return a span with one corner for each seed: the centroid, which is what is deployed."""
    centroids = {name: t.mean(1, keepdim=True) for name, t in span.tensors.items()}
    return span.with_tensors(centroids)


def span_of_centroids(
    spans: Sequence[AdaptedModel], seeds: Sequence[Sequence[int]]
) -> AdaptedModel:
    """Return the span between the centroids of several adapters; they may be of different methods.

    seeds[k]: the seeds taken from adapter k, one for each seed of the result.  BadInput unless all
    have effective tensors of the same names and sizes, and belong to the same base.
    """
    first = spans[0]
    shapes = {name: t.shape[2:] for name, t in first.tensors.items()}
    for other in spans[1:]:
        if {name: t.shape[2:] for name, t in other.tensors.items()} != shapes:
            raise BadInput(
                f"{first.adapter.title} and {other.adapter.title} with these settings have tensors "
                "of different names or sizes; only adapters of equal shape span a plane"
            )
        if other.base.fingerprint != first.base.fingerprint:
            raise BadInput("the adapters belong to different base models")
    parts = [
        {name: t[list(s)].mean(1, keepdim=True) for name, t in part.tensors.items()}
        for part, s in zip(spans, seeds, strict=True)
    ]
    parts = [read_alike(part, parts[0]) for part in parts]
    # Each (s, number of adapters, …).
    return first.with_tensors({n: torch.cat([part[n] for part in parts], 1) for n in first.tensors})


def read_alike(tensors: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors (s, v, …) with equal logits whose head reads states as another's does.

    Every seed's head has its own mean and scale; what lies between adapters needs common ones.
    """
    if "head" not in tensors:
        return dict(tensors)
    mean, scale = (tensors[name].transpose(-1, -2) for name in HEAD_STATS)  # (s, v, width, 1)
    other_mean, other_scale = (like[name].transpose(-1, -2) for name in HEAD_STATS)
    head = tensors["head"]
    shift = ((other_mean - mean) / scale * head).sum(-2, keepdim=True)
    changed = {"head": head * other_scale / scale, "head_bias": tensors["head_bias"] + shift}
    return {**tensors, **changed, **{name: like[name] for name in HEAD_STATS}}


def normalise_direction(direction: Tensor, like: Tensor, way: str) -> Tensor:
    """Scale a random direction (s, 1, …) to the values `like` (s, 1, …) it will be added to.

    "filter": every vector along the last axis gets the length of the one it changes (a prefix
    position, a soft token, a row of a matrix), as in arXiv:1712.09913; "tensor": every tensor
    gets the length of its own; "none": left as drawn.
    """
    if way == "none":
        return direction
    axes = (-1,) if way == "filter" else tuple(range(2, like.dim()))  # never seeds or vertices

    def length(t: Tensor) -> Tensor:
        """Return the norms of (s, v, …) over the axes of a filter, kept as axes of one."""
        return torch.linalg.vector_norm(t, dim=axes, keepdim=True)

    return direction * length(like) / (length(direction) + 1e-12)  # the sum avoids 0 / 0


def span_around(centre: AdaptedModel, count: int, way: str, salt: int = 0) -> AdaptedModel:
    """Return the span of a centre (s, 1, …) and of it moved along `count` random directions.

    salt: number that tells repetitions apart; a seed's directions do not depend on other seeds.
    """
    corners, trained = {}, centre.trainable_tensors.keys()
    rngs = [torch.Generator().manual_seed(1_000_003 * (salt + 1) + s) for s in range(centre.seeds)]
    for name, value in sorted(centre.tensors.items()):  # an order of its own keeps draws stable
        if name not in trained:
            corners[name] = value.expand(-1, 1 + count, *value.shape[2:])
            continue
        directions = torch.stack(  # (s, count, …)
            [torch.randn(count, *value.shape[2:], generator=rng) for rng in rngs]
        )
        moved = [
            value + normalise_direction(directions[:, k : k + 1].to(value), value, way)
            for k in range(count)
        ]
        corners[name] = torch.cat([value, *moved], 1)  # (s, 1 + count, …)
    return centre.with_tensors(corners)


class PointEvaluator:
    """Measures losses and answers on the same examples at many points of one seed.

    A point is a row of weights on the corners of `span`, unless `points_to_tensors` says otherwise:
    it takes model, seed and points (p, …) and returns the tensors (p, 1, …) of p members.
    """

    def __init__(
        self,
        span: AdaptedModel,
        seed: int,
        examples: Sequence[Example],
        batcher: ExampleBatcher,
        autocast: torch.dtype | None = None,
        points_to_tensors: PointsToTensors = corner_mixtures,
    ) -> None:
        self.span, self.seed, self.examples = span, seed, list(examples)
        self.points_to_tensors = points_to_tensors
        self.batcher = batcher
        self.device = span.base.device
        self.block = self._block_size()  # points in one pass
        self.concurrent_passes = thread_pool.thread_count(self.device)
        self.set_precision(autocast)

    def set_precision(self, autocast: torch.dtype | None) -> None:
        """Compute in this precision from now on."""
        self.autocast = autocast
        # States that are kept were computed in the old precision: drop them.
        self._cached_batcher = frozen_states.choose_batcher(self.span, self.batcher, autocast)
        self._passes: dict[int, list[tuple[list[int], Batch]]] = {}

    def _block_size(self) -> int:
        """Return how many points one pass has room for."""
        point_bytes = 4 * sum(t[0, 0].numel() for t in self.span.tensors.values())
        most = CPU_BLOCK_POINTS if self.device.type == "cpu" else 16 * CPU_BLOCK_POINTS
        return max(1, min(most, MAX_BLOCK_BYTES // max(1, point_bytes)))

    def _prepared_batches(self, points: int) -> list[tuple[list[int], Batch]]:
        """Return the examples in passes of similar length, by position, for so many points."""
        if points not in self._passes:
            # Passes that run side by side share a processor's cache, and so the budget.
            budget = batch_budget.token_budget(self.span.base) // self.concurrent_passes
            self._passes[points] = [
                (indices, self._cached_batcher.batch([self.examples[i] for i in indices]))
                for indices in length_batches(self.batcher, self.examples, points, budget)
            ]
        return self._passes[points]

    def _members(self, points: Tensor) -> AdaptedModel:
        return self.span.with_tensors(self.points_to_tensors(self.span, self.seed, points))

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None)

    @torch.no_grad()
    def example_losses(self, points: Tensor) -> Tensor:
        """Return the loss of every example at every point, (p, v) → (p, n)."""
        rounds = -(-len(points) // (self.block * self.concurrent_passes))
        # The same number of blocks for every thread, so that none waits for another.
        count = max(1, min(len(points), rounds * self.concurrent_passes))
        blocks = points.tensor_split(count)
        for size in {len(block) for block in blocks}:
            self._prepared_batches(size)  # here, because threads would prepare them twice
        return torch.cat(
            thread_pool.map_in_threads(self._block_losses, blocks, self.concurrent_passes)
        )

    def _block_losses(self, points: Tensor) -> Tensor:
        """Return the loss of every example at the points of one pass, (p, v) → (p, n)."""
        result = torch.empty(len(points), len(self.examples))
        members = self._members(points)
        coords = torch.ones(len(points), 1, 1)  # (p, 1, 1): members have a single vertex
        for indices, batch in self._prepared_batches(len(points)):
            with self._autocast():
                losses = members.losses(batch.repeated(len(points)), coords)  # (p · rows,)
            result[:, indices] = losses.float().cpu().view(len(points), -1)
        return result

    def losses(self, points: Tensor) -> list[float]:
        """Return the mean loss at every point (p, v)."""
        values: list[float] = self.example_losses(points).double().mean(1).tolist()
        return values

    @torch.no_grad()
    def random_point_losses(self, copy_numbers: Sequence[int], salt: int) -> list[float]:
        """Return the mean loss of copies of the examples, every row at a random point of its own.

        This is what stochastic validation sees: one pass over (copies · n) rows.
        """
        v, n = self.span.vertices, len(self.examples)
        seed_tensors = {name: t[self.seed : self.seed + 1] for name, t in self.span.tensors.items()}
        # (1, copies · n, v): a copy's points depend on its number alone, not on other copies.
        coords = torch.cat([random_points([salt], n, v, number) for number in copy_numbers], 1)
        total = torch.zeros(len(copy_numbers), dtype=torch.float64)
        for indices in length_batches(
            self.batcher,
            self.examples,
            len(copy_numbers),
            batch_budget.token_budget(self.span.base),
        ):
            batch = self._cached_batcher.batch(
                [self.examples[i] for i in indices] * len(copy_numbers)
            )
            picked = [n * k + i for k in range(len(copy_numbers)) for i in indices]
            with self._autocast():
                losses = self.span.losses(
                    batch, coords[:, picked], seed_tensors
                )  # (copies · rows,)
            total += losses.double().cpu().view(len(copy_numbers), -1).sum(1)
        return (total / n).tolist()

    def answers(
        self, points: Tensor, task: Task, options: Evaluation, control: PassControl | None = None
    ) -> list[list[Answer]]:
        """Return what each point (p, v) answers to the examples, in this evaluator's precision."""
        control = replace(control or PassControl(), autocast=self.autocast)
        result: list[list[Answer]] = []
        for start in range(0, len(points), self.block):
            members = self._members(points[start : start + self.block])
            result += answer_examples(members, task, self.examples, self.batcher, options, control)
        return result

    def safe_autocast(self, points: Tensor, wanted: torch.dtype | None) -> torch.dtype | None:
        """Return the wanted type if it hardly moves the losses at points (p, v), else None."""
        if wanted is None:
            return None
        before, mean_losses = self.autocast, {}
        for way in (None, wanted):
            self.set_precision(way)
            mean_losses[way] = self.example_losses(points).mean(1)
        self.set_precision(before)
        plain, half = mean_losses[None], mean_losses[wanted]
        # Against their spread: a picture is about differences, however large the losses are.
        tolerance = PRECISION_TOLERANCE * float(plain.max() - plain.min())
        return wanted if float((half - plain).abs().max()) <= tolerance else None


def hessian_product(
    span: AdaptedModel, seed: int, batches: Sequence[Batch], point: Tensor
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return the product of the mean loss's Hessian at a point (v,) with a vector, and the values.

    Vectors and values (m,) are flat over the tensors that training can move.  The product is exact:
    the gradient of the gradient's inner product with the vector.
    """
    members = at_points(span, seed, point[None])
    names = list(members.trainable_tensors)
    values = [members.tensors[name].detach().requires_grad_() for name in names]
    tensors = members.tensors | dict(zip(names, values, strict=True))
    rows = sum(len(batch.input_ids) for batch in batches)

    def product(vector: Tensor) -> Tensor:
        """Multiply the Hessian of the mean loss with a vector (parameters,)."""
        total = torch.zeros_like(vector)
        for batch in batches:
            # Fused attention has no second derivative; its plain form has.
            with sdpa_kernel(SDPBackend.MATH):
                loss = members.losses(batch, torch.ones(1, 1, 1), tensors).sum() / rows
                first = torch.autograd.grad(loss, values, create_graph=True)
                along = torch.cat([g.flatten() for g in first]) @ vector
                second = torch.autograd.grad(along, values, allow_unused=True)
            total += torch.cat(
                [  # a tensor in which the loss is linear has no second derivative
                    (torch.zeros_like(v) if g is None else g).flatten()
                    for g, v in zip(second, values, strict=True)
                ]
            )
        return total

    return product, torch.cat([value.detach().flatten() for value in values])


@dataclass(frozen=True)
class CurveTraining:
    """The training of a curve's middle point."""

    steps: int
    learning_rate: float  # for the first half of the steps; then it falls to zero
    batch_size: int  # examples of a step, each read at CURVE_POINTS points
    seed_number: int  # decides points and the order of examples
    autocast: torch.dtype | None = None


def train_bezier_curve(
    span: AdaptedModel,
    seed: int,
    examples: Sequence[Example],
    batcher: ExampleBatcher,
    training: CurveTraining,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> AdaptedModel:
    """Train the bend of a quadratic curve between two corners; returns start, bend and end.

    The bend starts half-way and learns, by Adam, the mean loss of training examples at random
    points of the curve (arXiv:1802.10026); the ends stay.  report: gets every step and its loss,
    and ends the training by an exception.
    """
    ends = {name: t[seed : seed + 1] for name, t in span.tensors.items()}  # (1, 2, …)
    bend = {name: t.mean(1, keepdim=True).clone() for name, t in ends.items()}  # (1, 1, …)
    optimiser = torch.optim.Adam(
        [bend[name].requires_grad_() for name in span.trainable_tensors], lr=training.learning_rate
    )
    rng = torch.Generator().manual_seed(training.seed_number)
    cached_batcher = frozen_states.choose_batcher(span, batcher, training.autocast)

    def curve() -> AdaptedModel:
        return span.with_tensors(
            {name: torch.cat([t[:, :1], bend[name], t[:, 1:]], 1) for name, t in ends.items()}
        )

    for step in range(training.steps):
        # One point in each quarter of the curve: even cover costs less variance than free draws.
        t = (torch.arange(CURVE_POINTS) + torch.rand(CURVE_POINTS, generator=rng)) / CURVE_POINTS
        weights = torch.from_numpy(bezier_weights(t.double().numpy())).float()  # (p, 3)
        rows = step_examples(examples, training.seed_number, step, training.batch_size)
        batch = cached_batcher.batch(rows * CURVE_POINTS)  # every point reads all rows
        members = at_points(curve(), 0, weights)
        with torch.autocast(
            span.base.device.type, training.autocast, enabled=training.autocast is not None
        ):
            loss = members.losses(batch, torch.ones(CURVE_POINTS, 1, 1)).mean()
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = training.learning_rate * min(1.0, 2 * (1 - step / training.steps))
        optimiser.step()
        report(step + 1, float(loss.detach()))
    for value in bend.values():
        value.requires_grad_(False)
    return curve()
