"""What the Images page remembers: adapters of its runs, and pictures that were drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.state import cache
from peftcore import paths, tasks
from peftcore.labs.images import results_store, summary
from peftcore.runs.store import Run, RunStore

if TYPE_CHECKING:
    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.labs.images.atom_interventions import AtomEffect
    from peftcore.labs.images.queries import GeneratedImages


IMAGES_PER_PROMPT = 8


@dataclass(frozen=True)
class ImagesSubject:
    """A run, the index of one of its seeds, and the prompt that it draws."""

    run: Run
    seed: int
    prompt: str

    @property
    def world(self) -> str:
        """The kind of images that it draws."""
        return tasks.find_task(self.run.spec.task).image_world


BY_SUBJECT: dict[str | type, Callable[[Any], Any]] = cache.BY_ADAPTER | {
    ImagesSubject: lambda asked: (*cache.adapter_version(asked.run), asked.seed, asked.prompt)
}


@st.cache_resource(max_entries=4, show_spinner=False)
def _image_store(home: str) -> RunStore:
    return results_store.image_store()


def runs_of_task(task: str) -> list[Run]:
    """Finished runs of a task of pictures, those that ship last."""
    all_runs = _image_store(str(paths.workspace_folder())).all()
    return [run for run in all_runs if run.spec.task == task and _is_done(run)]


def atom_runs_by_task() -> dict[str, list[Run]]:
    """Return runs with atoms on this machine by task, leaving out tasks without any."""
    runs_by_task: dict[str, list[Run]] = {task: [] for task in results_store.TASKS}
    for run in _image_store(str(paths.workspace_folder())).all():
        is_atom_run = run.spec.method == "atoms" and run.spec.task in runs_by_task
        if is_atom_run and (run.folder / "adapter.safetensors").is_file() and _is_done(run):
            runs_by_task[run.spec.task].append(run)
    return {task: runs for task, runs in runs_by_task.items() if runs}


def _is_done(run: Run) -> bool:
    return run.status().state == "done"


@st.cache_resource(max_entries=6, show_spinner="Putting the atoms on…", hash_funcs=cache.BY_ADAPTER)
def atom_dictionary(run: Run) -> AtomDictionary:
    """Return the atoms of every seed of a run."""
    from peftcore.labs.images import compute

    return compute.load_dictionary(run, cache.base_model(run.spec.base))


@st.cache_data(max_entries=64, show_spinner="Ranking the atoms…", hash_funcs=BY_SUBJECT)
def ranked_atoms(subject: ImagesSubject, by: str) -> list[int]:
    """Return a seed's atoms, those needed most first."""
    from peftcore.labs.images import compute

    run, order = subject.run, compute.parse_order(by)
    return list(map(int, compute.rank_run_atoms(run, atom_dictionary(run), subject.seed, order)))


@st.cache_data(
    max_entries=128, show_spinner="Drawing with fewer and fewer atoms…", hash_funcs=BY_SUBJECT
)
def images_with_fewer_atoms(subject: ImagesSubject, by: str) -> dict[int, GeneratedImages]:
    """Draw with fewer and fewer atoms, by their number; all are drawn at once."""
    from peftcore.labs.images import atom_interventions, compute, queries

    atoms, order = atom_dictionary(subject.run), ranked_atoms(subject, by)
    counts = compute.kept_counts(atoms.size)
    gains = atom_interventions.gains_keeping_first(order, counts)
    images = queries.generate_at_gains(
        atoms, subject.seed, gains, subject.prompt, IMAGES_PER_PROMPT
    )
    return dict(zip(counts, images, strict=True))


@st.cache_data(max_entries=128, show_spinner="Drawing layer by layer…", hash_funcs=BY_SUBJECT)
def images_by_layer(subject: ImagesSubject) -> dict[str, GeneratedImages]:
    """Draw with each layer's atoms alone, and with all but those."""
    from peftcore.labs.images import queries

    atoms = atom_dictionary(subject.run)
    return queries.generate_by_layer(atoms, subject.seed, subject.prompt, IMAGES_PER_PROMPT, 0)


@st.cache_resource(
    max_entries=64, show_spinner="Leaving out atoms one by one…", hash_funcs=cache.BY_ADAPTER
)
def atom_effects(run: Run, seed: int, most: int) -> list[AtomEffect]:
    """Describe what each of a seed's most important atoms does."""
    from peftcore.labs.images import queries

    return queries.describe_atoms(run, atom_dictionary(run), seed, most)


@st.cache_data(
    max_entries=128,
    show_spinner="Drawing with the atom at several strengths…",
    hash_funcs=BY_SUBJECT,
)
def images_at_strengths(subject: ImagesSubject, atom: int) -> dict[str, GeneratedImages]:
    """Draw with one atom off, as it is, and stronger."""
    from peftcore.labs.images import queries

    return queries.generate_at_strengths(
        atom_dictionary(subject.run), subject.seed, atom, subject.prompt, IMAGES_PER_PROMPT, 0
    )


@st.cache_data(max_entries=128, show_spinner="Drawing with both…", hash_funcs=BY_SUBJECT)
def images_with_both(
    subject: ImagesSubject, other: Run, shares: tuple[float, float]
) -> dict[str, GeneratedImages]:
    """Draw with two runs' atoms at shares, with each alone, and with none."""
    from peftcore.labs.images import queries

    first, second = atom_dictionary(subject.run), atom_dictionary(other)
    return queries.generate_with_joined_atoms(
        (first, second), subject.seed, shares, subject.prompt, IMAGES_PER_PROMPT
    )


def pruning_intervals(run: Run) -> pd.DataFrame:
    """Means and intervals of a run's figure of pruning."""
    figure_name = f"prune-{run.id}"
    return _pruning_intervals(
        figure_name, str(paths.workspace_folder()), results_store.figure_modified(figure_name)
    )


@st.cache_data(max_entries=32, show_spinner=False)
def _pruning_intervals(figure_name: str, home: str, figure_version: float) -> pd.DataFrame:
    return summary.pruning_curve(results_store.load_figure(figure_name) or {})


def metric_rise(run: Run, metric: str, order: str) -> summary.Monotonicity:
    """Measure how steadily a metric rises along an order of a run's atoms."""
    figure_name = f"prune-{run.id}"
    return _metric_rise(
        figure_name,
        str(paths.workspace_folder()),
        results_store.figure_modified(figure_name),
        metric,
        order,
    )


@st.cache_resource(max_entries=128, show_spinner=False)
def _metric_rise(
    figure_name: str, home: str, figure_version: float, metric: str, order: str
) -> summary.Monotonicity:
    return summary.measure_monotonicity(results_store.load_figure(figure_name) or {}, metric, order)
