"""A toy experiment from its recipe to its results; stages that are there already are kept."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from peftcore.jobs.background import JobStatus
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TASKS, Recipe, Stage
from peftcore.labs.toys.request import ToyJob

if TYPE_CHECKING:
    from peftcore.labs.toys.training import StageProgress


STOP_CHECK_SECONDS = 0.5  # a step takes milliseconds, a look at the disk as well


def run_job(job: ToyJob, recipe: Recipe, *, device: str = "cpu") -> JobStatus:
    """Bring a toy experiment to its end, or to where it is stopped; returns its status."""
    seeds = job.request.seed_numbers
    there = results.completed_stages(results.own_folder(), recipe, seeds)
    if job.status().state == "done" and len(there) < len(recipe.stages):
        job.write_status(state="cancelled")  # results were deleted since
    return job.run(lambda: _run_missing_stages(job, recipe, device))


def _run_missing_stages(job: ToyJob, recipe: Recipe, device: str) -> None:
    seeds, folder = job.request.seed_numbers, results.own_folder()
    finished = sum(stage.steps for stage, _ in results.completed_stages(folder, recipe, seeds))
    of = sum(stage.steps for stage in recipe.stages)
    began, before, checked = time.monotonic(), job.status().seconds, 0.0
    job.write_plan({"number": recipe.number, "size": recipe.size, "seeds": list(seeds)}, [])
    job.write_status(done=finished, of=of, message="")

    def report(told: StageProgress) -> None:
        nonlocal finished
        entry = {"what": "loss", "stage": told.stage, "step": told.step, "values": told.losses}
        job.append_value(entry)
        job.write_status(
            done=finished + told.step,
            message=told.stage,
            seconds=before + time.monotonic() - began,
        )
        if told.step == told.steps:
            finished += told.steps
            mean = sum(told.losses) / len(told.losses)
            sys.stderr.write(f"{told.stage}: {told.steps} steps, loss {mean:.3f}\n")

    def stop() -> bool:
        nonlocal checked
        if time.monotonic() - checked < STOP_CHECK_SECONDS:
            return False
        checked = time.monotonic()
        return job.stop_requested()

    run_experiment(recipe, seeds, folder, report=report, stop=stop, device=device)


def run_experiment(
    recipe: Recipe,
    seeds: Sequence[int],
    folder: Path,
    *,
    report: Callable[[StageProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> None:
    """Train and test every stage that is missing from the folder; InterruptedError if asked to."""
    for stage in recipe.stages:
        if results.read_result(folder, recipe, stage, seeds) is None:
            _run_stage(recipe, stage, seeds, folder, report, stop, device)


def _run_stage(
    recipe: Recipe,
    stage: Stage,
    seeds: Sequence[int],
    folder: Path,
    report: Callable[[StageProgress], None],
    stop: Callable[[], bool],
    device: str,
) -> None:
    import torch

    from peftcore.labs.toys import training

    base = None
    if stage.kind != "pretrain":
        base = results.load_weights(folder, recipe.key(recipe.stages[0], tuple(seeds)))
    trained = training.train_stage(recipe.shape, stage, seeds, base, report, stop, device)
    scores = {
        task: training.exact_match(recipe.shape, stage.kind, trained.tensors, base, task)
        for task in TASKS
    }
    result = results.StageResult(
        key=recipe.key(stage, tuple(seeds)),
        stage=stage.model_dump(),
        shape=recipe.shape.model_dump(),
        seeds=list(seeds),
        numbers=trained.numbers,
        seconds=round(trained.seconds, 1),
        tested=training.TEST_SEQUENCES,
        exact_match=scores,
        losses=[[step, values] for step, values in trained.losses],
        made_with={"torch": torch.__version__, "python": platform.python_version()},
    )
    results.write_result(folder, result, trained.tensors)


def ship_results(recipe: Recipe, seeds: Sequence[int], source: Path, target: Path) -> None:
    """Copy an experiment's results, and the weights of its first seed, to another folder."""
    for _, result in results.completed_stages(source, recipe, seeds):
        first_seed = {
            name: tensor[:1] for name, tensor in results.load_weights(source, result.key).items()
        }
        results.write_result(target, result, first_seed)
