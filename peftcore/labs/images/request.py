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

Kind = Literal["prune", "combine"]


class Ask(background.JobRequest):
    """Everything that decides a measurement; equal asks are computed once."""

    kind: Kind = Field("prune", description="What is measured")
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
    def figure(self) -> str:
        """What the figure is called on the shelf."""
        return "-".join((self.kind, *self.runs))


@dataclass(frozen=True)
class Study(BackgroundJob):
    """The folder of one ask."""

    request: Ask

    FOLDER_NAME: ClassVar[str] = "picture_studies"
    REQUEST: ClassVar[type[background.JobRequest]] = Ask


def carry_out(
    study: Study,
    *,
    base: BaseModel | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Bring a measurement to its end, or to where it is stopped; returns its status."""
    return study.run(lambda: _work(study, base, report, stop))


def _work(
    study: Study,
    base: BaseModel | None,
    report: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> None:
    from peftcore.labs.images import compute
    from peftcore.models.base_model import load

    ask, began, before = study.request, time.monotonic(), study.status().seconds
    if len(ask.runs) != 1 + (ask.kind == "combine"):
        raise BadInput(f"{ask.kind} needs {1 + (ask.kind == 'combine')} run(s); got {ask.runs}")
    opened = [results_store.open_run(name, atoms=True) for name in ask.runs]
    base = base or load(opened[0].spec.base)

    def tell(done: int, of: int) -> None:
        seconds = before + time.monotonic() - began
        study.write_status(state="working", done=done, of=of, seconds=seconds, message="")
        report(done, of)

    def over() -> bool:
        return stop() or study.stop_requested()

    if ask.kind == "prune":
        known: list[dict[str, Any]] = study.entries()
        figure = compute.prune(
            opened[0], base, tell, over, ask.examples, known=known, note=study.append_value
        )
    else:
        figure = compute.combine(
            opened[0], opened[1], base, tell, over, ask.examples or compute.PROMPTS
        )
    results_store.keep(ask.figure, figure)
