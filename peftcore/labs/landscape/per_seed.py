"""Measures numbers of every seed: how flat the loss is around its adapter, how validation sees it.

Losses are means over the request's examples in single precision, so that small differences count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.simplex_points import random_points
from peftcore.analysis import flatness, simplex
from peftcore.errors import BadInput
from peftcore.labs.common import interpolation
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import LandscapeContext
from peftcore.training.checkpoint import load_adapter
from peftcore.training.evaluation import PassControl

MAX_BARRIER_EDGES = 15  # edges whose barriers go into the flatness of a simplex
POINTS_PER_EDGE = 5  # points inside an edge
HESSIAN_ROWS = 8  # examples in a pass: second derivatives keep the whole graph
RANDOM_POINTS_SALT = 77_000_000  # beyond every training step, whose points these must not repeat


def measure_flatness(context: LandscapeContext) -> None:
    """Append every measure of flatness of every seed that is not known yet."""
    ref = context.adapter_refs[0]
    run_span = interpolation.span_of_run(load_adapter(context.run, context.base, ref.step))
    _write_plan(context)
    known_entries = {(e["measure"], e["seed"]) for e in context.job.entries() if e.get("measure")}
    names = ["loss", "rise", "worst rise", "top eigenvalue"]
    if run_span.vertices > 1:
        names += ["barrier", "variance", "vertices", "bowl"]
    todo = [(seed, name) for seed in range(run_span.seeds) for name in names]
    context.total = len(todo)
    flatness_by_seed: dict[int, _SeedFlatness] = {}  # keeps what several measures share
    for context.done, (seed, name) in enumerate(todo):
        number = context.seed_number(seed)
        if (name, number) in known_entries:
            continue
        context.report_progress(f"Seed {number}, {name}")
        seed_flatness = flatness_by_seed.setdefault(seed, _SeedFlatness(context, run_span, seed))
        context.job.append_value(
            {"measure": name, "seed": number, "value": seed_flatness.measure(name)}
        )
    context.done = context.total
    context.report_progress()


def _write_plan(context: LandscapeContext) -> None:
    if context.job.plan():
        return
    request = context.request
    facts = context.facts(context.examples(0)) | {
        "normalisation": request.normalisation,
        "radius": request.radius,
        "arithmetic": "fp32",
        "copies": request.copies,
        "seeds": context.run.spec.population.seed_numbers(),
    }
    context.job.write_plan(facts, [])


class _SeedFlatness:
    """Measures the flatness of one seed; what several measures rest on is computed once."""

    def __init__(self, context: LandscapeContext, span: AdaptedModel, seed: int) -> None:
        self.context, self.span, self.seed = context, span, seed
        self.examples = context.examples(seed)
        self.evaluator = PointEvaluator(span, seed, self.examples, context.batcher)
        self._sharpness: flatness.Sharpness | None = None

    def measure(self, name: str) -> float:
        """Return one measure by name."""
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
        """Return the loss of the adapter that is deployed."""
        centroid = simplex.corner_weights(simplex.CENTROID, self.span.vertices)  # (v,)
        return self._losses_at(centroid[None])[0]

    def vertex_losses(self) -> list[float]:
        """Return the loss of every vertex."""
        return self._losses_at(np.eye(self.span.vertices))

    def sharpness(self) -> flatness.Sharpness:
        """Return the rise of the loss at the requested radius, along directions and back."""
        if self._sharpness is None:
            request = self.context.request
            count = max(2, min(16, request.copies) // 2)  # each direction is two points
            centre = interpolation.centroid_span(self.span)
            span = interpolation.span_around(centre, count, request.normalisation, request.draw)
            corners = torch.eye(1 + count)  # the centre, then a corner along each direction
            steps = request.radius * (corners[1:] - corners[:1])
            points = corners[:1] + torch.cat([steps, -steps])  # (2 · count, 1 + count)
            evaluator = PointEvaluator(span, self.seed, self.examples, self.context.batcher)
            self._sharpness = flatness.sharpness(self.loss(), evaluator.losses(points))
        return self._sharpness

    def top_eigenvalue(self) -> float:
        """Return the largest eigenvalue of the loss's Hessian at the deployed adapter."""
        context, centre = self.context, torch.full((self.span.vertices,), 1 / self.span.vertices)
        batches = [
            context.batcher.batch(self.examples[at : at + HESSIAN_ROWS])
            for at in range(0, len(self.examples), HESSIAN_ROWS)
        ]
        product, point = interpolation.hessian_product(self.span, self.seed, batches, centre)
        rng = torch.Generator().manual_seed(context.seed_number(self.seed))
        start = torch.randn(len(point), generator=rng)  # (m,): the numbers one adapter has

        def array_product(vector: flatness.Array) -> flatness.Array:
            return product(torch.from_numpy(vector).to(point)).double().cpu().numpy()

        return flatness.top_eigenvalue(array_product, start.double().numpy())[0]

    def barrier(self) -> float:
        """Return the highest barrier on an edge between two vertices."""
        vertices, heights = self.span.vertices, []
        pairs = [edge for edge in simplex.edges(vertices) if simplex.CENTROID not in edge]
        for first, second in pairs[:MAX_BARRIER_EDGES]:
            ends = simplex.corner_weights(first, vertices), simplex.corner_weights(second, vertices)
            t, weights = simplex.line_points(*ends, POINTS_PER_EDGE + 1)
            heights.append(simplex.barrier(t, np.array(self._losses_at(weights))))
        return max(heights)

    def variance(self) -> float:
        """Return the variance of the loss over random points of the simplex."""
        return flatness.mean_and_variance(self.evaluator.losses(self.random_points()))[1]

    def random_points(self) -> torch.Tensor:
        """Return random points (p, v) of this seed's simplex."""
        number, request = self.context.seed_number(self.seed), self.context.request
        salt = RANDOM_POINTS_SALT + request.draw
        return random_points([number], request.copies, self.span.vertices, salt)[0]


