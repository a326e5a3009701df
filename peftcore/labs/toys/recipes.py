"""Describes toy experiments: a shape of transformer, a pretraining, and adaptations of it.

Experiments 01 to 04 of arXiv:2310.19698 at full size, and at a size for one processor core, which
the project has measured.  Sizes, rates and steps of the full recipes are those of the authors'
notebooks.  Nothing in here needs torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import Field

from peftcore.errors import unknown_name
from peftcore.settings import Settings

StageKind = Literal["pretrain", "full", "prefix", "lora"]
RecipeSize = Literal["cpu", "full", "quick"]
ExperimentNumber = Literal["01", "02", "03", "04"]
ToyTask = Literal[
    "ascending", "descending", "add1", "add2", "ascending_add1", "histogram", "mixture"
]

DIGITS = 8  # digits that occur in inputs
VOCABULARY_SIZE = 10  # digits that occur in answers: room for adding two
TASKS: Mapping[str, str] = {
    "ascending": "sort ascending",
    "descending": "sort descending",
    "add1": "add one to each digit",
    "add2": "add two to each digit",
    "ascending_add1": "sort ascending, then add one",
    "histogram": "count how often each digit occurs",
}
# Tasks of the pretraining; a sequence does not say which one it follows.
MIXTURE: tuple[ToyTask, ...] = ("ascending", "descending", "add1", "add2")


class ToyShape(Settings):
    """The transformer: learned positions, `pads` constant positions in front, digits after them."""

    layers: int = Field(1, ge=1, le=12, description="Layers")
    heads: int = Field(1, ge=1, le=16, description="Attention heads of a layer")
    width: int = Field(64, ge=8, le=1024, description="Width of the model")
    length: int = Field(6, ge=2, le=16, description="Digits in the input and in the answer")
    pads: int = Field(1, ge=1, le=64, description="Positions in front, which a prefix replaces")
    norm: bool = Field(True, description="Layer norm before attention")


class Stage(Settings):
    """One training: of the whole model from scratch, or of an adaptation of the pretrained one."""

    kind: StageKind = Field(description="What is trained")
    task: ToyTask = Field(description="What it is trained on")
    steps: int = Field(ge=1, description="Optimiser steps of 64 sequences each")
    rate: float = Field(gt=0, description="Learning rate, at the first step")
    falling: bool = Field(False, description="The rate falls to nothing in a straight line")
    starts: int = Field(
        1,
        ge=1,
        le=32,
        description="Initial values of an adaptation tried for each seed, in one pass; the one "
        "with the lowest training loss is kept",
    )
    attention: bool = Field(
        False, description="LoRA changes the output of attention too, as the authors' does"
    )

    def is_set(self, name: str) -> bool:
        """Return whether a field is not at its default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def name(self) -> str:
        """Describe the stage in a few words, unique in its recipe."""
        if self.kind == "pretrain":
            return "pretrained"
        how = {"full": "fine-tuned", "prefix": "prefix", "lora": "rank-1 LoRA"}[self.kind]
        return f"{how}: {self.task}"


class Recipe(Settings):
    """A whole experiment; the first stage pretrains, the others start from what it made."""

    number: ExperimentNumber
    size: RecipeSize
    title: str
    shape: ToyShape
    stages: tuple[Stage, ...]
    tasks: tuple[str, ...] = Field(description="What every stage is tested on")

    def key(self, stage: Stage, seeds: tuple[int, ...]) -> str:
        """Return the key of this stage's result; equal trainings of two recipes have equal keys."""
        stages = (*((self.stages[0],) if stage.kind != "pretrain" else ()), stage)
        parts = (self.shape.model_dump_json(), *(_key_of_stage(each) for each in stages))
        text = "|".join(parts) + f"|{seeds}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _key_of_stage(stage: Stage) -> str:
    """Return what a stage's key hashes: a later field only where it is set, so keys stay."""
    later = {name for name in ("falling", "starts", "attention") if not stage.is_set(name)}
    return stage.model_dump_json(exclude=later)


