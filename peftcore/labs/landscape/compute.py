"""Computing a landscape: with which examples, in which order, and what was seen.

Points are measured corners first and then in a shuffled order, so that a partial picture is
already one of the whole.  Whatever was measured before is not measured again.  Which points there
are is in `grids`, the numbers of every seed in `per_seed`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import torch

from peftcore import tasks
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef, JobStatus
from peftcore.labs.common import interpolation
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import LandscapeContext, adapter_digest
from peftcore.labs.landscape.grids import PointGrid, PointRow, build_point_grid
from peftcore.labs.landscape.per_seed import measure_flatness, measure_validation
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import Run, RunStore
from peftcore.training import planning

POINT_KINDS = ("face", "scan", "cuts", "vertices", "random", "path", "plane", "curve")


def run_landscape_job(
    job: LandscapeJob,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[JobStatus], None] = lambda status: None,
    stop: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Bring a landscape to its end, or to where it is stopped; returns its status."""
    return job.run(lambda: _compute(job, device, base, report, stop))


def _compute(
    job: LandscapeJob,
    device: str,
    base: BaseModel | None,
    report: Callable[[JobStatus], None],
    stop: Callable[[], bool],
) -> None:
    request, store = job.request, RunStore()
    adapter_refs = request.adapter_refs()
    runs = [store.open(part.run) for part in adapter_refs]
    _check_same_base_and_task(runs)
    first = runs[0]
    base = base or load(first.spec.base, device)
    task = tasks.find_task(first.spec.task)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(first.spec, base))
    seconds_before = job.status().seconds
    started_at = time.monotonic()
    context = LandscapeContext(
        job, base, first, task, batcher, report, stop, started_at, seconds_before
    )
    context.write_progress(job.status().done, job.status().of, "Putting the adapters on")
    _clear_if_stale(job, runs, adapter_refs)
    if request.kind in POINT_KINDS:
        _compute_points(context, adapter_refs, runs)
    elif request.kind == "flatness":
        measure_flatness(context)
    else:
        measure_validation(context)


def _check_same_base_and_task(runs: Sequence[Run]) -> None:
    for run in runs[1:]:
        if run.spec.base != runs[0].spec.base:
            raise BadInput(
                f"run {run.id} rests on {run.spec.base} and {runs[0].id} on {runs[0].spec.base}"
            )
        if run.spec.task != runs[0].spec.task:
            raise BadInput(
                f"run {run.id} learnt {run.spec.task} and {runs[0].id} {runs[0].spec.task}: losses "
                "of different tasks have no ground in common"
            )


def _clear_if_stale(
    job: LandscapeJob, runs: Sequence[Run], adapter_refs: Sequence[AdapterRef]
) -> None:
    """Forget what was measured if an adapter has changed since."""
    digests = [adapter_digest(run, part.step) for run, part in zip(runs, adapter_refs, strict=True)]
    if job.facts.get("adapters", digests) != digests:
        job.clear()


def _compute_points(
    context: LandscapeContext, adapter_refs: Sequence[AdapterRef], runs: Sequence[Run]
) -> None:
    grid = build_point_grid(context, adapter_refs, runs)
    rows = context.examples(context.request.seed)
    evaluator = PointEvaluator(grid.span, grid.seed, rows, context.batcher)
    plan = context.job.plan()
    if plan:
        arithmetic = plan["facts"]["arithmetic"]
    else:
        marked_indices = [i for i, row in enumerate(grid.rows) if row["mark"]][:6]
        probe_weights = grid.weights[marked_indices or [0]]
        dtype = evaluator.safe_autocast(probe_weights, context.run_dtype())
        arithmetic = "fp32" if dtype is None else "bf16"
        facts = context.facts(adapter_refs, runs, rows) | grid.facts | {"arithmetic": arithmetic}
        context.job.write_plan(facts, grid.rows)
    evaluator.set_precision(torch.bfloat16 if arithmetic == "bf16" else None)
    _measure_points(context, grid, evaluator)


