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
from peftcore.labs.landscape.context import Survey
from peftcore.runs.spec import Evaluation
from peftcore.training.checkpoint import load_adapter
from peftcore.training.evaluation import examples_to_answer

EDGES = 15  # edges whose barriers go into the flatness of a simplex
INNER = 5  # points inside an edge


def flatness_of_seeds(survey: Survey) -> None:
    """Every measure for every seed, one line each; those known are not taken again."""
    own = interpolation.span_of_run(
        load_adapter(survey.run, survey.base, survey.ask.adapter_refs()[0].step)
    )
    rows = survey.examples(0)
    _plan_numbers(survey, rows)
    known = {(e["measure"], e["seed"]) for e in survey.landscape.entries() if e.get("measure")}
    names = ["loss", "rise", "worst rise", "top eigenvalue"]
    if own.vertices > 1:
        names += ["barrier", "variance", "vertices", "bowl"]
    todo = [(seed, name) for seed in range(own.seeds) for name in names]
    ground: dict[int, _Seed] = {}
    for place, (seed, name) in enumerate(todo):
        number = survey.number(seed)
        if (name, number) in known:
            continue
        survey.tell(place, len(todo), f"Seed {number}, {name}")
        here = ground.setdefault(seed, _Seed(survey, own, seed))
        survey.landscape.append_value(
            {"measure": name, "seed": number, "value": here.measure(name)}
        )
    survey.tell(len(todo), len(todo))


def _plan_numbers(survey: Survey, rows: Sequence[Example]) -> None:
    if survey.landscape.plan():
        return
    facts = survey.facts(survey.ask.adapter_refs(), [survey.run], rows)
    ask = survey.ask
    facts |= {
        "normalisation": ask.normalisation,
        "radius": ask.radius,
        "arithmetic": "fp32",
        "copies": ask.copies,
        "seeds": survey.run.spec.population.numbers(),
    }
    survey.landscape.write_plan(facts, [])


