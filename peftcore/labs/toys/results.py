"""What toy trainings left behind: one JSON file and one safetensors file for each stage.

A stage lies under its key, so experiments that begin alike share what they have in common, and a
run that was stopped goes on at the first stage that is missing.  Reading needs no torch, except for
weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from peftcore import paths
from peftcore.analysis.comparison import interval
from peftcore.analysis.few_seeds import SeedGroups, groups_of_scores
from peftcore.labs.toys.guessing import constant_answer
from peftcore.labs.toys.recipes import ELICITED, TASKS, Recipe, Stage, reported_exact_match
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from torch import Tensor

SHIPPED_SEEDS = (0, 1, 2, 3, 4)


def shipped_folder() -> Path:
    """Return the folder of results that come with the project."""
    return paths.ASSETS / "toys"


def own_folder() -> Path:
    """Return the folder of results made on this machine."""
    folder = paths.workspace_folder() / "toys" / "stages"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class StageResult:
    """The result of one stage.  exact_match: task → percent for each seed."""

    key: str
    stage: dict[str, Any]
    shape: dict[str, Any]
    seeds: list[int]
    numbers: int  # trained by each seed
    seconds: float  # of all seeds together
    tested: int  # test sequences
    exact_match: dict[str, list[float]]
    losses: list[list[Any]]  # [step, [loss of each seed]]
    made_with: dict[str, Any]
    # Both are empty in results of earlier versions, which did not record them.
    right: list[list[Any]] = field(default_factory=list)  # [step, [percent right in training]]
    start_losses: list[list[float]] = field(default_factory=list)  # seed → last loss by start


def write_result(folder: Path, result: StageResult, tensors: Mapping[str, Tensor]) -> None:
    """Keep a stage: weights (s, …) first, so that a result is never without them."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    atomic_files.replace_file(folder / f"{result.key}.safetensors", save(contiguous))
    text = json.dumps(atomic_files.to_jsonable(asdict(result)), separators=(",", ":"))
    atomic_files.replace_file(folder / f"{result.key}.json", text.encode() + b"\n")


def read_result(
    folder: Path, recipe: Recipe, stage: Stage, seeds: Sequence[int]
) -> StageResult | None:
    """Read the result of a stage; None if there is none."""
    stored = atomic_files.read_json(folder / f"{recipe.key(stage, tuple(seeds))}.json")
    return StageResult(**stored) if stored else None


def load_weights(folder: Path, key: str) -> dict[str, Tensor]:
    """Load the tensors of a stage, (s, …) each."""
    from safetensors.torch import load_file

    return load_file(folder / f"{key}.safetensors")


def completed_stages(
    folder: Path, recipe: Recipe, seeds: Sequence[int]
) -> list[tuple[Stage, StageResult]]:
    """Return the stages of an experiment that have results, in its order."""
    pairs = ((stage, read_result(folder, recipe, stage, seeds)) for stage in recipe.stages)
    return [(stage, result) for stage, result in pairs if result]


def seed_sets(folder: Path, recipe: Recipe) -> list[tuple[int, ...]]:
    """Return the sets of seeds with which an adaptation of this experiment was trained.

    The pretraining does not count: experiments share it.
    """
    stored = (atomic_files.read_json(path) for path in sorted(folder.glob("*.json")))
    sets = sorted({tuple(result["seeds"]) for result in stored if result.get("seeds")})
    adaptations = recipe.stages[1:]
    return [
        seeds
        for seeds in sets
        if any(read_result(folder, recipe, each, seeds) for each in adaptations)
    ]


@dataclass(frozen=True)
class ResultRow:
    """One cell of an experiment's table, in percent.

    paper: the authors' figure, at full size.  constant: what the best constant answer reaches, for
    the one task where there is a good one.
    """

    model: str
    adaptation: str
    trained_on: str
    task: str
    numbers: int
    mean: float
    low: float | None  # one seed has no interval, nor have seeds in two groups
    high: float | None
    seeds: list[float]
    paper: float | None
    constant: float | None
    groups: SeedGroups | None = None

    @property
    def summary(self) -> str:
        """Return the mean, or how many seeds lie above a gap where they fall into two groups."""
        if self.groups is None:
            return f"{self.mean:.1f}"
        return f"{self.groups.above} of {self.groups.n} above {self.groups.threshold:g}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as the command line prints it."""
        value = {
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
            "seeds": self.seeds,
            "groups": str(self.groups) if self.groups else None,
        }
        fields = ("model", "adaptation", "trained_on", "task", "numbers", "paper", "constant")
        return {name: getattr(self, name) for name in fields} | {"exact_match": value}


def result_rows(folder: Path, recipe: Recipe, seeds: Sequence[int]) -> Iterator[ResultRow]:
    """Yield the table of an experiment as far as it is trained; intervals stay within 0 to 100."""
    shape = recipe.shape
    model = f"{shape.layers} layer{'s' * (shape.layers > 1)}, {shape.heads} head"
    model += f"{'s' * (shape.heads > 1)}, width {shape.width}"
    for stage, result in completed_stages(folder, recipe, seeds):
        for task in recipe.tasks:
            values = result.exact_match[task]
            summary = interval(values, (0.0, 100.0))
            yield ResultRow(
                model=model,
                adaptation=stage.name,
                trained_on=stage.task,
                task=task,
                numbers=result.numbers,
                mean=sum(values) / len(values),
                low=summary.low,
                high=summary.high,
                seeds=values,
                paper=reported_exact_match(recipe.number, stage.name, task),
                constant=100 * constant_answer(shape.length) if task == "histogram" else None,
                groups=groups_of_scores(np.array(values, dtype=float), (0.0, 100.0)),
            )


def elicited_in_words(rows: Sequence[ResultRow]) -> str:
    """Say in how many pretrained models a prefix elicits each skill; empty without any."""
    cells, found = {(row.adaptation, row.task): row for row in rows}, []
    for task, goal in ELICITED.items():
        row = cells.get((f"prefix: {task}", task))
        if row:
            reached = sum(round(value, 2) >= goal for value in row.seeds)  # of single precision
            found.append(f"{TASKS[task]} {goal:g} % in {reached} of {len(row.seeds)}")
    return f"reached by pretrained models: {', '.join(found)}" if found else ""