def measure_validation(context: LandscapeContext) -> None:
    """Append losses at random points of the result, and every estimate at every kept step."""
    run = context.run
    if run.spec.population.vertices == 1:
        raise BadInput(f"run {run.id} trained a single adapter; random points need a simplex")
    _write_plan(context)
    entries = context.job.entries()
    known_entries = {(e["look"], e["step"], e["seed"]) for e in entries if e.get("look")}
    numbers = run.spec.population.seed_numbers()
    todo: list[tuple[str, int | None, int]] = [
        (estimate, None, seed) for seed in range(len(numbers)) for estimate in ("points", "copies")
    ]
    todo += [
        ("step", step, seed) for step in run.intermediate_steps() for seed in range(len(numbers))
    ]
    context.total = len(todo)
    spans_by_step: dict[int | None, AdaptedModel] = {}  # only the last one: steps come in order
    for context.done, (estimate, step, seed) in enumerate(todo):
        if (estimate, step, numbers[seed]) in known_entries:
            continue
        context.report_progress(f"Seed {numbers[seed]}, {estimate} {'' if step is None else step}")
        if step not in spans_by_step:
            spans_by_step = {step: interpolation.span_of_run(load_adapter(run, context.base, step))}
        values = _estimate(context, spans_by_step[step], seed, estimate)
        context.job.append_value({"look": estimate, "step": step, "seed": numbers[seed], **values})
    context.done = context.total
    context.report_progress()


def _estimate(
    context: LandscapeContext, run_span: AdaptedModel, seed: int, estimate: str
) -> dict[str, Any]:
    """Return what one estimate of validation says of a seed, with its centroid's loss."""
    seed_flatness, number = _SeedFlatness(context, run_span, seed), context.seed_number(seed)
    evaluator, copies = seed_flatness.evaluator, context.request.copies
    centroid = {"centroid": seed_flatness.loss()}
    if estimate == "points":
        return {"values": evaluator.losses(seed_flatness.random_points())} | centroid
    if estimate == "copies":
        return {"values": _random_copy_losses(evaluator, copies, number)} | centroid
    test_examples = context.split_examples("test")
    test_evaluator = PointEvaluator(run_span, seed, test_examples, context.batcher)
    centre = torch.full((1, run_span.vertices), 1 / run_span.vertices)
    control = PassControl(stop=context.stop_requested)
    options, task = context.run.spec.evaluation, context.task
    answers = test_evaluator.answers(centre, task, options, control)[0]
    return {
        "stochastic": float(np.mean(_random_copy_losses(evaluator, 10, number))),
        **centroid,
        "test_loss": test_evaluator.losses(centre)[0],
        "test_score": task.score(answers, test_examples)[task.main_metric],
    }


def _random_copy_losses(evaluator: PointEvaluator, count: int, seed_number: int) -> list[float]:
    """Return the losses of `count` random copies of the examples, four of them in a pass."""
    losses: list[float] = []
    for start in range(0, count, 4):
        losses += evaluator.random_point_losses(range(start, min(start + 4, count)), seed_number)
    return losses
