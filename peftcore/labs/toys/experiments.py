"""A toy experiment from its recipe to its results; stages that are there already are kept."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TASKS, Recipe, Stage

if TYPE_CHECKING:
    from peftcore.labs.toys.training import Told


def perform(
    recipe: Recipe,
    seeds: Sequence[int],
    folder: Path,
    *,
    report: Callable[[Told], None] = lambda told: None,
    stop: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> None:
    """Train and test every stage that is missing from the folder; training.Stopped if asked to."""
    for stage in recipe.stages:
        if results.read(folder, recipe, stage, seeds) is None:
            _perform(recipe, stage, seeds, folder, report, stop, device)


def _perform(
    recipe: Recipe,
    stage: Stage,
    seeds: Sequence[int],
    folder: Path,
    report: Callable[[Told], None],
    stop: Callable[[], bool],
    device: str,
) -> None:
    import torch

    from peftcore.labs.toys import training

    base = None
    if stage.kind != "pretrain":
        base = results.weights(folder, recipe.key(recipe.stages[0], tuple(seeds)))
    made = training.train(recipe.shape, stage, seeds, base, report, stop, device)
    scores = {
        task: training.exact_match(recipe.shape, stage.kind, made.tensors, base, task)
        for task in TASKS
    }
    result = results.Result(
        key=recipe.key(stage, tuple(seeds)),
        stage=stage.model_dump(),
        shape=recipe.shape.model_dump(),
        seeds=list(seeds),
        numbers=made.numbers,
        seconds=round(made.seconds, 1),
        tested=training.TESTED,
        exact_match=scores,
        losses=[[step, values] for step, values in made.losses],
        made_with={"torch": torch.__version__, "python": platform.python_version()},
    )
    results.write(folder, result, made.tensors)


def ship(recipe: Recipe, seeds: Sequence[int], source: Path, target: Path) -> None:
    """Copy an experiment's results, and the weights of its first seed, to another folder."""
    for _, result in results.found(source, recipe, seeds):
        first = {n: tensor[:1] for n, tensor in results.weights(source, result.key).items()}
        results.write(target, result, first)