TITLES: Mapping[ExperimentNumber, str] = {
    "01": "A new pattern",
    "02": "Eliciting a skill",
    "03": "Composing, counting",
    "04": "Equal budgets",
}


def _prefixes(steps: int, rate: float) -> tuple[tuple[StageKind, ToyTask, int, float], ...]:
    """Return a prefix for each task of the mixture."""
    return tuple(("prefix", task, steps, rate) for task in MIXTURE)


def _stages(*rows: tuple[StageKind, ToyTask, int, float], **later: Any) -> tuple[Stage, ...]:
    """Return stages of these kinds, tasks, steps and rates; adaptations have the later fields."""
    return tuple(
        Stage(kind=k, task=t, steps=n, rate=r, **({} if k == "pretrain" else later))
        for k, t, n, r in rows
    )


_HARD_TASKS = ("ascending", "ascending_add1", "histogram")
_SHAPES: Mapping[tuple[RecipeSize, ExperimentNumber], ToyShape] = {
    ("cpu", "01"): ToyShape(layers=1, heads=1, width=64),
    ("cpu", "02"): ToyShape(layers=1, heads=4, width=96, norm=False),
    ("cpu", "03"): ToyShape(layers=2, heads=4, width=96, pads=10),
    ("cpu", "04"): ToyShape(layers=2, heads=4, width=96, pads=10),
    ("full", "01"): ToyShape(layers=1, heads=1, width=96, length=10),
    ("full", "02"): ToyShape(layers=1, heads=4, width=256, length=10, norm=False),
    ("full", "03"): ToyShape(layers=4, heads=4, width=256, length=10, pads=10),
    ("full", "04"): ToyShape(layers=4, heads=4, width=256, length=10, pads=12),
}
_STAGES: Mapping[tuple[RecipeSize, ExperimentNumber], tuple[Stage, ...]] = {
    ("cpu", "01"): _stages(
        ("pretrain", "ascending", 2000, 2e-3),
        ("full", "descending", 1500, 2e-3),
        ("prefix", "descending", 3000, 5e-2),
    ),
    ("cpu", "02"): _stages(
        ("pretrain", "mixture", 5000, 2e-3), *_prefixes(2000, 3e-2), falling=True, starts=4
    ),
    ("cpu", "03"): _stages(
        ("pretrain", "mixture", 5000, 1e-3),
        ("prefix", "ascending", 1500, 1e-2),
        ("prefix", "ascending_add1", 4000, 1e-2),
        ("prefix", "histogram", 4000, 1e-2),
    ),
    ("cpu", "04"): _stages(
        ("pretrain", "mixture", 5000, 1e-3),
        ("prefix", "histogram", 4000, 1e-2),
        ("lora", "histogram", 4000, 5e-3),
        ("lora", "ascending_add1", 3000, 5e-3),
    ),
    ("full", "01"): _stages(
        ("pretrain", "ascending", 20_000, 5e-4),
        ("full", "descending", 10_000, 5e-4),
        ("prefix", "descending", 40_000, 5e-4),
    ),
    ("full", "02"): _stages(("pretrain", "mixture", 20_000, 5e-4), *_prefixes(30_000, 5e-5)),
    ("full", "03"): _stages(
        ("pretrain", "mixture", 40_000, 5e-4),
        *_prefixes(20_000, 5e-5),
        ("prefix", "ascending_add1", 500_000, 5e-5),
        ("prefix", "histogram", 500_000, 5e-5),
    ),
    ("full", "04"): _stages(
        ("pretrain", "mixture", 40_000, 5e-4),
        ("prefix", "histogram", 100_000, 5e-5),
    )
    + _stages(("lora", "histogram", 10_000, 5e-3), falling=True, attention=True),
}
_TEST_TASKS: Mapping[ExperimentNumber, tuple[str, ...]] = {
    "01": ("ascending", "descending"),
    "02": MIXTURE,
    "03": (*MIXTURE, "ascending_add1", "histogram"),
    "04": _HARD_TASKS,
}
# Percent right from which a skill counts as elicited: about what the authors show for sorting.
ELICITED: Mapping[str, float] = {"ascending": 94.0, "descending": 83.0, "add1": 94.0, "add2": 83.0}
QUICK_DIVISOR = 20  # a quick recipe takes this share of the processor recipe's steps


