"""What the Atoms page is about: a run of atoms, one of its seeds, and what was measured of it.

What lies on disk is read again only when its file has changed; adapted models are kept in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.state import cache, run_catalog
from app.ui import frame
from app.ui.run_styles import shorten_names
from peftcore.errors import BadInput
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomSite, AtomsJob, AtomsKind, AtomsRequest
from peftcore.labs.common import cost
from peftcore.runs.store import Run
from peftcore.system import atomic_files, safetensors_files

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.labs.atoms.interventions import AnswerCodes

LAB = METHOD = "atoms"
CHOSEN_KEY = "atoms.chosen"  # in the session: run and number of the atom that was clicked


@dataclass(frozen=True)
class AtomsSubject:
    """The run that is looked at, and which of its seeds, by place."""

    run: Run
    seed: int

    @property
    def seed_number(self) -> int:
        """The number of the seed."""
        return self.run.spec.population.seed_numbers()[self.seed]

    def job_request(self, kind: AtomsKind, *more: str, **fields: Any) -> AtomsRequest:
        """Return the request for a measurement of this run, and of another if named."""
        return AtomsRequest.make({"kind": kind, "runs": (self.run.id, *more)} | fields)

    @property
    def atoms(self) -> int:
        """How many atoms a seed has, by the shapes (s, v, m, o) in its file; 0 if that is bad."""
        try:
            header = safetensors_files.read_header(self.run.folder / "adapter.safetensors")
        except BadInput:  # whoever reads the adapter says what is wrong with it
            return 0
        shapes = header.shapes.items()
        return sum(shape[-2] for name, shape in shapes if name.startswith("atoms:"))

    def pruning_seconds(self, job_request: AtomsRequest) -> float | None:
        """Return about how long pruning takes; None where it is not known."""
        spec = self.run.spec
        if not self.atoms:
            return None
        rows = job_request.count_rows(self.atoms, spec.population.seeds, spec.training.dev)
        return cost.measurement_seconds(self.run, rows)


BY_SUBJECT: dict[str | type, Callable[[Any], Any]] = {
    AtomsSubject: lambda subject: (*cache.adapter_version(subject.run), subject.seed)
}


def candidate_runs() -> list[Run]:
    """Finished runs of atoms; those of which most is known come first."""
    runs = [run for run in run_catalog.runs_with_adapter() if run.spec.method == METHOD]
    measured_counts = Counter(
        part.run for job in AtomsJob.list_all() for part in job.request.adapter_refs()
    )
    return sorted(runs, key=lambda run: -measured_counts[run.id])


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by id."""
    return shorten_names({run.id: _name_parts(run) for run in runs})


def _name_parts(run: Run) -> list[str]:
    """Return numbers of atoms, task and base of a run."""
    settings, task = run.spec.settings, run_catalog.task_title(run.spec.task)
    atoms, threshold = settings.get("atoms"), settings.get("threshold", 0)
    return [f"{atoms} atoms a matrix", f"threshold {threshold:g}", task, run.spec.base]


def pick_subject(bar: DeltaGenerator, runs: Sequence[Run]) -> AtomsSubject:
    """Offer runs and their seeds.

    Atoms of different seeds have nothing in common, so each seed has its own map.
    """
    needed = "finished runs of sparse atoms have coefficients to look at"
    run = frame.pick_run(LAB, bar, runs, run_labels(runs), needed)
    with bar:
        seed = frame.pick_seed(LAB, [str(number) for number in run.spec.population.seed_numbers()])
    return AtomsSubject(run, seed)


def job_entries(job: AtomsJob, entry_type: str) -> list[dict[str, Any]]:
    """The entries of one sort, read again only when the file has grown."""
    values_file = job.folder / "values.jsonl"
    return _job_entries(str(values_file), entry_type, atomic_files.modified_ns(values_file))


@st.cache_data(max_entries=24, show_spinner=False)
def _job_entries(path: str, entry_type: str, modified: int) -> list[dict[str, Any]]:
    """Read the entries of one sort from a job's file."""
    from pathlib import Path

    return [
        entry
        for entry in atomic_files.read_json_lines(Path(path))
        if entry.get("what") == entry_type
    ]


def final_entries(job: AtomsJob) -> list[dict[str, Any]]:
    """Return the entries of every seed of the finished run."""
    return [entry for entry in job_entries(job, "codes") if entry["step"] is None]


def atom_sites(job: AtomsJob) -> list[AtomSite]:
    """The matrices that have atoms."""
    return [request.parse_site(key) for key in job.sites]


def chosen_atom(subject: AtomsSubject) -> int:
    """The number of the atom that was clicked last; if none was, the seed's most important one."""
    asked = st.query_params.get("atom", "")
    if asked.isdecimal() and int(asked) < max(subject.atoms, 1):
        return int(asked)
    run_id, number = st.session_state.get(CHOSEN_KEY, ("", 0))
    return int(number) if run_id == subject.run.id else _most_important_atom(subject)


def _most_important_atom(subject: AtomsSubject) -> int:
    """The most important atom as far as that was measured, else the first."""
    job = AtomsJob.find(subject.job_request("map"))
    for entry in final_entries(job) if job else []:
        if entry["seed"] == subject.seed_number:
            return int(request.entry_importance(entry).argmax())
    return 0


def choose_atom(subject: AtomsSubject, number: int) -> None:
    """Remember an atom, in the address too."""
    st.session_state[CHOSEN_KEY] = (subject.run.id, number)
    st.query_params["atom"] = str(number)


@st.cache_resource(max_entries=4, show_spinner="Putting the atoms on…", hash_funcs=cache.BY_ADAPTER)
def atom_dictionary(run: Run) -> AtomDictionary:
    """Return the atoms of a run on its base."""
    from peftcore.labs.atoms import interventions

    return interventions.load_atoms(run, cache.base_model(run.spec.base))


@st.cache_data(max_entries=64, show_spinner="Reading…", show_time=True, hash_funcs=BY_SUBJECT)
def text_coefficients(subject: AtomsSubject, text: str) -> AnswerCodes:
    """Return the coefficients over a text and the answer to it."""
    from peftcore.labs.atoms import interventions

    run = subject.run
    return interventions.codes_of_answer(run, atom_dictionary(run), subject.seed, text)


@st.cache_data(max_entries=256, show_spinner="Answering…", show_time=True, hash_funcs=BY_SUBJECT)
def answers_with_gain(subject: AtomsSubject, atom: int, gain: float, text: str) -> list[str]:
    """Answer a text with all atoms, with one at another gain, and with none."""
    from peftcore.labs.atoms import interventions

    run = subject.run
    atoms = atom_dictionary(run)
    return interventions.answers_with_gains(run, atoms, subject.seed, {atom: gain}, text)


@st.cache_data(max_entries=128, show_spinner="Answering…", show_time=True, hash_funcs=BY_SUBJECT)
def combined_answers(
    first: AtomsSubject, second: AtomsSubject, shares: tuple[float, float], text: str
) -> dict[str, str]:
    """Answer a text with the atoms of two runs at these shares, with each alone and none."""
    from peftcore.labs.atoms import interventions

    names = (f"{first.run.id}/{first.seed}", f"{second.run.id}/{second.seed}")
    dictionaries = [atom_dictionary(first.run), atom_dictionary(second.run)]
    return interventions.answers_with_joined_atoms(names, text, shares, dictionaries)
