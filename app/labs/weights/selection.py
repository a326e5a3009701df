"""What the Weights page looks at: a run, another whose directions are compared, one site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.labs.weights import cache
from app.state import run_catalog
from app.ui import frame, subject
from app.ui.run_styles import styles_by_run, titles_by_run
from app.ui.subject import Choice
from peftcore.adapters.base import METHODS
from peftcore.labs.weights.request import WeightsRequest
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LAB = "weights"
OWN_SEEDS = "seeds"  # instead of another run


@dataclass(frozen=True)
class WeightsSubject:
    """The run that is looked at."""

    run: Run

    @property
    def name(self) -> str:
        """What the run is called on charts."""
        return styles_by_run([self.run])[self.run.id].name

    def request(self, other: Run | None = None) -> WeightsRequest:
        """Return what is measured of the run, or of it and another."""
        runs = [self.run.id, *([other.id] if other else [])]
        return WeightsRequest.make({"runs": runs})


def candidate_runs() -> list[Run]:
    """Return finished runs with an adapter; those of which most is known come first."""
    measured = cache.measured_runs()
    runs = [
        run
        for run in run_catalog.runs_with_adapter()
        if run.spec.method in METHODS and METHODS[run.spec.method].trains()
    ]
    return sorted(runs, key=lambda run: (run.id not in measured, run.spec.method != "lora"))


def pick_subject(bar: DeltaGenerator, runs: Sequence[Run]) -> WeightsSubject:
    """Offer the runs."""
    needed = "finished runs whose adapter is stored have changed something"
    return WeightsSubject(frame.pick_run(LAB, bar, runs, titles_by_run(runs), needed))


def pick_other(place: DeltaGenerator, chosen: WeightsSubject, runs: Sequence[Run]) -> Run | None:
    """Offer runs of the same base and method beside the run's own seeds."""
    spec = chosen.run.spec
    others = {
        run.id: run
        for run in runs
        if run.id != chosen.run.id and (run.spec.base, run.spec.method) == (spec.base, spec.method)
    }
    titles = titles_by_run([chosen.run, *others.values()])
    choice = Choice(
        LAB,
        "with",
        "Compare with",
        [OWN_SEEDS, *others],
        option_text=lambda name: "Its own seeds" if name == OWN_SEEDS else titles[name],
        missing=lambda name: f"{name} shares no directions with this run's base and method.",
    )
    with place:
        return others.get(choice.as_list())


def chosen_site(sites: pd.DataFrame, largest: str) -> str:
    """Return the site that was clicked, by component and path, else the one given."""
    known = set(sites["component"] + ":" + sites["path"])
    asked = st.query_params.get("site", "")
    site = asked if asked in known else largest
    subject.show("site", site)
    return site


def choose_site(site: str) -> None:
    """Remember a site, in the address."""
    st.query_params["site"] = site
