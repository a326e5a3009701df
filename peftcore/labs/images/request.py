"""Measuring pictures as a job: what was asked, how far it is; figures end up on the shelf.

Needs no torch: pages start and watch, a process of its own draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob, JobStatus
from peftcore.labs.images import results_store

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

ImagesKind = Literal["prune", "combine"]


class ImagesRequest(background.JobRequest):
    """Everything that decides a measurement; equal asks are computed once."""

    kind: ImagesKind = Field("prune", description="What is measured")
    runs: tuple[str, ...] = Field(
        min_length=1, max_length=2, description="The run; for `combine` the two, shape then style"
    )
    examples: int = Field(
        0, ge=0, le=5000, description="New and old prompts judged, each; 0: all there are"
    )

    def kind_fields(self) -> dict[str, str]:
        """What tells asks of different sorts apart."""
        return {"of": "pictures"}

    def command(self) -> list[str]:
        """The arguments that compute this, without its settings."""
        return ["pictures", self.kind, *self.runs]

    def command_arguments(self) -> list[str]:
        """The arguments of the command that computes this."""
        return [*self.command(), *(("--examples", str(self.examples)) if self.examples else ())]

    @property
    def figure_name(self) -> str:
        """What the figure is called on the shelf."""
        return "-".join((self.kind, *self.runs))


@dataclass(frozen=True)
class ImagesJob(BackgroundJob, kind="images"):
    """The folder of one ask."""

    request: ImagesRequest

    FOLDER_NAME: ClassVar[str] = "picture_studies"
    REQUEST: ClassVar[type[background.JobRequest]] = ImagesRequest


def run_images_job(
    job: ImagesJob,
    *,
    base: BaseModel | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Bring a measurement to its end, or to where it is stopped; returns its status."""
    return job.run(lambda: _compute(job, base, report, stop))


def _compute(
    job: ImagesJob,
    base: BaseModel | None,
    report: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> None:
    from peftcore.labs.images import compute
    from peftcore.models.base_model import load

    request, started_at, seconds_before = job.request, time.monotonic(), job.status().seconds
    if len(request.runs) != 1 + (request.kind == "combine"):
        raise BadInput(
            f"{request.kind} needs {1 + (request.kind == 'combine')} run(s); got {request.runs}"
        )
    image_runs = [results_store.open_image_run(name, with_atoms=True) for name in request.runs]
    base = base or load(image_runs[0].spec.base)

    def write_progress(done: int, total: int) -> None:
        seconds = seconds_before + time.monotonic() - started_at
        job.write_status(done=done, of=total, seconds=seconds, message="")
        report(done, total)

    def should_stop() -> bool:
        return stop() or job.stop_requested()

    if request.kind == "prune":
        known_rows: list[dict[str, Any]] = job.entries()
        figure = compute.measure_pruning(
            image_runs[0],
            base,
            write_progress,
            should_stop,
            request.examples,
            known=known_rows,
            note=job.append_value,
        )
    else:
        figure = compute.measure_combination(
            image_runs[0],
            image_runs[1],
            base,
            write_progress,
            should_stop,
            request.examples or compute.COMBINED_PROMPTS,
        )
    results_store.save_figure(request.figure_name, figure)
