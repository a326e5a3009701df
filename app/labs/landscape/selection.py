"""What the Landscape page measures: a run, and what is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.state import run_catalog
from app.ui import pickers
from app.ui.run_styles import shorten_names
from peftcore.labs.common import cost
from peftcore.labs.landscape.request import LandscapeJob, LandscapeKind, LandscapeRequest
from peftcore.runs.store import Run

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
        rows = job_request.count_rows(self.vertices, self.run.spec.training.dev)
        return cost.measurement_seconds(self.run, rows)


def candidate_runs() -> list[Run]:
    """Finished runs with an adapter; those that trained a simplex come first."""
    runs = run_catalog.runs_with_adapter()
    return sorted(runs, key=lambda run: run.spec.population.vertices == 1)


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by id."""
    return shorten_names({run.id: _name_parts(run) for run in runs})


def _name_parts(run: Run) -> list[str]:
    """Return method, number of vertices, task and base of a run."""
    spec, vertices = run.spec, run.spec.population.vertices
    method, task = run_catalog.method_title(spec.method), run_catalog.task_title(spec.task)
    size = f"{vertices} vertices" if vertices > 1 else "single adapter"
    return [method, size, task, spec.base]


def pick_subject(runs: list[Run]) -> LandscapeSubject:
    """The run and the examples, kept in the address."""
    labels = run_labels(runs)
    run = pickers.pick_run(
        runs,
        "landscape.run",
        lambda run: labels[run.id],
        "finished runs with an adapter have a landscape",
        name="landscape.run",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = pickers.pick_seed([run], f"landscape.seed.{run.spec.population.seeds}")
        split = st.selectbox(
            "Examples of",
            list(SPLIT_TITLES),
            format_func=SPLIT_TITLES.__getitem__,
            key="landscape.split",
            width=220,
            help="A draw is what this seed was given, to train on or to choose its step by; a "
            "split is all there is; general text belongs to no task, and where its loss is high "
            "the base has forgotten",
        )
        example_count = st.selectbox(
            "How many",
            EXAMPLE_COUNTS,
            index=EXAMPLE_COUNTS.index(24),
            format_func=lambda n: "All" if n == 0 else str(n),
            key="landscape.examples",
            help="More examples make a truer picture and take proportionally longer",
            width=120,
        )
    return LandscapeSubject(run, seed, split, example_count)


def comparable_landscapes(job_request: LandscapeRequest) -> list[LandscapeJob]:
    """Pictures that may share a scale: same kind, adapters, examples and seed."""
    keys = ("kind", "runs", "split", "examples", "seed")
    return [
        each
        for each in LandscapeJob.list_all()
        if all(getattr(each.request, key) == getattr(job_request, key) for key in keys)
    ]