def find_recipe(number: str, size: str = "cpu") -> Recipe:
    """Return the recipe of an experiment; BadInput if there is none."""
    if number not in TITLES:
        raise unknown_name("toy experiment", number, TITLES)
    if size not in get_args(RecipeSize):
        raise unknown_name("recipe", size, get_args(RecipeSize))
    key = ("full" if size == "full" else "cpu", number)
    stages = _STAGES[key]  # type: ignore[index]
    if size == "quick":
        stages = tuple(
            stage.model_copy(update={"steps": stage.steps // QUICK_DIVISOR}) for stage in stages
        )
    return Recipe(
        number=number,
        size=size,
        title=TITLES[number],  # type: ignore[index]
        shape=_SHAPES[key],  # type: ignore[index]
        stages=stages,
        tasks=_TEST_TASKS[number],  # type: ignore[index]
    )


@dataclass(frozen=True)
class ReportedResult:
    """A figure of the authors' notebooks: exact match in percent, at full size, one seed."""

    number: ExperimentNumber
    stage: str  # as `Stage.name`
    task: str
    exact_match: float


def _reported_rows(
    number: ExperimentNumber, tasks: tuple[str, ...], **rows: tuple[float, ...]
) -> list[ReportedResult]:
    return [
        ReportedResult(number, name.replace("__", ": "), task, value)
        for name, values in rows.items()
        for task, value in zip(tasks, values, strict=False)
    ]


SOURCE = "arXiv:2310.19698, outputs of the authors' notebooks; full size, one seed"
REPORTED: tuple[ReportedResult, ...] = (
    *_reported_rows(
        "01",
        ("ascending", "descending"),
        pretrained=(91.41, 0.0),
        **{"fine-tuned: descending": (0.0, 84.91), "prefix: descending": (0.09, 0.0)},
    ),
    *_reported_rows(
        "02",
        MIXTURE,
        pretrained=(31.44, 19.16, 29.97, 15.62),
        **{
            "prefix: ascending": (94.09, 0.0, 0.0, 0.0),
            "prefix: descending": (0.03, 83.72, 0.22, 0.66),
            "prefix: add1": (0.0, 0.0, 99.62, 0.0),
            "prefix: add2": (0.0, 0.0, 0.16, 99.78),
        },
    ),
    *_reported_rows(
        "03",
        (*MIXTURE, "ascending_add1", "histogram"),
        pretrained=(5.91, 27.75, 39.66, 22.81, 0.0, 0.0),
    ),
    ReportedResult("03", "prefix: ascending", "ascending", 99.69),
    ReportedResult("03", "prefix: descending", "descending", 99.59),
    ReportedResult("03", "prefix: add1", "add1", 100.0),
    ReportedResult("03", "prefix: add2", "add2", 99.97),
    ReportedResult("03", "prefix: ascending_add1", "ascending_add1", 71.59),
    ReportedResult("03", "prefix: histogram", "histogram", 0.62),
    ReportedResult("04", "prefix: histogram", "histogram", 0.31),
    ReportedResult("04", "rank-1 LoRA: histogram", "histogram", 92.38),
)


def reported_exact_match(number: str, stage: str, task: str) -> float | None:
    """Return what the authors' notebook shows for this cell, in percent; None if it does not."""
    for row in REPORTED:
        if (row.number, row.stage, row.task) == (number, stage, task):
            return row.exact_match
    return None
