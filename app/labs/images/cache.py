"""What the Images page remembers: adapters of its runs, and pictures that were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.state import cache
from peftcore import paths
from peftcore.labs.images import results_store, summary

if TYPE_CHECKING:
    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.labs.images.atom_interventions import AtomEffect
    from peftcore.labs.images.queries import GeneratedImages
    from peftcore.runs.store import Run, RunStore


@st.cache_resource(max_entries=4, show_spinner=False)
def _image_store(home: str) -> RunStore:
    return results_store.image_store()


def runs_of_task(task: str) -> list[Run]:
    """Finished runs of a task of pictures, those that ship last."""
    all_runs = _image_store(str(paths.workspace_folder())).all()
    return [run for run in all_runs if run.spec.task == task and _is_done(run)]


def atom_runs_by_task() -> dict[str, list[Run]]:
    """Runs whose atoms are at hand, by task; tasks without any are left out."""
    runs_by_task: dict[str, list[Run]] = {task: [] for task in results_store.TASKS}
    for run in _image_store(str(paths.workspace_folder())).all():
        is_atom_run = run.spec.method == "atoms" and run.spec.task in runs_by_task
        if is_atom_run and (run.folder / "adapter.safetensors").is_file() and _is_done(run):
            runs_by_task[run.spec.task].append(run)
    return {task: runs for task, runs in runs_by_task.items() if runs}


def _is_done(run: Run) -> bool:
    return run.status().state == "done"


def _cache_key(run: Run) -> tuple[str, str, int]:
    file = run.folder / "adapter.safetensors"
    return run.id, str(paths.workspace_folder()), file.stat().st_mtime_ns


def atom_dictionary(run: Run) -> AtomDictionary:
    """The atoms of every seed of a run."""
    return _atom_dictionary(*_cache_key(run))


@st.cache_resource(max_entries=6, show_spinner="Putting the atoms on…")
def _atom_dictionary(run_id: str, home: str, adapter_version: int) -> AtomDictionary:
    from peftcore.labs.images import compute

    run = results_store.open_image_run(run_id, with_atoms=True)
    return compute.load_dictionary(run, cache.base_model(run.spec.base))


def ranked_atoms(run: Run, seed: int, by: str) -> list[int]:
    """A seed's atoms, those needed most first."""
    return _ranked_atoms(*_cache_key(run), seed, by)


@st.cache_data(max_entries=64, show_spinner="Weighing the atoms…")
def _ranked_atoms(run_id: str, home: str, adapter_version: int, seed: int, by: str) -> list[int]:
    from peftcore.labs.images import compute

    run = results_store.open_image_run(run_id, with_atoms=True)
    return [
        int(atom)
        for atom in compute.rank_run_atoms(run, atom_dictionary(run), seed, compute.parse_order(by))
    ]


def images_with_fewer_atoms(
    run: Run, seed: int, by: str, prompt: str, count: int
) -> dict[int, GeneratedImages]:
    """Pictures of a prompt with fewer and fewer atoms, by their number; all are drawn at once."""
    return _images_with_fewer_atoms(*_cache_key(run), seed, by, prompt, count)


@st.cache_data(max_entries=128, show_spinner="Drawing with fewer and fewer atoms…")
def _images_with_fewer_atoms(
    run_id: str, home: str, adapter_version: int, seed: int, by: str, prompt: str, count: int
) -> dict[int, GeneratedImages]:
    from peftcore.labs.images import atom_interventions, compute, queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    dictionary = atom_dictionary(run)
    counts = compute.kept_counts(dictionary.size)
    gains = atom_interventions.gains_keeping_first(ranked_atoms(run, seed, by), counts)
    images = queries.generate_at_gains(dictionary, seed, gains, prompt, count)
    return dict(zip(counts, images, strict=True))


def images_by_layer(
    run: Run, seed: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with each layer's atoms alone, and with all but those."""
    return _images_by_layer(*_cache_key(run), seed, prompt, count, first)


@st.cache_data(max_entries=128, show_spinner="Drawing layer by layer…")
def _images_by_layer(
    run_id: str, home: str, adapter_version: int, seed: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    return queries.generate_by_layer(atom_dictionary(run), seed, prompt, count, first)


def atom_effects(run: Run, seed: int, most: int) -> list[AtomEffect]:
    """What each of a seed's most important atoms does."""
    return _atom_effects(*_cache_key(run), seed, most)


@st.cache_resource(max_entries=64, show_spinner="Taking atoms away one by one…")
def _atom_effects(
    run_id: str, home: str, adapter_version: int, seed: int, most: int
) -> list[AtomEffect]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    return queries.describe_atoms(run, atom_dictionary(run), seed, most)


def images_at_strengths(
    run: Run, seed: int, atom: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with one atom off, as it is, and stronger."""
    return _images_at_strengths(*_cache_key(run), seed, atom, prompt, count, first)


@st.cache_data(max_entries=128, show_spinner="Drawing with the atom at several strengths…")
def _images_at_strengths(
    run_id: str,
    home: str,
    adapter_version: int,
    seed: int,
    atom: int,
    prompt: str,
    count: int,
    first: int,
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    dictionary = atom_dictionary(run)
    return queries.generate_at_strengths(dictionary, seed, atom, prompt, count, first)


def images_with_both(
    concept: Run, style: Run, seed: int, shares: tuple[float, float], prompt: str, count: int
) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with two runs' atoms at shares, with each alone, and with none."""
    return _images_with_both(*_cache_key(concept), *_cache_key(style), seed, shares, prompt, count)


@st.cache_data(max_entries=128, show_spinner="Drawing with both…")
def _images_with_both(
    concept: str,
    home: str,
    adapter_version: int,
    style: str,
    other_home: str,
    other_adapter_version: int,
    seed: int,
    shares: tuple[float, float],
    prompt: str,
    count: int,
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    first, second = (
        atom_dictionary(results_store.open_image_run(name, with_atoms=True))
        for name in (concept, style)
    )
    return queries.generate_with_joined_atoms((first, second), seed, shares, prompt, count)


def images_of_base(base: str, prompt: str, count: int) -> GeneratedImages:
    """What the untouched base draws."""
    return _images_of_base(base, prompt, count)


@st.cache_data(max_entries=64, show_spinner="Drawing…")
def _images_of_base(base: str, prompt: str, count: int) -> GeneratedImages:
    from peftcore.labs.images import queries

    return queries.generate_from_base(cache.base_model(base), prompt, count)


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
    """How steadily a metric rises along an order of a run's atoms."""
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
