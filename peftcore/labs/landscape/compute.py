"""Measures a landscape: losses, and scores of answers if requested, at every point of its grid.

Marked corners come first and the other points in a shuffled order, so that a partial picture
already covers the whole.  What was measured before is not measured again.  `grids` says which
points there are, `per_seed` has the numbers of every seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import partial

import torch
from safetensors.torch import save

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.labs.common import interpolation
from peftcore.labs.common.context import run_job
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import LandscapeContext
from peftcore.labs.landscape.grids import PointGrid, PointRow, build_point_grid
from peftcore.labs.landscape.per_seed import measure_flatness, measure_validation
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import BaseModel
from peftcore.runs.store import Run
from peftcore.system import disk_space
from peftcore.training import predict
from peftcore.training.evaluation import PassControl

POINT_KINDS = ("face", "scan", "cuts", "vertices", "random", "path", "plane", "curve")
POINT_BYTES = 1000  # of a point in the plan and among the values
PROBED_POINTS = 6  # marked points on which half precision is tried


def measure_landscape(context: LandscapeContext) -> None:
    """Measure whatever a landscape lacks; BadInput if its runs cannot have one."""
    status = context.job.status()
    context.done, context.total = status.done, status.of
    spec = context.run.spec
    context.request.check_size(spec.population.vertices, spec.training.dev)
    disk_space.require_space(
        context.job.folder, POINT_BYTES * context.request.count_points(spec.population.vertices)
    )
    context.clear_if_stale()
    context.report_progress("Loading the adapters")
    context.batcher  # noqa: B018 (refuses what cannot be looked at before anything is computed)
    if context.request.kind in POINT_KINDS:
        _measure_grid(context)
    elif context.request.kind == "flatness":
        measure_flatness(context)
    else:
        measure_validation(context)


run_landscape_job = partial(run_job, LandscapeContext, measure_landscape)


def _measure_grid(context: LandscapeContext) -> None:
    grid = build_point_grid(context)
    rows = context.examples(context.request.seed)
    evaluator = PointEvaluator(grid.span, grid.seed, rows, context.batcher)
    plan = context.job.plan()
    if plan:  # numbers of one picture must all be measured in one precision
        arithmetic = plan["facts"]["arithmetic"]
    else:
        marked = [i for i, row in enumerate(grid.rows) if row["mark"]][:PROBED_POINTS]
        dtype = evaluator.safe_autocast(grid.weights[marked or [0]], context.run_dtype())
        arithmetic = "fp32" if dtype is None else "bf16"
        facts = context.facts(rows) | grid.facts | {"arithmetic": arithmetic}
        context.job.write_plan(facts, grid.rows)
    evaluator.set_precision(torch.bfloat16 if arithmetic == "bf16" else None)
    _measure_points(context, grid, evaluator)


def _measuring_order(rows: Sequence[PointRow]) -> list[int]:
    """Return positions of the points: marked ones first, the others shuffled by a fixed seed."""
    others = [i for i, row in enumerate(rows) if not row["mark"]]
    random.Random(0).shuffle(others)
    return [i for i, row in enumerate(rows) if row["mark"]] + others


def _measure_points(context: LandscapeContext, grid: PointGrid, evaluator: PointEvaluator) -> None:
    """Append the loss at every point, and the score of its answers if that was requested."""
    known: dict[str, set[int]] = {name: set() for name in _quantities(context.request)}
    for entry in context.job.entries():
        if entry.get("what") in known:
            known[entry["what"]] |= set(entry["at"])
    context.total = len(grid.rows) * len(known)
    context.done = sum(map(len, known.values()))
    size = evaluator.block * evaluator.concurrent_passes  # points that one call has room for
    for quantity, measured in known.items():
        remaining = [i for i in _measuring_order(grid.rows) if i not in measured]
        for start in range(0, len(remaining), size):
            context.report_progress("Losses" if quantity == "loss" else "Answers")
            indices = remaining[start : start + size]
            points = grid.weights[indices]
            values = (
                evaluator.losses(points)
                if quantity == "loss"
                else _scores(context, evaluator, points)
            )
            context.job.append_value({"what": quantity, "at": indices, "values": values})
            context.done += len(indices)
    context.report_progress()


def _quantities(request: LandscapeRequest) -> list[str]:
    return ["loss", "score"] if request.metric else ["loss"]


def _scores(
    context: LandscapeContext, evaluator: PointEvaluator, points: torch.Tensor
) -> list[float]:
    """Return the task's main metric of the answers at every point (p, v)."""
    control = PassControl(stop=context.stop_requested)
    answers = evaluator.answers(points, context.task, context.run.spec.evaluation, control)
    metric = context.task.main_metric
    return [context.task.score(each, evaluator.examples)[metric] for each in answers]


def adapter_at_point(
    request: LandscapeRequest, weights: Sequence[float], base: BaseModel
) -> tuple[AdaptedModel, Run]:
    """Build the adapter at one point of a landscape, one weight for each corner; and its run."""
    context = LandscapeContext(LandscapeJob.create(request), preloaded_base=base)
    grid = build_point_grid(context)
    point = torch.tensor([list(weights)])  # (1, v)
    return interpolation.at_points(grid.span, grid.seed, point), context.run


def answer_at_point(
    request: LandscapeRequest, weights: Sequence[float], base: BaseModel, text: str
) -> str:
    """Answer a text with the adapter at one point of a landscape."""
    adapted, run = adapter_at_point(request, weights, base)
    return predict.answer_texts(run, adapted, [text])[0]


def export_point(request: LandscapeRequest, weights: Sequence[float], base: BaseModel) -> bytes:
    """Return the adapter at one point as a file of effective values, like a run's adapter file."""
    adapted, run = adapter_at_point(request, weights, base)
    population = run.spec.population.model_copy(update={"seeds": 1, "vertices": 1})
    metadata = {
        "format": "peftcore-1",
        "fingerprint": base.fingerprint,
        "spec": run.spec.model_copy(update={"population": population}).canonical(),
        "landscape": request.model_dump(mode="json"),
        "weights": list(weights),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in adapted.tensors.items()}
    return save(tensors, {"peftcore": json.dumps(metadata, sort_keys=True)})