def _measuring_order(rows: Sequence[PointRow]) -> list[int]:
    """Marked points first, the others shuffled, the same way every time."""
    others = [i for i, row in enumerate(rows) if not row["mark"]]
    random.Random(0).shuffle(others)
    return [i for i, row in enumerate(rows) if row["mark"]] + others


def _measure_points(context: LandscapeContext, grid: PointGrid, evaluator: PointEvaluator) -> None:
    """Loss at every point, and the score of its answers if that was asked for."""
    quantities = ["loss"] + ["score"] * context.request.metric
    order, weights = _measuring_order(grid.rows), grid.weights
    known_by_quantity: dict[str, set[int]] = {quantity: set() for quantity in quantities}
    for entry in context.job.entries():
        if entry.get("what") in known_by_quantity:
            known_by_quantity[entry["what"]] |= set(entry["at"])
    total, done = len(order) * len(quantities), sum(map(len, known_by_quantity.values()))
    options = context.run.spec.evaluation
    for quantity in quantities:
        remaining = [i for i in order if i not in known_by_quantity[quantity]]
        size = evaluator.block * evaluator.concurrent_passes
        for start in range(0, len(remaining), size):
            context.write_progress(done, total, "Losses" if quantity == "loss" else "Answers")
            indices = remaining[start : start + size]
            if quantity == "loss":
                values = evaluator.losses(weights[indices])
            else:
                answers = evaluator.answers(weights[indices], context.task, options, context.stop)
                metric = context.task.main_metric
                values = [
                    context.task.score(point_answers, evaluator.examples)[metric]
                    for point_answers in answers
                ]
            context.job.append_value({"what": quantity, "at": indices, "values": values})
            done += len(indices)
    context.write_progress(done, total)


def adapter_at_point(
    request: LandscapeRequest, weights: Sequence[float], base: BaseModel
) -> tuple[AdaptedModel, Run]:
    """The adapter at one point of a landscape, worn and ready to answer."""
    job = LandscapeJob.create(request)
    adapter_refs, store = request.adapter_refs(), RunStore()
    runs = [store.open(part.run) for part in adapter_refs]
    task = tasks.find_task(runs[0].spec.task)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(runs[0].spec, base))
    context = LandscapeContext(
        job, base, runs[0], task, batcher, lambda status: None, lambda: False, 0.0, 0.0
    )
    grid = build_point_grid(context, adapter_refs, runs)
    return interpolation.at_points(grid.span, grid.seed, torch.tensor([list(weights)])), runs[0]


def answer_at_point(
    request: LandscapeRequest, weights: Sequence[float], base: BaseModel, text: str
) -> str:
    """What the adapter at one point of a landscape answers to a text."""
    from peftcore.training import predict
    from peftcore.training.evaluation import answer_examples

    adapted, run = adapter_at_point(request, weights, base)
    task = tasks.find_task(run.spec.task)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(run.spec, base))
    with torch.inference_mode():
        return answer_examples(
            adapted, task, [predict.typed_example(text)], batcher, run.spec.evaluation
        )[0][0].text


def export_point(request: LandscapeRequest, weights: Sequence[float], base: BaseModel) -> bytes:
    """The adapter at one point as a file like a run's adapter.safetensors, of effective values."""
    import json

    from safetensors.torch import save

    adapted, run = adapter_at_point(request, weights, base)
    spec = run.spec.model_copy(
        update={
            "population": run.spec.population.model_copy(update={"seeds": 1, "vertices": 1}),
        }
    )
    metadata = {
        "format": "peftcore-1",
        "fingerprint": base.fingerprint,
        "spec": spec.canonical(),
        "landscape": request.model_dump(mode="json"),
        "weights": list(weights),
    }
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in (adapted.tensors | adapted.head_stats).items()
    }
    return save(tensors, {"peftcore": json.dumps(metadata, sort_keys=True)})
