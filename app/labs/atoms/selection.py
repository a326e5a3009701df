"""What the Atoms page is about: a run of atoms, one of its seeds, and what was measured of it.

What lies on disk is read again only when its file has changed; adapters worn are kept in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.compare import selection
from app.state import cache
from app.ui import url_state
from peftcore import paths
from peftcore.labs.atoms import request
from peftcore.labs.atoms.request import AtomSite, AtomsJob, AtomsKind, AtomsRequest
from peftcore.runs.store import Run
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.labs.atoms.interventions import AnswerCodes

METHOD = "atoms"
CHOSEN = "atoms.chosen"  # in the session: run and number of the atom that was clicked


@dataclass(frozen=True)
class Subject:
    """The run that is looked at, and which of its seeds, by place."""

    run: Run
    seed: int

    @property
    def number(self) -> int:
        """The number of the seed."""
        return self.run.spec.population.seed_numbers()[self.seed]

    def ask(self, kind: AtomsKind, *more: str, **fields: Any) -> AtomsRequest:
        """What is asked of this run, and of another beside it."""
        return AtomsRequest.make({"kind": kind, "runs": (self.run.id, *more)} | fields)


def runs() -> list[Run]:
    """Finished runs of atoms; those of which most is known come first."""
    found = [
        run
        for run in selection.finished_runs()
        if run.spec.method == METHOD and (run.folder / "adapter.safetensors").is_file()
    ]
    known = Counter(
        part.run for study in AtomsJob.list_all() for part in study.request.adapter_refs()
    )
    return sorted(found, key=lambda run: -known[run.id])


def name(run: Run) -> str:
    """How a run is called in a list."""
    spec, held = run.spec, run.spec.settings
    threshold = f"threshold {held.get('threshold', 0):g}"
    parts = [selection.task_title(spec.task), spec.base, f"{held.get('atoms')} atoms a matrix"]
    return " · ".join([*parts, threshold, run.id])


def pick(found: Sequence[Run]) -> Subject:
    """A choice of run and seed, kept in the address."""
    known = {run.id: run for run in found}

    def words(run: str) -> str:
        return name(known[run])

    change = url_state.sync_with_url(
        "Run",
        "atoms.run",
        list(known),
        name="run",
        format_option=words,
        missing=url_state.why_run_missing(
            "finished runs of sparse atoms have coefficients to look at"
        ),
    )
    left, right = st.columns([5, 1])
    with left:
        chosen = st.selectbox(
            "Run", list(known), format_func=words, key="atoms.run", on_change=change
        )
    run = known[chosen]
    numbers = run.spec.population.seed_numbers()
    with right:
        seed = st.selectbox(
            "Seed",
            range(len(numbers)),
            format_func=lambda place: str(numbers[place]),
            key=f"atoms.seed.{run.id}",
            help="Atoms of different seeds have nothing in common, so each seed has its own map.",
        )
    return Subject(run, seed)


def entries(study: AtomsJob, what: str) -> list[dict[str, Any]]:
    """The entries of one sort, read again only when the file has grown."""
    path = study.folder / "values.jsonl"
    return _entries(str(path), what, atomic_files.modified_ns(path))


@st.cache_data(max_entries=24, show_spinner=False)
def _entries(path: str, what: str, stamp: int) -> list[dict[str, Any]]:
    from pathlib import Path

    return [
        entry for entry in atomic_files.read_json_lines(Path(path)) if entry.get("what") == what
    ]


def at_end(study: AtomsJob) -> list[dict[str, Any]]:
    """What was read of every seed of the finished run."""
    return [entry for entry in entries(study, "codes") if entry["step"] is None]


def sites(study: AtomsJob) -> list[AtomSite]:
    """The matrices that have atoms."""
    return [request.parse_site(key) for key in study.sites]


def chosen(subject: Subject) -> int:
    """The number of the atom that was clicked last; if none was, the seed's most important one."""
    where, number = st.session_state.get(CHOSEN, ("", 0))
    return int(number) if where == subject.run.id else _foremost(subject)


def _foremost(subject: Subject) -> int:
    """The most important atom as far as that was measured, else the first."""
    study = AtomsJob.find(subject.ask("map"))
    for entry in at_end(study) if study else []:
        if entry["seed"] == subject.number:
            return int(request.entry_importance(entry).argmax())
    return 0


def choose(subject: Subject, number: int) -> None:
    """Remember an atom."""
    st.session_state[CHOSEN] = (subject.run.id, number)


def _stamp(run: Run) -> int:
    return atomic_files.modified_ns(run.folder / "adapter.safetensors")


def dictionary(run: Run) -> AtomDictionary:
    """The atoms of a run on its base, kept in memory."""
    return _dictionary(run.id, str(paths.workspace_folder()), _stamp(run))


@st.cache_resource(max_entries=4, show_spinner="Putting the atoms on…")
def _dictionary(run_id: str, home: str, stamp: int) -> AtomDictionary:
    from peftcore.labs.atoms import interventions

    run = cache.run_store().open(run_id)
    return interventions.load_atoms(run, cache.base_model(run.spec.base))


def reading(subject: Subject, text: str) -> AnswerCodes:
    """Coefficients over a text and the answer to it."""
    return _reading(
        subject.run.id, subject.seed, text, str(paths.workspace_folder()), _stamp(subject.run)
    )


@st.cache_data(max_entries=64, show_spinner="Reading…", show_time=True)
def _reading(run_id: str, seed: int, text: str, home: str, stamp: int) -> AnswerCodes:
    from peftcore.labs.atoms import interventions

    run = cache.run_store().open(run_id)
    return interventions.codes_of_answer(run, dictionary(run), seed, text)


def with_gain(subject: Subject, atom: int, gain: float, text: str) -> list[str]:
    """Answers to a text with all atoms, with one at another gain, and with none."""
    run = subject.run
    return _with_gain(
        run.id, subject.seed, atom, gain, text, str(paths.workspace_folder()), _stamp(run)
    )


@st.cache_data(max_entries=256, show_spinner="Answering…", show_time=True)
def _with_gain(
    run_id: str, seed: int, atom: int, gain: float, text: str, home: str, stamp: int
) -> list[str]:
    from peftcore.labs.atoms import interventions

    run = cache.run_store().open(run_id)
    return interventions.answers_with_gains(run, dictionary(run), seed, {atom: gain}, text)


def together(
    first: Subject, second: Subject, shares: tuple[float, float], text: str
) -> dict[str, str]:
    """Answers to a text with the atoms of two runs at these shares, with each alone and none."""
    names = (f"{first.run.id}/{first.seed}", f"{second.run.id}/{second.seed}")
    stamps = (_stamp(first.run), _stamp(second.run))
    return _together(names, shares, text, str(paths.workspace_folder()), stamps)


@st.cache_data(max_entries=128, show_spinner="Answering…", show_time=True)
def _together(
    names: tuple[str, str],
    shares: tuple[float, float],
    text: str,
    home: str,
    stamps: tuple[int, int],
) -> dict[str, str]:
    from peftcore.labs.atoms import interventions

    held = [dictionary(cache.run_store().open(name.partition("/")[0])) for name in names]
    return interventions.answers_with_joined_atoms(names, text, shares, held)
