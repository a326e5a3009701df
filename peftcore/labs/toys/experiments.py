"""Trains a toy experiment stage by stage; stages that have results already are kept."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from peftcore.jobs.background import JobStatus
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.toys import results, training
from peftcore.labs.toys.recipes import TASKS, Recipe, Stage
from peftcore.labs.toys.request import ToyJob
from peftcore.labs.toys.training import StageControl, StageProgress

STOP_CHECK_SECONDS = 0.5  # between looks at the disk, which take as long as a step


class ToysContext(LabContext[ToyJob]):
    """A toy experiment while it is trained; it has no run and no base model."""

    checked_at = 0.0

    def stop_requested(self) -> bool:
        """Return whether the job was asked to stop, looking at most every half second."""
        if time.monotonic() - self.checked_at < STOP_CHECK_SECONDS:
            return False
        self.checked_at = time.monotonic()
        return super().stop_requested()


def run_toys_job(job: ToyJob, recipe: Recipe, *, device: str = "cpu") -> JobStatus:
    """Bring a toy experiment to its end, or to where it is stopped; returns its status."""
    seeds = job.request.seed_numbers
    there = results.completed_stages(results.own_folder(), recipe, seeds)
    if job.status().state == "done" and len(there) < len(recipe.stages):
        job.write_status(state="cancelled")  # results were deleted since
    return run_job(ToysContext, partial(_train_recipe, recipe), job, device=device)


def _train_recipe(recipe: Recipe, context: ToysContext) -> None:
    job, seeds, folder = context.job, context.job.request.seed_numbers, results.own_folder()
    finished = sum(stage.steps for stage, _ in results.completed_stages(folder, recipe, seeds))
    context.done, context.total = finished, sum(stage.steps for stage in recipe.stages)
    job.write_plan({"number": recipe.number, "size": recipe.size, "seeds": list(seeds)}, [])
    context.report_progress()

    def report(progress: StageProgress) -> None:
        nonlocal finished
        losses = {"step": progress.step, "values": progress.losses}
        job.append_value({"what": "loss", "stage": progress.stage} | losses)
        context.done = finished + progress.step
        context.write_status(progress.stage)
        if progress.step == progress.steps:
            finished += progress.steps
            mean = sum(progress.losses) / len(progress.losses)
            sys.stderr.write(f"{progress.stage}: {progress.steps} steps, loss {mean:.3f}\n")

    run_experiment(
        recipe, seeds, folder, StageControl(context.device, report, context.stop_requested)
    )


def run_experiment(
    recipe: Recipe, seeds: Sequence[int], folder: Path, control: StageControl | None = None
) -> None:
    """Train and test every stage the folder lacks; InterruptedError if asked to stop."""
    for stage in recipe.stages:
        if results.read_result(folder, recipe, stage, seeds) is None:
            _run_stage(recipe, stage, seeds, folder, control)


def _run_stage(
    recipe: Recipe, stage: Stage, seeds: Sequence[int], folder: Path, control: StageControl | None
) -> None:
    base = None
    if stage.kind != "pretrain":
        base = results.load_weights(folder, recipe.key(recipe.stages[0], tuple(seeds)))
    trained = training.train_stage(recipe.shape, stage, seeds, base, control)
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
        right=[[step, values] for step, values in trained.right],
        start_losses=trained.start_losses,
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
