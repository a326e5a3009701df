"""Requests for toy experiments, and their jobs with the losses so far.

Results lie elsewhere, in `results`.  Needs no torch: pages start and watch, a process of its own
trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.labs.toys import recipes
from peftcore.labs.toys.recipes import Recipe


class ToyRequest(background.JobRequest):
    """Everything that decides a toy experiment; equal requests are trained once."""

    runs: tuple[str, ...] = Field((), max_length=0, description="None: a toy has no run")
    number: recipes.ExperimentNumber = Field("01", description="Experiment")
    size: recipes.RecipeSize = Field("cpu", description="Recipe")
    seeds: int = Field(5, ge=1, le=64, description="Independent repetitions")
    first_seed: int = Field(0, ge=0, description="Number of the first seed")

    @property
    def recipe(self) -> Recipe:
        """Return what is trained."""
        return recipes.find_recipe(self.number, self.size)

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """Return the number of every seed."""
        return tuple(range(self.first_seed, self.first_seed + self.seeds))

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different labs apart."""
        return {"of": "toys"}

    def command(self) -> list[str]:
        """Return the arguments of the command that trains this."""
        arguments = ["toys", self.number, "--recipe", self.size, "--seeds", str(self.seeds)]
        return [*arguments, *(("--first-seed", str(self.first_seed)) if self.first_seed else ())]

    def command_arguments(self) -> list[str]:
        """The arguments of the command that trains this."""
        return self.command()


@dataclass(frozen=True)
class ToyJob(BackgroundJob, kind="toys"):
    """The folder of one request: steps done and losses on the way."""

    request: ToyRequest

    FOLDER_NAME: ClassVar[str] = "toys"
    REQUEST: ClassVar[type[background.JobRequest]] = ToyRequest
    START_VERB: ClassVar[str] = "Train"
    PROGRESS_WORDS: ClassVar[str] = "steps trained"

    def losses(self) -> dict[str, list[list[Any]]]:
        """Stage → [step, [loss of each seed]]; a stage that began again counts from there."""
        curves: dict[str, list[list[Any]]] = {}
        for entry in self.entries():
            curve = curves.setdefault(entry["stage"], [])
            if curve and entry["step"] <= curve[-1][0]:
                curve.clear()
            curve.append([entry["step"], entry["values"]])
        return curves
