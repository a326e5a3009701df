"""What the Landscape page measures: a run, and what is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.compare import selection
from app.ui import url_state
from app.ui.run_styles import method_title
from peftcore.labs.landscape.request import LandscapeJob, LandscapeKind, LandscapeRequest
from peftcore.runs.store import Run

SPLIT_TITLES = {
    "dev": "Validation sample",
    "train": "Training sample",
    "validation": "Validation split",
    "test": "Test split",
}
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

    def job_request(self, kind: LandscapeKind, *more: str, **fields: Any) -> LandscapeRequest:
        """What is asked of this run, and of other adapters beside it."""
        defaults = {"seed": self.seed, "split": self.split, "examples": self.examples}
        return LandscapeRequest.make(
            {"kind": kind, "runs": (self.run.id, *more)} | defaults | fields
        )


def candidate_runs() -> list[Run]:
    """Finished runs with an adapter; those that trained a simplex come first."""
    runs = [
        run for run in selection.finished_runs() if (run.folder / "adapter.safetensors").is_file()
    ]
    return sorted(runs, key=lambda run: run.spec.population.vertices == 1)


def run_label(run: Run) -> str:
    """How a run is called in a list."""
    vertices = run.spec.population.vertices
    text = (
        f"{method_title(run.spec.method)} · {selection.task_title(run.spec.task)} · {run.spec.base}"
    )
    return f"{text} · {f'{vertices} vertices' if vertices > 1 else 'single adapter'} · {run.id}"


def pick_subject(runs: list[Run]) -> LandscapeSubject:
    """The run and the examples, kept in the address."""
    runs_by_id = {run.id: run for run in runs}

    def title_of(run: str) -> str:
        return run_label(runs_by_id[run])

    on_change = url_state.sync_with_url(
        "Run",
        "landscape.run",
        list(runs_by_id),
        format_option=title_of,
        missing=url_state.why_run_missing("finished runs with an adapter have a landscape"),
    )
    run_id = st.selectbox(
        "Run", list(runs_by_id), format_func=title_of, key="landscape.run", on_change=on_change
    )
    run = runs_by_id[run_id]
    numbers = run.spec.population.seed_numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.selectbox(
            "Seed",
            range(len(numbers)),
            format_func=lambda index: str(numbers[index]),
            key=f"landscape.seed.{len(numbers)}",
            width=120,
        )
        split = st.selectbox(
            "Examples of",
            list(SPLIT_TITLES),
            format_func=SPLIT_TITLES.__getitem__,
            key="landscape.split",
            width=220,
            help="A draw is what this seed was given, to train on or to choose its step by; a "
            "split is all there is",
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
