"""Requests to evaluate a finished run, their jobs, and what they gave. Needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field

from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.settings import Settings
from peftcore.system import atomic_files


class EvaluationRequest(background.JobRequest):
    """One run, and what it is asked."""

    runs: tuple[str, ...] = Field(min_length=1, max_length=1, description="Id of the run")
    task: str = Field("", description="Task or table; empty: the task the run was trained on")
    split: Literal["validation", "test"] = Field("test", description="Split that is answered")
    limit: int = Field(200, ge=1, le=100_000, description="Most examples, drawn balanced")
    template: str = Field(
        "",
        max_length=2000,
        description="How an example reads, with {1}, {2} where its texts go; empty: the task's own",
    )

    def kind_fields(self) -> dict[str, str]:
        """Return what distinguishes these requests from others."""
        return {"of": "evaluation"}

    def command(self) -> list[str]:
        """Return the arguments of the command that computes this."""
        return ["evaluate", *self.runs]

    def command_arguments(self) -> list[str]:
        """Return the command with its own options."""
        values = self.model_dump(mode="json", exclude={"runs"}, exclude_defaults=True)
        options = (word for name, value in values.items() for word in (f"--{name}", str(value)))
        return [*self.command(), *options]


@dataclass(frozen=True)
class EvaluationJob(BackgroundJob, kind="evaluation"):
    """The folder of one evaluation, with answers and scores; the run's own stays as it is."""

    request: EvaluationRequest

    FOLDER_NAME: ClassVar[str] = "evaluations"
    REQUEST: ClassVar[type[Settings]] = EvaluationRequest
    EXTRA_FILES: ClassVar[tuple[str, ...]] = ("answers.parquet", "scores.json")
    START_VERB: ClassVar[str] = "Evaluate"
    PROGRESS_WORDS: ClassVar[str] = "examples answered"

    def write_results(self, answers: pd.DataFrame, scores: dict[str, list[float]]) -> None:
        """Keep answers with the columns of a run's, and metric → one value per seed."""
        path = self.folder / "answers.parquet"
        atomic_files.replace_file(path, answers.to_parquet(index=False))
        text = json.dumps(atomic_files.to_jsonable(scores), indent=1)
        atomic_files.replace_file(self.folder / "scores.json", text.encode())

    def result(self) -> EvaluatedRun | None:
        """Return what it gave; None before it is done, or once the run is gone."""
        if self.status().state != "done" or not (self.folder / "scores.json").is_file():
            return None
        return EvaluatedRun(self, RunStore().open(self.request.runs[0]))


@dataclass(frozen=True)
class EvaluatedRun:
    """A run as it did on other examples, in the shape of a run: what comparisons read."""

    job: EvaluationJob
    run: Run

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.run.id

    @property
    def spec(self) -> RunSpec:
        """The run's spec with the task and the examples that were asked."""
        request = self.job.request
        options = {"split": request.split, "limit": request.limit, "protocol": "shared"}
        own = self.run.spec.evaluation.model_copy(update=options)
        task = request.task or self.run.spec.task
        return self.run.spec.model_copy(update={"task": task, "evaluation": own})

    def manifest(self) -> dict[str, Any]:
        """Return what the run was made from, with the data that were asked."""
        return self.run.manifest() | {"data_hash": self.job.facts.get("data_hash")}

    def scores(self) -> dict[str, list[float]]:
        """Return metric → one value per seed."""
        stored = atomic_files.read_json(self.job.folder / "scores.json")
        return {
            name: [math.nan if v is None else float(v) for v in vs] for name, vs in stored.items()
        }

    def answers(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return every answer of every seed, these columns only if any are named."""
        path = self.job.folder / "answers.parquet"
        return pd.read_parquet(path, columns=list(columns) or None)


def evaluations_of(run: Run) -> list[EvaluationJob]:
    """Return every evaluation of a run, the newest first."""
    jobs = [job for job in EvaluationJob.list_all() if run.id in job.request.runs]
    return sorted(jobs, key=lambda job: -job.status().updated)
