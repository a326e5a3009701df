"""Requests for measurements of image runs, and their jobs; figures go to `results_store`.

Needs no torch: pages start a job and watch it, a process of its own draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob

ImagesKind = Literal["prune", "combine"]


class ImagesRequest(background.JobRequest):
    """Everything that decides a measurement; equal requests are computed once."""

    kind: ImagesKind = Field("prune", description="What is measured")
    runs: tuple[str, ...] = Field(
        min_length=1, max_length=2, description="The run; for `combine` the two, shape then style"
    )
    examples: int = Field(
        0, ge=0, le=5000, description="New and old prompts judged, each; 0: all there are"
    )

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different labs apart."""
        return {"of": "pictures"}

    def command(self) -> list[str]:
        """Return the arguments of the command, without settings."""
        return ["images", self.kind, *self.runs]

    def command_arguments(self) -> list[str]:
        """Return the arguments of the command that computes this."""
        return [*self.command(), *(("--examples", str(self.examples)) if self.examples else ())]

    @property
    def figure_name(self) -> str:
        """Return the name the figure is stored under."""
        return "-".join((self.kind, *self.runs))


@dataclass(frozen=True)
class ImagesJob(BackgroundJob, kind="images"):
    """The folder of one ask."""

    request: ImagesRequest

    FOLDER_NAME: ClassVar[str] = "picture_studies"
    REQUEST: ClassVar[type[background.JobRequest]] = ImagesRequest