class _Seed:
    """The flatness of one seed, measured piece by piece."""

    def __init__(self, survey: Survey, own: AdaptedModel, seed: int) -> None:
        self.survey, self.own, self.seed = survey, own, seed
        self.examples = survey.examples(seed)
        self.surveyor = PointEvaluator(own, seed, self.examples, survey.encoder)
        self._rises: flatness.Sharpness | None = None

    def measure(self, name: str) -> float:
        """One number by name."""
        made: dict[str, Callable[[], float]] = {
            "loss": self.loss,
            "rise": lambda: self.rises().mean,
            "worst rise": lambda: self.rises().worst,
            "top eigenvalue": self.eigenvalue,
            "barrier": self.barrier,
            "variance": self.variance,
            "vertices": lambda: float(np.mean(self.corners())),
            "bowl": lambda: flatness.convexity(self.loss(), self.corners()),
        }
        return made[name]()

    def _at(self, weights: Any) -> list[float]:
        return self.surveyor.losses(torch.as_tensor(np.asarray(weights), dtype=torch.float32))

    def loss(self) -> float:
        """Loss of the adapter that is deployed."""
        return self._at(simplex.corner_weights(simplex.CENTROID, self.own.vertices)[None])[0]

    def corners(self) -> list[float]:
        """Loss of every vertex."""
        return self._at(np.eye(self.own.vertices))

    def rises(self) -> flatness.Sharpness:
        """How much the loss rises at the asked distance, along random directions and back."""
        if self._rises is None:
            ask = self.survey.ask
            count = max(2, min(16, ask.copies) // 2)
            centre = interpolation.centroid_span(self.own)
            ground = interpolation.span_around(centre, count, ask.normalisation, ask.draw)
            moves = torch.eye(1 + count)[1:] - torch.eye(1 + count)[:1]
            points = torch.eye(1 + count)[:1] + ask.radius * torch.cat([moves, -moves])
            surveyor = PointEvaluator(ground, self.seed, self.examples, self.survey.encoder)
            self._rises = flatness.sharpness(self.loss(), surveyor.losses(points))
        return self._rises

    def eigenvalue(self) -> float:
        """Largest eigenvalue of the loss's second derivative at the deployed adapter."""
        survey, centre = self.survey, torch.full((self.own.vertices,), 1 / self.own.vertices)
        batches = [
            survey.encoder.batch(self.examples[at : at + 8])
            for at in range(0, len(self.examples), 8)
        ]
        product, at = interpolation.hessian_product(self.own, self.seed, batches, centre)
        rng = torch.Generator().manual_seed(survey.number(self.seed))
        start = torch.randn(len(at), generator=rng).to(at)
        return flatness.top_eigenvalue(product, start, iterations=16, close=0.02)[0]

    def barrier(self) -> float:
        """Highest barrier on an edge between two vertices."""
        v, heights = self.own.vertices, []
        pairs = [edge for edge in simplex.edges(v) if simplex.CENTROID not in edge]
        for one, other in pairs[:EDGES]:
            ends = simplex.corner_weights(one, v), simplex.corner_weights(other, v)
            t, weights = simplex.line_points(*ends, INNER + 1)
            heights.append(simplex.barrier(t, np.array(self._at(weights))))
        return max(heights)

    def variance(self) -> float:
        """Variance of the loss over random points of the simplex."""
        points = self.random()
        return flatness.mean_and_variance(self.surveyor.losses(points))[1]

    def random(self) -> torch.Tensor:
        """Random points of this seed's simplex."""
        number, ask = self.survey.number(self.seed), self.survey.ask
        return random_points([number], ask.copies, self.own.vertices, 77_000_000 + ask.draw)[0]


def validation_of_seeds(survey: Survey) -> None:
    """Losses at random points of the result, and every estimate at every kept step."""
    run = survey.run
    if run.spec.population.vertices == 1:
        raise BadInput(f"run {run.id} trained a single adapter; random points need a simplex")
    _plan_numbers(survey, survey.examples(0))
    entries = survey.landscape.entries()
    known = {(e["look"], e["step"], e["seed"]) for e in entries if e.get("look")}
    numbers = run.spec.population.numbers()
    todo: list[tuple[str, int | None, int]] = [
        (look, None, seed) for seed in range(len(numbers)) for look in ("points", "copies")
    ]
    todo += [("step", step, s) for step in run.path_steps() for s in range(len(numbers))]
    own: dict[int | None, AdaptedModel] = {}
    for place, (look, step, seed) in enumerate(todo):
        if (look, step, numbers[seed]) in known:
            continue
        survey.tell(
            place, len(todo), f"Seed {numbers[seed]}, {look} {'' if step is None else step}"
        )
        if step not in own:
            own = {step: interpolation.span_of_run(load_adapter(run, survey.base, step))}
        found = _look(survey, own[step], seed, look)
        survey.landscape.append_value({"look": look, "step": step, "seed": numbers[seed], **found})
    survey.tell(len(todo), len(todo))


def _look(survey: Survey, own: AdaptedModel, seed: int, look: str) -> dict[str, Any]:
    ask, v = survey.ask, own.vertices
    here = _Seed(survey, own, seed)
    centre = torch.full((1, v), 1 / v)
    if look == "points":
        return {"values": here.surveyor.losses(here.random()), "centroid": here.loss()}
    number = survey.number(seed)
    if look == "copies":
        return {
            "values": _copies(here.surveyor, ask.copies, number),
            "centroid": here.loss(),
        }
    test = examples_to_answer(survey.task, Evaluation(split="test", limit=ask.examples or 100_000))
    there = PointEvaluator(own, seed, test, survey.encoder)
    told = there.answers(centre, survey.task, survey.run.spec.evaluation, survey.stop)[0]
    return {
        "stochastic": float(np.mean(_copies(here.surveyor, 10, number))),
        "centroid": here.loss(),
        "test_loss": there.losses(centre)[0],
        "test_score": survey.task.score(told, test)[survey.task.main_metric],
    }


def _copies(surveyor: PointEvaluator, count: int, number: int) -> list[float]:
    """Losses of `count` random copies, four of them in one pass."""
    found: list[float] = []
    for at in range(0, count, 4):
        found += surveyor.random_point_losses(range(at, min(at + 4, count)), number)
    return found
