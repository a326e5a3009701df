"""What the Scaling page is about: a run with soft tokens, and what was read out of it.

Readings are kept between reruns; their keys carry the run's files, so a resumed run is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app.state import cache, run_catalog
from app.state.run_catalog import method_title
from app.ui import frame
from app.ui.run_styles import shorten_names
from peftcore.adapters.base import METHODS
from peftcore.api import run_uses
from peftcore.labs.scaling import ablations, readout
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from peftcore.labs.scaling.layer_gap import LayerGaps
    from peftcore.labs.scaling.readout import SeedGap, SoftPromptHistory, SoftPromptReadout

LAB = "scaling"


@dataclass(frozen=True)
class ScalingSubject:
    """The run a page shows, and which of its seeds, by place."""

    run: Run
    seed: int

    @property
    def chart_title(self) -> str:
        """Method, task and seed, for the title of a chart."""
        number = self.run.spec.population.seed_numbers()[self.seed]
        return f"{method_title(self.run.spec.method)}, seed {number}"


ANY_METHOD = ("Transfer", "Templates", "Explanations")  # views that soft tokens are not needed for


def candidate_runs(view: str = "") -> list[Run]:
    """Finished runs with soft tokens: scaled ones first, those that kept steps before others.

    Some views take runs of any method that trains, behind these.
    """
    runs = run_catalog.runs_with_base()
    if view not in ANY_METHOD:
        runs = [run for run in runs if readout.has_soft_prompt(run.spec.method)]
    runs = [run for run in runs if METHODS[run.spec.method].trains()]
    if view == "Explanations":
        runs = [run for run in runs if run_uses.explains(run)]
    return sorted(
        runs,
        key=lambda run: (
            not readout.has_soft_prompt(run.spec.method),
            run.spec.method != ablations.SCALED_METHOD,
            *_shows_less(run),
        ),
    )


def _shows_less(run: Run) -> tuple[bool, bool]:
    """Return whether a run shows less: no kept steps, or a start from another run."""
    return not run.intermediate_steps(), bool(run.spec.start)


def pick_subject(bar: DeltaGenerator, runs: Sequence[Run]) -> ScalingSubject:
    """Offer runs and their seeds.

    Each seed starts from words of its own, so tokens are not averaged over seeds.
    """
    # Names are the same in every view: a list that is open keeps the name it was opened with.
    known = {run.id: run for run in [*candidate_runs(ANY_METHOD[0]), *runs]}
    titles = shorten_names({run.id: _name_parts(run) for run in known.values()})
    needed = "finished runs with soft tokens can be read"
    run = frame.pick_run(LAB, bar, runs, titles, needed)
    with bar:
        seed = frame.pick_seed(LAB, [str(number) for number in run.spec.population.seed_numbers()])
    return ScalingSubject(run, seed)


def _name_parts(run: Run) -> list[str]:
    """Return method, prompt length, examples, task and base of a run."""
    spec = run.spec
    parts = [method_title(spec.method)]
    parts += [f"{spec.settings['length']} tokens"] if "length" in spec.settings else []
    parts += [f"{spec.training.shots} examples", run_catalog.task_title(spec.task), spec.base]
    return [*parts, "after another task" if spec.start else ""]


@st.cache_resource(
    max_entries=8, show_spinner="Reading the soft prompt…", hash_funcs=cache.BY_ADAPTER
)
def soft_prompt_readout(run: Run) -> SoftPromptReadout:
    """Read everything about the soft prompt of a run that needs its base."""
    return readout.build_readout(run, cache.base_model(run.spec.base))


@st.cache_resource(
    max_entries=8, show_spinner="Measuring the gap to words…", hash_funcs=cache.BY_ADAPTER
)
def word_gaps(run: Run) -> list[SeedGap]:
    """Measure the gap to words of every seed."""
    return readout.seed_gaps(soft_prompt_readout(run), cache.base_model(run.spec.base))


@st.cache_resource(max_entries=8, show_spinner="Reading every layer…", hash_funcs=cache.BY_ADAPTER)
def layer_gaps(run: Run) -> LayerGaps:
    """Measure the gap to words in every layer, while the base reads test examples."""
    from peftcore.labs.scaling.layer_gap import measure_layer_gaps  # loads torch

    return measure_layer_gaps(run, cache.base_model(run.spec.base))


@st.cache_resource(
    max_entries=8, show_spinner="Reading the soft prompt…", hash_funcs=cache.BY_ADAPTER
)
def prompt_history(run: Run) -> SoftPromptHistory:
    """Read the soft prompt of a run at every kept step."""
    return readout.read_history(run, cache.base_model(run.spec.base))
