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
def _store(home: str) -> RunStore:
    return results_store.image_store()


def runs(task: str) -> list[Run]:
    """Finished runs of a task of pictures, those that ship last."""
    found = _store(str(paths.workspace_folder())).all()
    return [run for run in found if run.spec.task == task and _done(run)]


def weighed() -> dict[str, list[Run]]:
    """Runs whose atoms are at hand, by task; tasks without any are left out."""
    found: dict[str, list[Run]] = {task: [] for task in results_store.TASKS}
    for run in _store(str(paths.workspace_folder())).all():
        here = run.spec.method == "atoms" and run.spec.task in found
        if here and (run.folder / "adapter.safetensors").is_file() and _done(run):
            found[run.spec.task].append(run)
    return {task: many for task, many in found.items() if many}


def _done(run: Run) -> bool:
    return run.status().state == "done"


def _key(run: Run) -> tuple[str, str, int]:
    file = run.folder / "adapter.safetensors"
    return run.id, str(paths.workspace_folder()), file.stat().st_mtime_ns


def atoms(run: Run) -> AtomDictionary:
    """The atoms of every seed of a run."""
    return _atoms(*_key(run))


@st.cache_resource(max_entries=6, show_spinner="Putting the atoms on…")
def _atoms(run_id: str, home: str, stamp: int) -> AtomDictionary:
    from peftcore.labs.images import compute

    run = results_store.open_image_run(run_id, with_atoms=True)
    return compute.load_dictionary(run, cache.base_model(run.spec.base))


def order(run: Run, seed: int, by: str) -> list[int]:
    """A seed's atoms, those needed most first."""
    return _order(*_key(run), seed, by)


@st.cache_data(max_entries=64, show_spinner="Weighing the atoms…")
def _order(run_id: str, home: str, stamp: int, seed: int, by: str) -> list[int]:
    from peftcore.labs.images import compute

    run = results_store.open_image_run(run_id, with_atoms=True)
    return [
        int(atom) for atom in compute.rank_run_atoms(run, atoms(run), seed, compute.parse_order(by))
    ]


def fewer(run: Run, seed: int, by: str, prompt: str, count: int) -> dict[int, GeneratedImages]:
    """Pictures of a prompt with fewer and fewer atoms, by their number; all are drawn at once."""
    return _fewer(*_key(run), seed, by, prompt, count)


@st.cache_data(max_entries=128, show_spinner="Drawing with fewer and fewer atoms…")
def _fewer(
    run_id: str, home: str, stamp: int, seed: int, by: str, prompt: str, count: int
) -> dict[int, GeneratedImages]:
    from peftcore.labs.images import compute, queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    found = atoms(run)
    counts = compute.kept_counts(found.size)
    drawn = queries.generate_with_fewer_atoms(
        found, order(run, seed, by), seed, counts, prompt, count
    )
    return dict(zip(counts, drawn, strict=True))


def split(run: Run, seed: int, prompt: str, count: int, first: int) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with each layer's atoms alone, and with all but those."""
    return _split(*_key(run), seed, prompt, count, first)


@st.cache_data(max_entries=128, show_spinner="Drawing layer by layer…")
def _split(
    run_id: str, home: str, stamp: int, seed: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    return queries.generate_by_layer(atoms(run), seed, prompt, count, first)


def named(run: Run, seed: int, most: int) -> list[AtomEffect]:
    """What each of a seed's most important atoms does."""
    return _named(*_key(run), seed, most)


@st.cache_resource(max_entries=64, show_spinner="Taking atoms away one by one…")
def _named(run_id: str, home: str, stamp: int, seed: int, most: int) -> list[AtomEffect]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    return queries.describe_atoms(run, atoms(run), seed, most)


def scaled(
    run: Run, seed: int, atom: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with one atom off, as it is, and stronger."""
    return _scaled(*_key(run), seed, atom, prompt, count, first)


@st.cache_data(max_entries=128, show_spinner="Drawing with the atom at several strengths…")
def _scaled(
    run_id: str, home: str, stamp: int, seed: int, atom: int, prompt: str, count: int, first: int
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    run = results_store.open_image_run(run_id, with_atoms=True)
    found = atoms(run)
    return queries.generate_at_strengths(found, seed, atom, prompt, count, first)


def together(
    concept: Run, style: Run, seed: int, shares: tuple[float, float], prompt: str, count: int
) -> dict[str, GeneratedImages]:
    """Pictures of a prompt with two runs' atoms at shares, with each alone, and with none."""
    return _together(*_key(concept), *_key(style), seed, shares, prompt, count)


@st.cache_data(max_entries=128, show_spinner="Drawing with both…")
def _together(
    concept: str,
    home: str,
    stamp: int,
    style: str,
    other_home: str,
    other_stamp: int,
    seed: int,
    shares: tuple[float, float],
    prompt: str,
    count: int,
) -> dict[str, GeneratedImages]:
    from peftcore.labs.images import queries

    first, second = (
        atoms(results_store.open_image_run(name, with_atoms=True)) for name in (concept, style)
    )
    return queries.generate_with_joined_atoms(first, second, seed, shares, prompt, count)


def plain(base: str, prompt: str, count: int) -> GeneratedImages:
    """What the untouched base draws."""
    return _plain(base, prompt, count)


@st.cache_data(max_entries=64, show_spinner="Drawing…")
def _plain(base: str, prompt: str, count: int) -> GeneratedImages:
    from peftcore.labs.images import queries

    return queries.generate_from_base(cache.base_model(base), prompt, count)


def curve(run: Run) -> pd.DataFrame:
    """Means and intervals of a run's figure of pruning."""
    name = f"prune-{run.id}"
    return _curve(name, str(paths.workspace_folder()), results_store.figure_modified(name))


@st.cache_data(max_entries=32, show_spinner=False)
def _curve(name: str, home: str, stamp: float) -> pd.DataFrame:
    return summary.pruning_curve(results_store.load_figure(name) or {})


def rise(run: Run, metric: str, order: str) -> summary.Monotonicity:
    """How steadily a metric rises along an order of a run's atoms."""
    name = f"prune-{run.id}"
    return _rise(
        name, str(paths.workspace_folder()), results_store.figure_modified(name), metric, order
    )


@st.cache_resource(max_entries=128, show_spinner=False)
def _rise(name: str, home: str, stamp: float, metric: str, order: str) -> summary.Monotonicity:
    return summary.measure_monotonicity(results_store.load_figure(name) or {}, metric, order)
