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
from app.ui.run_styles import method_title
from peftcore import paths
from peftcore.labs.scaling import ablations, readout
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.scaling.readout import SeedGap, SoftPromptHistory, SoftPromptReadout


@dataclass(frozen=True)
class Subject:
    """The run a page shows, and which of its seeds, by place."""

    run: Run
    seed: int

    @property
    def words(self) -> str:
        """Method, task and seed, for the title of a chart."""
        number = self.run.spec.population.seed_numbers()[self.seed]
        return f"{method_title(self.run.spec.method)}, seed {number}"


def runs() -> list[Run]:
    """Finished runs with soft tokens: scaled ones first, those that kept steps before others."""
    found = [run for run in selection.finished_runs() if readout.has_soft_prompt(run.spec.method)]
    return sorted(found, key=lambda run: (run.spec.method != ablations.SCALED_METHOD, *_bare(run)))


def _bare(run: Run) -> tuple[bool, bool]:
    """Whether there is less to see: no kept steps, or a start from another run."""
    return not run.intermediate_steps(), bool(run.spec.start)


def pick(found: Sequence[Run]) -> Run:
    """A choice of run, kept in the address; says so if the address names another."""
    known, names = {run.id: run for run in found}, _names(found)
    change = url_state.sync_with_url(
        "Run",
        "scaling.run",
        list(known),
        name="run",
        format_option=names.__getitem__,
        missing=url_state.why_run_missing("finished runs with soft tokens can be read"),
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
    parts = [method_title(spec.method), selection.task_title(spec.task), spec.base]
    parts += [f"{spec.settings.get('length')} tokens", f"{spec.training.shots} examples"]
    return " · ".join([*parts, *(["after another task"] if spec.start else [])])


def pick_seed(run: Run) -> int:
    """The place of the seed to look at; tokens of different seeds have nothing in common."""
    numbers = run.spec.population.seed_numbers()
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
    return (weights.stat().st_mtime if weights.is_file() else 0.0, len(run.intermediate_steps()))


def reading(run: Run) -> SoftPromptReadout:
    """Everything about the soft prompt of a run that needs its base."""
    return _reading(run.id, str(paths.workspace_folder()), str(paths.data_folder()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Reading the soft prompt…")
def _reading(run_id: str, home: str, data: str, stamp: tuple[float, int]) -> SoftPromptReadout:
    run = cache.run_store().open(run_id)
    return readout.build_readout(run, cache.base_model(run.spec.base))


def gaps(run: Run) -> list[SeedGap]:
    """The gap to words of every seed."""
    return _gaps(run.id, str(paths.workspace_folder()), str(paths.data_folder()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Measuring the gap to words…")
def _gaps(run_id: str, home: str, data: str, stamp: tuple[float, int]) -> list[SeedGap]:
    run = cache.run_store().open(run_id)
    found = _reading(run_id, home, data, stamp)
    return readout.seed_gaps(found, cache.base_model(run.spec.base))


def course(run: Run) -> SoftPromptHistory:
    """The soft prompt of a run at every kept step."""
    return _course(run.id, str(paths.workspace_folder()), _stamp(run))


@st.cache_resource(max_entries=8, show_spinner="Reading the soft prompt…")
def _course(run_id: str, home: str, stamp: tuple[float, int]) -> SoftPromptHistory:
    run = cache.run_store().open(run_id)
    return readout.read_history(run, cache.base_model(run.spec.base))
