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
from peftcore.adapters.adapted_model import Adapted
from peftcore.adapters.simplex_points import random_points
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.models.batching import Batch, Encoder
from peftcore.runs.spec import Evaluation
from peftcore.system import thread_pool
from peftcore.training import batch_budget
from peftcore.training.evaluation import answer, chunks

BLOCK = 8  # points that ride together on a processor
BYTES = 2**28  # of adapters in one block
ALIKE = 0.02  # share of the losses' spread by which half precision may move one of them


class Terrain(Adapted):
    """Adapters spanned by corners (s, v, …) of effective values."""

    def __init__(self, worn: Adapted, corners: Mapping[str, Tensor], fixed: frozenset[str]) -> None:
        # Shares the shell, its hooks and the base of `worn`; only the tensors are others.
        self.__dict__.update(worn.__dict__)
        self.tensors, self._fixed = dict(corners), fixed
        first = next(iter(self.tensors.values()))
        self.seeds, self.vertices = first.shape[:2]

    def _effective(self, held: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(held)

    @property
    def moving(self) -> dict[str, Tensor]:
        """The corners' tensors that training can move."""
        return {name: t for name, t in self.tensors.items() if name not in self._fixed}

    def at(self, seed: int, points: Tensor) -> Terrain:
        """Points (p, v) of one seed as p members of their own."""
        points = points.to(self.base.device)
        mixed = {
            name: torch.einsum("pv,v...->p...", points.to(t.dtype), t[seed])[:, None]
            for name, t in self.tensors.items()
        }
        return Terrain(self, mixed, self._fixed)

    def gram(self, seed: int) -> Tensor:
        """Inner products (v, v) of the corners of one seed, in double precision."""
        flat = torch.cat([t[seed].detach().double().flatten(1) for t in self.moving.values()], 1)
        return (flat @ flat.T).cpu()


def _effective(worn: Adapted) -> dict[str, Tensor]:
    """What a run's seams read, every tensor with all its vertices."""
    held = {name: t.detach() for name, t in worn._effective(worn.tensors).items()}
    return {
        name: t.detach().expand(t.shape[0], worn.vertices, *t.shape[2:]) for name, t in held.items()
    }


def of_run(worn: Adapted) -> Terrain:
    """The simplexes a run trained, its vertices as corners."""
    return Terrain(worn, _effective(worn), worn.adapter.fixed())


def middle(terrain: Terrain) -> Terrain:
    """The one adapter of each seed that is deployed: its centroid."""
    held = {name: t.mean(1, keepdim=True) for name, t in terrain.tensors.items()}
    return Terrain(terrain, held, terrain._fixed)


def joined(parts: Sequence[Terrain], seeds: Sequence[Sequence[int]]) -> Terrain:
    """The centroids of several adapters as corners; seeds[k] says which seed of part k.

    BadInput unless all enter the model with tensors of the same names and sizes.
    """
    first = parts[0]
    shapes = {name: t.shape[2:] for name, t in first.tensors.items()}
    for other in parts[1:]:
        if {name: t.shape[2:] for name, t in other.tensors.items()} != shapes:
            raise BadInput(
                f"{first.adapter.title} and {other.adapter.title} with these settings have tensors "
                "of different names or sizes; only adapters of equal shape span a plane"
            )
        if other.base.fingerprint != first.base.fingerprint:
            raise BadInput("the adapters belong to different base models")
        for name, value in first.frozen.items():
            if not torch.allclose(value, other.frozen[name], rtol=1e-4, atol=1e-5):
                raise BadInput("the heads of these adapters read differently standardised states")
    corners = {
        name: torch.stack(
            [part.tensors[name][list(s)].mean(1) for part, s in zip(parts, seeds, strict=True)], 1
        )
        for name in first.tensors
    }
    return Terrain(first, corners, first._fixed)


def normalised(direction: Tensor, like: Tensor, way: str) -> Tensor:
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


def around(centre: Terrain, count: int, way: str, salt: int = 0) -> Terrain:
    """Corners: the centre (s, 1, …) and the centre moved along `count` random directions."""
    corners = {}
    rngs = [torch.Generator().manual_seed(1_000_003 * (salt + 1) + s) for s in range(centre.seeds)]
    for name, value in sorted(centre.tensors.items()):
        if name in centre._fixed:
            corners[name] = value.expand(-1, 1 + count, *value.shape[2:])
            continue
        drawn = torch.stack([torch.randn(count, *value.shape[2:], generator=rng) for rng in rngs])
        moved = [
            value + normalised(drawn[:, k : k + 1].to(value), value, way) for k in range(count)
        ]
        corners[name] = torch.cat([value, *moved], 1)
    return Terrain(centre, corners, centre._fixed)


class Surveyor:
    """Measures losses on the same examples at points of one seed's terrain."""

    def __init__(
        self,
        terrain: Terrain,
        seed: int,
        examples: Sequence[Example],
        encoder: Encoder,
        autocast: torch.dtype | None = None,
        block: int | None = None,
    ) -> None:
        self.terrain, self.seed, self.examples = terrain, seed, list(examples)
        self.encoder = encoder
        self.device = terrain.base.device
        self.block = block or self._block()
        self.at_once = thread_pool.count(self.device)
        self.use(autocast)

    def use(self, autocast: torch.dtype | None) -> None:
        """Compute in this precision from now on."""
        self.autocast = autocast
        self._reader = encoder_cache.reader(self.terrain, self.encoder, autocast)
        self._passes: dict[int, list[tuple[list[int], Batch]]] = {}

    def _block(self) -> int:
        size = 4 * sum(t[0, 0].numel() for t in self.terrain.tensors.values())
        most = BLOCK if self.device.type == "cpu" else 16 * BLOCK
        return max(1, min(most, BYTES // max(1, size)))

    def _prepared(self, block: int) -> list[tuple[list[int], Batch]]:
        """The examples in passes of like length, by position, for so many points at a time."""
        if block not in self._passes:
            room = batch_budget.tokens(self.terrain.base) // self.at_once  # they share a cache
            self._passes[block] = [
                (places, self._reader.batch([self.examples[i] for i in places]))
                for places in chunks(self.encoder, self.examples, block, room)
            ]
        return self._passes[block]

    def _arithmetic(self) -> Any:
        return torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None)

    @torch.no_grad()
    def rows(self, points: Tensor) -> Tensor:
        """Loss of every example at every point (p, v) → (p, n)."""
        rounds = -(-len(points) // (self.block * self.at_once))
        count = max(1, min(len(points), rounds * self.at_once))  # as many for every thread
        blocks = points.tensor_split(count)
        for size in {len(some) for some in blocks}:
            self._prepared(size)  # once, before threads would
        return torch.cat(thread_pool.each(self._block_rows, blocks, self.at_once))

    def _block_rows(self, points: Tensor) -> Tensor:
        """Loss of every example at points (p, v) that ride together → (p, n)."""
        found = torch.empty(len(points), len(self.examples))
        members = self.terrain.at(self.seed, points)
        for places, batch in self._prepared(len(points)):
            with self._arithmetic():
                losses = members.losses(batch.repeated(len(points)), torch.ones(len(points), 1, 1))
            found[:, places] = losses.float().cpu().view(len(points), -1)
        return found

    def losses(self, points: Tensor) -> list[float]:
        """Mean loss at every point (p, v)."""
        values: list[float] = self.rows(points).double().mean(1).tolist()
        return values

    @torch.no_grad()
    def scattered(self, numbers: Sequence[int], salt: int) -> list[float]:
        """Mean loss of copies of the examples, every row of each at a random point of its own."""
        v, n = self.terrain.vertices, len(self.examples)
        held = {name: t[self.seed : self.seed + 1] for name, t in self.terrain.tensors.items()}
        coords = torch.cat([random_points([salt], n, v, number) for number in numbers], 1)
        total = torch.zeros(len(numbers), dtype=torch.float64)
        for places in chunks(
            self.encoder, self.examples, len(numbers), batch_budget.tokens(self.terrain.base)
        ):
            batch = self._reader.batch([self.examples[i] for i in places] * len(numbers))
            picked = [n * k + i for k in range(len(numbers)) for i in places]
            with self._arithmetic():
                losses = self.terrain.losses(batch, coords[:, picked], held)
            total += losses.double().cpu().view(len(numbers), -1).sum(1)
        return (total / n).tolist()

    def answers(
        self, points: Tensor, task: Task, options: Evaluation, stop: Callable[[], bool]
    ) -> list[list[Answer]]:
        """What each point (p, v) answers to the examples."""
        found: list[list[Answer]] = []
        for at in range(0, len(points), self.block):
            members = self.terrain.at(self.seed, points[at : at + self.block])
            found += answer(
                members,
                task,
                self.examples,
                self.encoder,
                options,
                autocast=self.autocast,
                stop=stop,
            )
        return found

    def arithmetic(self, probes: Tensor, wanted: torch.dtype | None) -> torch.dtype | None:
        """Half precision if it leaves the losses at these points alone, else None."""
        if wanted is None:
            return None
        before, found = self.autocast, {}
        for way in (None, wanted):  # an encoder that runs once must do so in the same arithmetic
            self.use(way)
            found[way] = self.rows(probes).mean(1)
        self.use(before)
        plain, half = found[None], found[wanted]
        room = ALIKE * float(plain.max() - plain.min())
        return wanted if float((half - plain).abs().max()) <= room else None


def curvature(
    terrain: Terrain, seed: int, batches: Sequence[Batch], point: Tensor
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Product of the loss's second derivative at a point (v,) with a vector, and the point itself.

    Both flat over the tensors that training can move.  Exact: attention runs in its plain form,
    which can be differentiated twice.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    members = terrain.at(seed, point[None])
    names = list(members.moving)
    values = [members.tensors[name].detach().requires_grad_() for name in names]
    held = members.tensors | dict(zip(names, values, strict=True))
    rows = sum(len(batch.ids) for batch in batches)

    def product(vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        for batch in batches:
            with sdpa_kernel(SDPBackend.MATH):
                loss = members.losses(batch, torch.ones(1, 1, 1), held).sum() / rows
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


def bend(
    terrain: Terrain,
    seed: int,
    episode: Sequence[Example],
    encoder: Encoder,
    *,
    steps: int,
    rate: float,
    batch: int,
    number: int,
    autocast: torch.dtype | None,
    report: Callable[[int, float], None],
    stop: Callable[[], bool],
) -> Terrain:
    """Start, bend and end of a quadratic curve between two corners, the bend trained.

    The bend starts half-way and learns, by Adam, the mean loss of training examples at random
    points of the curve (arXiv:1802.10026); the ends stay.  InterruptedError if `stop` says so.
    """
    from peftcore.analysis.simplex import bezier
    from peftcore.training.trainer import batch_of

    ends = {name: t[seed : seed + 1] for name, t in terrain.tensors.items()}
    half = {name: t.mean(1, keepdim=True).clone() for name, t in ends.items()}
    moving = [half[name].requires_grad_() for name in terrain.moving]
    optimiser = torch.optim.Adam(moving, lr=rate)
    rng = torch.Generator().manual_seed(number)
    points = 4
    device = terrain.base.device
    reader = encoder_cache.reader(terrain, encoder, autocast)
    for step in range(steps):
        if stop():
            raise InterruptedError
        corners = {name: torch.cat([t[:, :1], half[name], t[:, 1:]], 1) for name, t in ends.items()}
        t = (torch.arange(points) + torch.rand(points, generator=rng)) / points
        members = Terrain(terrain, corners, terrain._fixed).at(
            0, torch.from_numpy(bezier(t.double().numpy())).float()
        )
        rows = batch_of(episode, number, step, batch)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            loss = members.losses(reader.batch(rows * points), torch.ones(points, 1, 1)).mean()
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, 2 * (1 - step / steps))
        optimiser.step()
        report(step + 1, float(loss.detach()))
    final = {
        name: torch.cat([t[:, :1], half[name].detach(), t[:, 1:]], 1) for name, t in ends.items()
    }
    return Terrain(terrain, final, terrain._fixed)
