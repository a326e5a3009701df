"""Requests to measure what runs forgot, and their jobs. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.runs.store import RunStore
from peftcore.settings import Settings


class ForgettingRequest(background.JobRequest):
    """Runs whose general text is read again."""

    runs: tuple[str, ...] = Field(min_length=1, max_length=500, description="Ids of runs")

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different kinds apart."""
        return {"of": "forgetting"}

    def command(self) -> list[str]:
        """Return the arguments of the command that measures this."""
        return ["forgetting", *self.runs]


@dataclass(frozen=True)
class ForgettingJob(BackgroundJob, kind="forgetting"):
    """The folder of one measurement; its results are kept with the runs."""

    request: ForgettingRequest

    FOLDER_NAME: ClassVar[str] = "forgetting_jobs"
    REQUEST: ClassVar[type[Settings]] = ForgettingRequest
    PROGRESS_WORDS: ClassVar[str] = "runs measured"

    def launch(self) -> None:
        """Start it; one that was done counts for nothing once a run has no result of it."""
        self.reset_if_lost()
        super().launch()

    def reset_if_lost(self) -> None:
        """Forget that it was done if a run has no result any more, as after training again."""
        store = RunStore()
        lost = any(store.open(run).forgetting() is None for run in self.request.runs)
        if self.status().state == "done" and lost:
            self.clear()
            self.write_status(state="cancelled", done=0, of=0, seconds=0.0, message="Removed.")
