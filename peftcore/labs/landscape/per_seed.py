"""What a landscape says of every seed in numbers: how flat it lies, what validation sees of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.simplex_points import random_points
from peftcore.analysis import flatness, simplex
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.common import interpolation
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import LandscapeContext
from peftcore.runs.spec import Evaluation
from peftcore.training.checkpoint import load_adapter
from peftcore.training.evaluation import examples_to_answer

MAX_BARRIER_EDGES = 15  # edges whose barriers go into the flatness of a simplex
POINTS_PER_EDGE = 5  # points inside an edge


def measure_flatness(context: LandscapeContext) -> None:
    """Every measure for every seed, one line each; those known are not taken again."""
    run_span = interpolation.span_of_run(
        load_adapter(context.run, context.base, context.request.adapter_refs()[0].step)
    )
    rows = context.examples(0)
    _write_plan(context, rows)
    known_entries = {(e["measure"], e["seed"]) for e in context.job.entries() if e.get("measure")}
    names = ["loss", "rise", "worst rise", "top eigenvalue"]
    if run_span.vertices > 1:
        names += ["barrier", "variance", "vertices", "bowl"]
    todo = [(seed, name) for seed in range(run_span.seeds) for name in names]
    flatness_by_seed: dict[int, _SeedFlatness] = {}
    for index, (seed, name) in enumerate(todo):
        number = context.seed_number(seed)
        if (name, number) in known_entries:
            continue
        context.write_progress(index, len(todo), f"Seed {number}, {name}")
        seed_flatness = flatness_by_seed.setdefault(seed, _SeedFlatness(context, run_span, seed))
        context.job.append_value(
            {"measure": name, "seed": number, "value": seed_flatness.measure(name)}
        )
    context.write_progress(len(todo), len(todo))


def _write_plan(context: LandscapeContext, rows: Sequence[Example]) -> None:
    if context.job.plan():
        return
    facts = context.facts(context.request.adapter_refs(), [context.run], rows)
    request = context.request
    facts |= {
        "normalisation": request.normalisation,
        "radius": request.radius,
        "arithmetic": "fp32",
        "copies": request.copies,
        "seeds": context.run.spec.population.seed_numbers(),
    }
    context.job.write_plan(facts, [])


class _SeedFlatness:
    """The flatness of one seed, measured piece by piece."""

    def __init__(self, context: LandscapeContext, span: AdaptedModel, seed: int) -> None:
        self.context, self.span, self.seed = context, span, seed
        self.examples = context.examples(seed)
        self.evaluator = PointEvaluator(span, seed, self.examples, context.batcher)
        self._sharpness: flatness.Sharpness | None = None

    def measure(self, name: str) -> float:
        """One number by name."""
        measures: dict[str, Callable[[], float]] = {
            "loss": self.loss,
            "rise": lambda: self.sharpness().mean,
            "worst rise": lambda: self.sharpness().worst,
            "top eigenvalue": self.top_eigenvalue,
            "barrier": self.barrier,
            "variance": self.variance,
            "vertices": lambda: float(np.mean(self.vertex_losses())),
            "bowl": lambda: flatness.convexity(self.loss(), self.vertex_losses()),
        }
        return measures[name]()

    def _losses_at(self, weights: Any) -> list[float]:
        return self.evaluator.losses(torch.as_tensor(np.asarray(weights), dtype=torch.float32))

    def loss(self) -> float:
        """Loss of the adapter that is deployed."""
        return self._losses_at(simplex.corner_weights(simplex.CENTROID, self.span.vertices)[None])[
            0
        ]

    def vertex_losses(self) -> list[float]:
        """Loss of every vertex."""
        return self._losses_at(np.eye(self.span.vertices))

    def sharpness(self) -> flatness.Sharpness:
        """How much the loss rises at the asked distance, along random directions and back."""
        if self._sharpness is None:
            request = self.context.request
            count = max(2, min(16, request.copies) // 2)
            centre = interpolation.centroid_span(self.span)
            span = interpolation.span_around(centre, count, request.normalisation, request.draw)
            directions = torch.eye(1 + count)[1:] - torch.eye(1 + count)[:1]
            points = torch.eye(1 + count)[:1] + request.radius * torch.cat(
                [directions, -directions]
            )
            evaluator = PointEvaluator(span, self.seed, self.examples, self.context.batcher)
            self._sharpness = flatness.sharpness(self.loss(), evaluator.losses(points))
        return self._sharpness

    def top_eigenvalue(self) -> float:
        """Largest eigenvalue of the loss's second derivative at the deployed adapter."""
        context, centre = self.context, torch.full((self.span.vertices,), 1 / self.span.vertices)
        batches = [
            context.batcher.batch(self.examples[at : at + 8])
            for at in range(0, len(self.examples), 8)
        ]
        product, at = interpolation.hessian_product(self.span, self.seed, batches, centre)
        rng = torch.Generator().manual_seed(context.seed_number(self.seed))
        start = torch.randn(len(at), generator=rng).to(at)
        return flatness.top_eigenvalue(product, start, iterations=16, close=0.02)[0]

    def barrier(self) -> float:
        """Highest barrier on an edge between two vertices."""
        vertices, heights = self.span.vertices, []
        pairs = [edge for edge in simplex.edges(vertices) if simplex.CENTROID not in edge]
        for first, second in pairs[:MAX_BARRIER_EDGES]:
            ends = simplex.corner_weights(first, vertices), simplex.corner_weights(second, vertices)
            t, weights = simplex.line_points(*ends, POINTS_PER_EDGE + 1)
            heights.append(simplex.barrier(t, np.array(self._losses_at(weights))))
        return max(heights)

    def variance(self) -> float:
        """Variance of the loss over random points of the simplex."""
        points = self.random()
        return flatness.mean_and_variance(self.evaluator.losses(points))[1]

    def random(self) -> torch.Tensor:
        """Random points of this seed's simplex."""
        number, request = self.context.seed_number(self.seed), self.context.request
        return random_points(
            [number], request.copies, self.span.vertices, 77_000_000 + request.draw
        )[0]


