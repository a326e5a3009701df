"""What the Scaling page is about: a run with soft tokens, and what was read out of it.

Readings are kept between reruns; their keys carry the run's files, so a resumed run is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app.compare import selection
from app.state import cache
from app.ui import url_state
from app.ui.run_styles import title
from peftcore import paths
from peftcore.labs.scaling import ablations, readout
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.scaling.readout import Course, Reading, SeedGap


@dataclass(frozen=True)
class Subject:
    """The run a page shows, and which of its seeds, by place."""

    run: Run
    seed: int

    @property
    def words(self) -> str:
        """Method, task and seed, for the title of a chart."""
        number = self.run.spec.population.numbers()[self.seed]
        return f"{title(self.run.spec.method)}, seed {number}"


def runs() -> list[Run]:
    """Finished runs with soft tokens: scaled ones first, those that kept steps before others."""
    found = [run for run in selection.finished() if readout.has_soft_prompt(run.spec.method)]
    return sorted(found, key=lambda run: (run.spec.method != ablations.SCALED, *_bare(run)))


def _bare(run: Run) -> tuple[bool, bool]:
    """Whether there is less to see: no kept steps, or a start from another run."""
    return not run.path_steps(), bool(run.spec.start)


def pick(found: Sequence[Run]) -> Run:
    """A choice of run, kept in the address; says so if the address names another."""
    known, names = {run.id: run for run in found}, _names(found)
    change = url_state.follow(
        "Run",
        "scaling.run",
        list(known),
        name="run",
        words=names.__getitem__,
        missing=url_state.no_run("finished runs with soft tokens can be read"),
    )
    chosen: str = st.selectbox(
        "Run",
        list(known),
        format_func=names.__getitem__,
        key="scaling.run",
        on_change=change,
        help="Finished runs with soft tokens; the address keeps the choice.",
    )
    return known[chosen]


def _names(found: Sequence[Run]) -> dict[str, str]:
    """What sets soft prompts apart at a glance; runs that read alike carry their id."""
    said = {run.id: _name(run) for run in found}
    return {
        run: f"{name} · {run}" if list(said.values()).count(name) > 1 else name
        for run, name in said.items()
    }


def _name(run: Run) -> str:
    spec = run.spec
    parts = [title(spec.method), selection.task_title(spec.task), spec.base]
    parts += [f"{spec.settings.get('length')} tokens", f"{spec.training.shots} examples"]
    return " · ".join([*parts, *(["after another task"] if spec.start else [])])


def pick_seed(run: Run) -> int:
    """The place of the seed to look at; tokens of different seeds have nothing in common."""
    numbers = run.spec.population.numbers()
    number: int = st.selectbox(
        "Seed",
        numbers,
        key=f"scaling.seed.{run.id}",
        width=120,
        help="Each seed starts from words of its own, so tokens are not averaged over seeds.",
    )
    return numbers.index(number)


def _stamp(run: Run) -> tuple[float, int]:
    """What changes when a run is trained on."""
    weights = run.folder / "adapter.safetensors"
    return (weights.stat().st_mtime if weights.is_file() else 0.0, len(run.path_steps()))


def reading(run: Run) -> Reading:
    """Everything about the soft prompt of a run that needs its base."""
    return _reading(run.id, str(paths.home()), str(paths.data()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Reading the soft prompt…")
def _reading(run_id: str, home: str, data: str, stamp: tuple[float, int]) -> Reading:
    run = cache.store().open(run_id)
    return readout.reading(run, cache.base(run.spec.base))


def gaps(run: Run) -> list[SeedGap]:
    """The gap to words of every seed."""
    return _gaps(run.id, str(paths.home()), str(paths.data()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Measuring the gap to words…")
def _gaps(run_id: str, home: str, data: str, stamp: tuple[float, int]) -> list[SeedGap]:
    run = cache.store().open(run_id)
    found = _reading(run_id, home, data, stamp)
    return readout.gaps(found, cache.base(run.spec.base))


def course(run: Run) -> Course:
    """The soft prompt of a run at every kept step."""
    return _course(run.id, str(paths.home()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Reading the soft prompt…")
def _course(run_id: str, home: str, stamp: tuple[float, int]) -> Course:
    run = cache.store().open(run_id)
    return readout.course(run, cache.base(run.spec.base))
