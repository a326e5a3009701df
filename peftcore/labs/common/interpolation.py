"""Losses and answers at many points between adapters, stacked in few forward passes.

A point is a row of weights on corners; every point is worn as a member of its own, so one pass
reads the same examples at many points.  What each seed starts from are effective values (what the
seams read), so that any point is again a plain adapter and any two methods that enter the model in
the same way and size can be corners of one plane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from peftcore.adapters import encoder_cache
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.simplex_points import random_points
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.models.batching import Batch, ExampleBatcher
from peftcore.runs.spec import Evaluation
from peftcore.system import thread_pool
from peftcore.training import batch_budget
from peftcore.training.evaluation import answer_examples, length_batches

CPU_BLOCK_POINTS = 8  # points that ride together on a processor
MAX_BLOCK_BYTES = 2**28  # of adapters in one block
# Share of the losses' spread by which half precision may change one of them.
PRECISION_TOLERANCE = 0.02


PointsToTensors = Callable[[AdaptedModel, int, Tensor], Mapping[str, Tensor]]


def corner_mixtures(span: AdaptedModel, seed: int, points: Tensor) -> dict[str, Tensor]:
    """The tensors (p, 1, …) at points (p, v) between the corners of one seed."""
    points = points.to(span.base.device)
    return {
        name: torch.einsum("pv,v...->p...", points.to(t.dtype), t[seed])[:, None]
        for name, t in span.tensors.items()
    }


def at_points(span: AdaptedModel, seed: int, points: Tensor) -> AdaptedModel:
    """Points (p, v) of one seed as p members of their own."""
    return span.with_tensors(corner_mixtures(span, seed, points))


def gram(span: AdaptedModel, seed: int) -> Tensor:
    """Inner products (v, v) of the corners of one seed, in double precision."""
    flat = torch.cat(
        [t[seed].detach().double().flatten(1) for t in span.trainable_tensors.values()], 1
    )
    return (flat @ flat.T).cpu()


def span_of_run(adapted: AdaptedModel) -> AdaptedModel:
    """The simplexes a run trained, its vertices as corners: every effective tensor has them all."""
    effective = adapted.effective_tensors(adapted.tensors)
    return adapted.with_tensors(
        {
            name: t.detach().expand(t.shape[0], adapted.vertices, *t.shape[2:])
            for name, t in effective.items()
        }
    )


def centroid_span(span: AdaptedModel) -> AdaptedModel:
    """The one adapter of each seed that is deployed: its centroid."""
    centroids = {name: t.mean(1, keepdim=True) for name, t in span.tensors.items()}
    return span.with_tensors(centroids)


def span_of_centroids(
    spans: Sequence[AdaptedModel], seeds: Sequence[Sequence[int]]
) -> AdaptedModel:
    """The centroids of several adapters as corners; seeds[k] says which seed of part k.

    BadInput unless all enter the model with tensors of the same names and sizes.
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
        for name, value in first.head_stats.items():
            if not torch.allclose(value, other.head_stats[name], rtol=1e-4, atol=1e-5):
                raise BadInput("the heads of these adapters read differently standardised states")
    corners = {
        name: torch.stack(
            [part.tensors[name][list(s)].mean(1) for part, s in zip(spans, seeds, strict=True)], 1
        )
        for name in first.tensors
    }
    return first.with_tensors(corners)


def normalise_direction(direction: Tensor, like: Tensor, way: str) -> Tensor:
    """A random direction (s, 1, …) on the scale of the values it will be added to.

    "filter": every vector along the last axis gets the length of the one it changes (a prefix
    position, a soft token, a row of a matrix), as in arXiv:1712.09913; "tensor": every tensor
    gets the length of its own; "none": left as drawn.
    """
    if way == "none":
        return direction
    axes = (-1,) if way == "filter" else tuple(range(2, like.dim()))

    def length(t: Tensor) -> Tensor:
        return torch.linalg.vector_norm(t, dim=axes, keepdim=True)

    return direction * length(like) / (length(direction) + 1e-12)


