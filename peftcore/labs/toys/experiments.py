"""A toy experiment from its recipe to its results; stages that are there already are kept."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TASKS, Recipe, Stage

if TYPE_CHECKING:
    from peftcore.labs.toys.training import StageProgress


def run_experiment(
    recipe: Recipe,
    seeds: Sequence[int],
    folder: Path,
    *,
    report: Callable[[StageProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> None:
    """Train and test every stage that is missing from the folder; training.Stopped if asked to."""
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
