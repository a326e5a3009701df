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

SPLITS = {
    "dev": "Validation draw",
    "train": "Training draw",
    "validation": "Validation split",
    "test": "Test split",
}
SIZES = (8, 12, 24, 48, 96, 0)


@dataclass(frozen=True)
class Subject:
    """The run that is looked at, with the examples that are read at every point."""

    run: Run
    seed: int  # counted from 0
    split: str
    examples: int

    @property
    def vertices(self) -> int:
        """Corners of the run's simplex."""
        return self.run.spec.population.vertices

    def ask(self, kind: LandscapeKind, *more: str, **fields: Any) -> LandscapeRequest:
        """What is asked of this run, and of other adapters beside it."""
        given = {"seed": self.seed, "split": self.split, "examples": self.examples}
        return LandscapeRequest.make({"kind": kind, "runs": (self.run.id, *more)} | given | fields)


def candidates() -> list[Run]:
    """Finished runs with an adapter; those that trained a simplex come first."""
    runs = [r for r in selection.finished_runs() if (r.folder / "adapter.safetensors").is_file()]
    return sorted(runs, key=lambda run: run.spec.population.vertices == 1)


def name(run: Run) -> str:
    """How a run is called in a list."""
    v = run.spec.population.vertices
    words = (
        f"{method_title(run.spec.method)} · {selection.task_title(run.spec.task)} · {run.spec.base}"
    )
    return f"{words} · {f'{v} vertices' if v > 1 else 'single adapter'} · {run.id}"


def pick(runs: list[Run]) -> Subject:
    """The run and the examples, kept in the address."""
    known = {run.id: run for run in runs}

    def words(run: str) -> str:
        return name(known[run])

    change = url_state.sync_with_url(
        "Run",
        "landscape.run",
        list(known),
        format_option=words,
        missing=url_state.why_run_missing("finished runs with an adapter have a landscape"),
    )
    chosen = st.selectbox(
        "Run", list(known), format_func=words, key="landscape.run", on_change=change
    )
    run = known[chosen]
    numbers = run.spec.population.seed_numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.selectbox(
            "Seed",
            range(len(numbers)),
            format_func=lambda place: str(numbers[place]),
            key=f"landscape.seed.{len(numbers)}",
            width=120,
        )
        split = st.selectbox(
            "Examples of",
            list(SPLITS),
            format_func=SPLITS.__getitem__,
            key="landscape.split",
            width=220,
            help="A draw is what this seed was given, to train on or to choose its step by; a "
            "split is all there is",
        )
        size = st.selectbox(
            "How many",
            SIZES,
            index=SIZES.index(24),
            format_func=lambda n: "All" if n == 0 else str(n),
            key="landscape.examples",
            help="More examples make a truer picture and take proportionally longer",
            width=120,
        )
    return Subject(run, seed, split, size)


def same(ask: LandscapeRequest) -> list[LandscapeJob]:
    """Pictures that may share a scale: same kind, adapters, examples and seed."""
    keys = ("kind", "runs", "split", "examples", "seed")
    return [
        each
        for each in LandscapeJob.list_all()
        if all(getattr(each.request, key) == getattr(ask, key) for key in keys)
    ]
