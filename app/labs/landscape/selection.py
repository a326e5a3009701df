"""What the Landscape page measures: a run, and what is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.state import run_catalog
from app.ui import frame
from app.ui.run_styles import shorten_names
from app.ui.subject import Choice
from peftcore.labs.common import cost
from peftcore.labs.landscape.request import LandscapeJob, LandscapeKind, LandscapeRequest
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LAB = "landscape"
SPLIT_TITLES = {
    "dev": "Validation sample",
    "train": "Training sample",
    "validation": "Validation split",
    "test": "Test split",
    "general": "General text",
}
COARSE_STEPS, FINE_STEPS = 7, 15  # of a grid along a side
EXAMPLE_COUNTS = (8, 12, 24, 48, 96, 0)


@dataclass(frozen=True)
class LandscapeSubject:
    """The run that is looked at, with the examples that are read at every point."""

    run: Run
    seed: int  # counted from 0
    split: str
    examples: int

    @property
    def vertices(self) -> int:
        """Corners of the run's simplex."""
        return self.run.spec.population.vertices

    @property
    def usual_steps(self) -> int:
        """Steps of a grid along a side that are due: few on a large base."""
        return COARSE_STEPS if run_catalog.has_large_base(self.run) else FINE_STEPS

    def job_request(self, kind: LandscapeKind, *more: str, **fields: Any) -> LandscapeRequest:
        """Return the request for a landscape of this run, with other adapters if named."""
        defaults = {"seed": self.seed, "split": self.split, "examples": self.examples}
        return LandscapeRequest.make(
            {"kind": kind, "runs": (self.run.id, *more)} | defaults | fields
        )

    def seconds(self, job_request: LandscapeRequest) -> float | None:
        """Return about how long a landscape of this run takes; None where it is not known."""
        job_request.check_size(self.vertices, self.run.spec.training.dev)
        rows = job_request.count_rows(self.vertices, self.run.spec.training.dev)
        return cost.measurement_seconds(self.run, rows)


def candidate_runs() -> list[Run]:
    """Finished runs with an adapter; those that trained a simplex come first.

    Of those that ship, the measured ones: the page is to open on a picture.
    """
    measured = {job.request.runs[0] for job in LandscapeJob.list_all()}
    return sorted(
        run_catalog.runs_with_adapter(),
        key=lambda run: (run.spec.population.vertices == 1, run.demo and run.id not in measured),
    )


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by id."""
    return shorten_names({run.id: _name_parts(run) for run in runs})


def _name_parts(run: Run) -> list[str]:
    """Return method, number of vertices, task and base of a run."""
    spec, vertices = run.spec, run.spec.population.vertices
    method, task = run_catalog.method_title(spec.method), run_catalog.task_title(spec.task)
    size = f"{vertices} vertices" if vertices > 1 else "single adapter"
    return [method, size, task, spec.base]


def pick_subject(bar: DeltaGenerator, runs: list[Run]) -> LandscapeSubject:
    """The run, its seed, and the examples whose loss is measured."""
    run = frame.pick_run(
        LAB, bar, runs, run_labels(runs), "finished runs with an adapter have a landscape"
    )
    numbers = [str(number) for number in run.spec.population.seed_numbers()]
    with bar:
        seed = frame.pick_seed(LAB, numbers)
        split = Choice(
            LAB, "split", "Examples of", list(SPLIT_TITLES), option_text=SPLIT_TITLES.__getitem__
        ).as_list(
            label_visibility="collapsed",
            width=180,
        )
        example_count = Choice(
            LAB,
            "examples",
            "How many examples",
            EXAMPLE_COUNTS,
            first=24,
            option_text=lambda n: "All examples" if n == 0 else f"{n} examples",
        ).as_list(label_visibility="collapsed", width=140)
    return LandscapeSubject(run, seed, split, example_count)


def comparable_landscapes(job_request: LandscapeRequest) -> list[LandscapeJob]:
    """Pictures that may share a scale: same kind, adapters, examples and seed."""
    keys = ("kind", "runs", "split", "examples", "seed")
    return [
        each
        for each in LandscapeJob.list_all()
        if all(getattr(each.request, key) == getattr(job_request, key) for key in keys)
    ]