def span_around(centre: AdaptedModel, count: int, way: str, salt: int = 0) -> AdaptedModel:
    """Corners: the centre (s, 1, …) and the centre moved along `count` random directions."""
    corners, fixed = {}, centre.adapter.untrained_names()
    rngs = [torch.Generator().manual_seed(1_000_003 * (salt + 1) + s) for s in range(centre.seeds)]
    for name, value in sorted(centre.tensors.items()):
        if name in fixed:
            corners[name] = value.expand(-1, 1 + count, *value.shape[2:])
            continue
        directions = torch.stack(
            [torch.randn(count, *value.shape[2:], generator=rng) for rng in rngs]
        )
        moved = [
            value + normalise_direction(directions[:, k : k + 1].to(value), value, way)
            for k in range(count)
        ]
        corners[name] = torch.cat([value, *moved], 1)
    return centre.with_tensors(corners)


class PointEvaluator:
    """Losses on the same examples at many points of one seed.

    A point is a row of weights on the corners of `span`, unless `points_to_tensors` says what else:
    it takes model, seed and points (p, …) and gives the tensors (p, 1, …) of p members.
    """

    def __init__(
        self,
        span: AdaptedModel,
        seed: int,
        examples: Sequence[Example],
        batcher: ExampleBatcher,
        autocast: torch.dtype | None = None,
        block: int | None = None,
        points_to_tensors: PointsToTensors = corner_mixtures,
    ) -> None:
        self.span, self.seed, self.examples = span, seed, list(examples)
        self.points_to_tensors = points_to_tensors
        self.batcher = batcher
        self.device = span.base.device
        self.block = block or self._default_block()
        self.concurrent_passes = thread_pool.thread_count(self.device)
        self.set_precision(autocast)

    def set_precision(self, autocast: torch.dtype | None) -> None:
        """Compute in this precision from now on."""
        self.autocast = autocast
        self._cached_batcher = encoder_cache.choose_batcher(self.span, self.batcher, autocast)
        self._passes: dict[int, list[tuple[list[int], Batch]]] = {}

    def _default_block(self) -> int:
        size = 4 * sum(t[0, 0].numel() for t in self.span.tensors.values())
        most = CPU_BLOCK_POINTS if self.device.type == "cpu" else 16 * CPU_BLOCK_POINTS
        return max(1, min(most, MAX_BLOCK_BYTES // max(1, size)))

    def _prepared_batches(self, block: int) -> list[tuple[list[int], Batch]]:
        """The examples in passes of like length, by position, for so many points at a time."""
        if block not in self._passes:
            # Concurrent passes share the processor's cache.
            budget = batch_budget.token_budget(self.span.base) // self.concurrent_passes
            self._passes[block] = [
                (indices, self._cached_batcher.batch([self.examples[i] for i in indices]))
                for indices in length_batches(self.batcher, self.examples, block, budget)
            ]
        return self._passes[block]

    def _members(self, points: Tensor) -> AdaptedModel:
        return self.span.with_tensors(self.points_to_tensors(self.span, self.seed, points))

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None)

    @torch.no_grad()
    def example_losses(self, points: Tensor) -> Tensor:
        """Loss of every example at every point (p, v) → (p, n)."""
        rounds = -(-len(points) // (self.block * self.concurrent_passes))
        # A multiple of the threads, so that every thread gets as many blocks.
        count = max(1, min(len(points), rounds * self.concurrent_passes))
        blocks = points.tensor_split(count)
        for size in {len(some) for some in blocks}:
            self._prepared_batches(size)  # once, before threads would
        return torch.cat(
            thread_pool.map_in_threads(self._block_losses, blocks, self.concurrent_passes)
        )

    def _block_losses(self, points: Tensor) -> Tensor:
        """Loss of every example at points (p, v) that ride together → (p, n)."""
        result = torch.empty(len(points), len(self.examples))
        members = self._members(points)
        for indices, batch in self._prepared_batches(len(points)):
            with self._autocast():
                losses = members.losses(batch.repeated(len(points)), torch.ones(len(points), 1, 1))
            result[:, indices] = losses.float().cpu().view(len(points), -1)
        return result

    def losses(self, points: Tensor) -> list[float]:
        """Mean loss at every point (p, v)."""
        values: list[float] = self.example_losses(points).double().mean(1).tolist()
        return values

    @torch.no_grad()
    def random_point_losses(self, copy_numbers: Sequence[int], salt: int) -> list[float]:
        """Mean loss of copies of the examples, every row of each at a random point of its own."""
        v, n = self.span.vertices, len(self.examples)
        seed_tensors = {name: t[self.seed : self.seed + 1] for name, t in self.span.tensors.items()}
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
                losses = self.span.losses(batch, coords[:, picked], seed_tensors)
            total += losses.double().cpu().view(len(copy_numbers), -1).sum(1)
        return (total / n).tolist()

    def answers(
        self, points: Tensor, task: Task, options: Evaluation, stop: Callable[[], bool]
    ) -> list[list[Answer]]:
        """What each point (p, v) answers to the examples."""
        result: list[list[Answer]] = []
        for at in range(0, len(points), self.block):
            members = self._members(points[at : at + self.block])
            result += answer_examples(
                members,
                task,
                self.examples,
                self.batcher,
                options,
                autocast=self.autocast,
                stop=stop,
            )
        return result

    def safe_autocast(self, points: Tensor, wanted: torch.dtype | None) -> torch.dtype | None:
        """Half precision if it leaves the losses at these points alone, else None."""
        if wanted is None:
            return None
        before, mean_losses = self.autocast, {}
        for way in (None, wanted):  # an encoder that runs once must do so in the same arithmetic
            self.set_precision(way)
            mean_losses[way] = self.example_losses(points).mean(1)
        self.set_precision(before)
        plain, half = mean_losses[None], mean_losses[wanted]
        tolerance = PRECISION_TOLERANCE * float(plain.max() - plain.min())
        return wanted if float((half - plain).abs().max()) <= tolerance else None


def hessian_product(
    span: AdaptedModel, seed: int, batches: Sequence[Batch], point: Tensor
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Product of the loss's second derivative at a point (v,) with a vector, and the point itself.

    Both flat over the tensors that training can move.  Exact: attention runs in its plain form,
    which can be differentiated twice.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    members = at_points(span, seed, point[None])
    names = list(members.trainable_tensors)
    values = [members.tensors[name].detach().requires_grad_() for name in names]
    tensors = members.tensors | dict(zip(names, values, strict=True))
    rows = sum(len(batch.input_ids) for batch in batches)

    def product(vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        for batch in batches:
            with sdpa_kernel(SDPBackend.MATH):
                loss = members.losses(batch, torch.ones(1, 1, 1), tensors).sum() / rows
                first = torch.autograd.grad(loss, values, create_graph=True)
                along = torch.cat([g.flatten() for g in first]) @ vector
                second = torch.autograd.grad(along, values, allow_unused=True)
            total += torch.cat(
                [
                    (torch.zeros_like(v) if g is None else g).flatten()
                    for g, v in zip(second, values, strict=True)
                ]
            )
        return total

    return product, torch.cat([value.detach().flatten() for value in values])


def train_bezier_curve(
    span: AdaptedModel,
    seed: int,
    examples: Sequence[Example],
    batcher: ExampleBatcher,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int,
    seed_number: int,
    autocast: torch.dtype | None,
    report: Callable[[int, float], None],
    stop: Callable[[], bool],
) -> AdaptedModel:
    """Start, bend and end of a quadratic curve between two corners, the bend trained.

    The bend starts half-way and learns, by Adam, the mean loss of training examples at random
    points of the curve (arXiv:1802.10026); the ends stay.  InterruptedError if `stop` says so.
    """
    from peftcore.analysis.simplex import bezier_weights
    from peftcore.training.trainer import step_examples

    ends = {name: t[seed : seed + 1] for name, t in span.tensors.items()}
    half = {name: t.mean(1, keepdim=True).clone() for name, t in ends.items()}
    moving = [half[name].requires_grad_() for name in span.trainable_tensors]
    optimiser = torch.optim.Adam(moving, lr=learning_rate)
    rng = torch.Generator().manual_seed(seed_number)
    points = 4
    device = span.base.device
    cached_batcher = encoder_cache.choose_batcher(span, batcher, autocast)
    for step in range(steps):
        if stop():
            raise InterruptedError
        corners = {name: torch.cat([t[:, :1], half[name], t[:, 1:]], 1) for name, t in ends.items()}
        t = (torch.arange(points) + torch.rand(points, generator=rng)) / points
        members = at_points(
            span.with_tensors(corners),
            0,
            torch.from_numpy(bezier_weights(t.double().numpy())).float(),
        )
        rows = step_examples(examples, seed_number, step, batch_size)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            loss = members.losses(
                cached_batcher.batch(rows * points), torch.ones(points, 1, 1)
            ).mean()
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * min(1.0, 2 * (1 - step / steps))
        optimiser.step()
        report(step + 1, float(loss.detach()))
    final = {
        name: torch.cat([t[:, :1], half[name].detach(), t[:, 1:]], 1) for name, t in ends.items()
    }
    return span.with_tensors(final)