def measure_validation(context: LandscapeContext) -> None:
    """Losses at random points of the result, and every estimate at every kept step."""
    run = context.run
    if run.spec.population.vertices == 1:
        raise BadInput(f"run {run.id} trained a single adapter; random points need a simplex")
    _write_plan(context, context.examples(0))
    entries = context.job.entries()
    known_entries = {(e["look"], e["step"], e["seed"]) for e in entries if e.get("look")}
    numbers = run.spec.population.seed_numbers()
    todo: list[tuple[str, int | None, int]] = [
        (estimate, None, seed) for seed in range(len(numbers)) for estimate in ("points", "copies")
    ]
    todo += [
        ("step", step, seed) for step in run.intermediate_steps() for seed in range(len(numbers))
    ]
    spans_by_step: dict[int | None, AdaptedModel] = {}
    for index, (estimate, step, seed) in enumerate(todo):
        if (estimate, step, numbers[seed]) in known_entries:
            continue
        context.write_progress(
            index, len(todo), f"Seed {numbers[seed]}, {estimate} {'' if step is None else step}"
        )
        if step not in spans_by_step:
            spans_by_step = {step: interpolation.span_of_run(load_adapter(run, context.base, step))}
        values = _estimate(context, spans_by_step[step], seed, estimate)
        context.job.append_value({"look": estimate, "step": step, "seed": numbers[seed], **values})
    context.write_progress(len(todo), len(todo))


def _estimate(
    context: LandscapeContext, run_span: AdaptedModel, seed: int, estimate: str
) -> dict[str, Any]:
    request, vertices = context.request, run_span.vertices
    seed_flatness = _SeedFlatness(context, run_span, seed)
    centre = torch.full((1, vertices), 1 / vertices)
    if estimate == "points":
        return {
            "values": seed_flatness.evaluator.losses(seed_flatness.random()),
            "centroid": seed_flatness.loss(),
        }
    number = context.seed_number(seed)
    if estimate == "copies":
        return {
            "values": _random_copy_losses(seed_flatness.evaluator, request.copies, number),
            "centroid": seed_flatness.loss(),
        }
    test_examples = examples_to_answer(
        context.task, Evaluation(split="test", limit=request.examples or 100_000)
    )
    test_evaluator = PointEvaluator(run_span, seed, test_examples, context.batcher)
    answers = test_evaluator.answers(
        centre, context.task, context.run.spec.evaluation, context.stop
    )[0]
    return {
        "stochastic": float(np.mean(_random_copy_losses(seed_flatness.evaluator, 10, number))),
        "centroid": seed_flatness.loss(),
        "test_loss": test_evaluator.losses(centre)[0],
        "test_score": context.task.score(answers, test_examples)[context.task.main_metric],
    }


def _random_copy_losses(evaluator: PointEvaluator, count: int, seed_number: int) -> list[float]:
    """Losses of `count` random copies, four of them in one pass."""
    losses: list[float] = []
    for start in range(0, count, 4):
        losses += evaluator.random_point_losses(range(start, min(start + 4, count)), seed_number)
    return losses
