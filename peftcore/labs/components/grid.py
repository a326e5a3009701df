"""Grids of subsets: the same run with other weights of the base trained, each a run of its own.

A grid is planned around one spec; everything but what is trained stays as that has it, the learning
rate included, so that one thing changes at a time.  Runs that exist are found, those that ship
with the project in `assets/component_runs` too; the missing ones are trained as one sweep, which is
watched, stopped and gone on with as a whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import paths
from peftcore.adapters import component_map
from peftcore.errors import BadInput, unknown_name
from peftcore.runs.store import RunStore
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.adapters.component_map import ComponentMap
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import Run
    from peftcore.sweeps.spec import Sweep, SweepJob

METHOD = "sparsefit"
SHIPPED_PRESETS = (  # of the paper's configurations, those that ship as a grid
    "LayerNorm",
    "LayerNorm + Query",
    "LayerNorm + KQV",
    "LM head + LayerNorm + Query",
    "Feed-forward",
)
KINDS: Mapping[str, str] = {
    "presets": "Configurations of the paper",
    "kinds": "Each component alone",
    "layers": "Layer by layer",
}
ALL_WEIGHTS = "All of it"
SHIPPED_FOLDER = paths.ASSETS / "component_runs"
SHIPPED_FILES = (  # of a run that ships: everything but adapters
    *("spec.json", "status.json", "scores.json", "manifest.json"),
    *("answers.parquet", "history.jsonl", "log.txt"),
)


@dataclass(frozen=True)
class Subset:
    """One subset of a grid; way says how a layer is singled out, and which."""

    name: str
    spec: RunSpec
    way: str = ""
    stack: str = ""
    layer: int = -1


@dataclass(frozen=True)
class SubsetGrid:
    """Subsets, and the run of each where there is one."""

    kind: str
    subsets: tuple[Subset, ...]
    runs: tuple[Run | None, ...]

    @property
    def missing(self) -> list[Subset]:
        """Subsets without a finished run."""
        pairs = zip(self.subsets, self.runs, strict=True)
        return [subset for subset, run in pairs if run is None or run.status().state != "done"]

    @property
    def done(self) -> list[tuple[Subset, Run]]:
        """Subsets with a finished run."""
        pairs = zip(self.subsets, self.runs, strict=True)
        return [(subset, run) for subset, run in pairs if run and run.status().state == "done"]

    def table(self) -> pd.DataFrame:
        """One row per finished subset and seed: its name, place, run, size and every metric."""
        rows = [
            {"name": subset.name, "way": subset.way, "stack": subset.stack, "layer": subset.layer}
            | {"run": run.id, "seed": seed, "trainable": run.status().trainable}
            | {name: values[index] for name, values in run.scores().items() if index < len(values)}
            for subset, run in self.done
            for index, seed in enumerate(run.spec.population.seed_numbers())
        ]
        return pd.DataFrame(rows, columns=None if rows else ["name", "run", "seed", "trainable"])


def subset_spec(
    base: str,
    task: str,
    settings: Mapping[str, Any],
    population: Any = None,
    training: Any = None,
    evaluation: Any = None,
) -> RunSpec:
    """The run that trains these weights."""
    return planning.build_spec(base, task, METHOD, settings, population, training, evaluation)


def build_subset_grid(
    kind: str, base_spec: RunSpec, store: RunStore, names: Sequence[str] = SHIPPED_PRESETS
) -> SubsetGrid:
    """A grid around a spec of SparseFit; `names` are the configurations of "presets"."""
    if kind not in KINDS:
        raise unknown_name("grid", kind, KINDS)
    if base_spec.method != METHOD:
        raise BadInput(
            f"a grid varies what {METHOD} trains; the run was made by {base_spec.method}"
        )
    base_map = component_map.find_map(base_spec.base)
    make_subsets = {"presets": _preset_subsets, "kinds": _kind_subsets, "layers": _layer_subsets}[
        kind
    ]
    subsets = tuple(make_subsets(base_spec, base_map, names))
    return SubsetGrid(kind, subsets, tuple(_find_run(store, subset.spec) for subset in subsets))


def vary_settings(base_spec: RunSpec, settings: Mapping[str, Any]) -> RunSpec:
    """The spec with these weights trained and everything else as it was."""
    return planning.build_spec(
        base_spec.base,
        base_spec.task,
        METHOD,
        settings,
        base_spec.population,
        base_spec.training,
        base_spec.evaluation,
    )


def _preset_subsets(
    base_spec: RunSpec, base_map: ComponentMap, names: Sequence[str]
) -> Iterable[Subset]:
    for name in names:
        if name not in base_map.presets:
            raise unknown_name(f"configuration of {base_spec.base}", name, base_map.presets)
        yield Subset(name, vary_settings(base_spec, base_map.presets[name]))


def _kind_subsets(
    base_spec: RunSpec, base_map: ComponentMap, names: Sequence[str]
) -> Iterable[Subset]:
    kinds = dict.fromkeys(cell.component for cell in base_map.cells)
    for kind in kinds:
        yield Subset(kind, vary_settings(base_spec, {"components": (kind,)}))


def _layer_subsets(
    base_spec: RunSpec, base_map: ComponentMap, names: Sequence[str]
) -> Iterable[Subset]:
    trained_cells = base_map.trained_cells(base_spec.settings)
    yield Subset(ALL_WEIGHTS, vary_settings(base_spec, base_map.settings_for(trained_cells)))
    layers = dict.fromkeys((cell.stack, cell.layer) for cell in base_map.cells if cell.stack)
    for stack, layer in layers:
        layer_cells = {
            cell_name
            for cell_name in trained_cells
            if (base_map.names[cell_name].stack, base_map.names[cell_name].layer) == (stack, layer)
        }
        for way, cells in (("alone", layer_cells), ("without", trained_cells - layer_cells)):
            if layer_cells and cells and cells != trained_cells:
                assert stack is not None
                assert layer is not None
                name = f"{stack.capitalize()} layer {layer + 1} {way}"
                varied = vary_settings(base_spec, base_map.settings_for(cells))
                yield Subset(name, varied, way, stack, layer)


def _find_run(store: RunStore, wanted: RunSpec) -> Run | None:
    """The run of a spec, of this workspace or shipped; of the two one that is done."""
    own_run, shipped_run = store.find(wanted), shipped_store().find(wanted)
    return (
        shipped_run
        if shipped_run and (own_run is None or own_run.status().state != "done")
        else own_run
    )


@lru_cache(maxsize=1)
def shipped_store() -> RunStore:
    """The runs that ship with their answers and scores, and without their adapters."""
    return RunStore(SHIPPED_FOLDER / "none", SHIPPED_FOLDER)


def ship_grid_runs(subset_grid: SubsetGrid, folder: Path = SHIPPED_FOLDER) -> list[Path]:
    """Copy the finished runs of a grid, without their adapters, to where runs ship."""
    folders = []
    for _, run in subset_grid.done:
        target = folder / run.id
        target.mkdir(parents=True, exist_ok=True)
        for name in SHIPPED_FILES:
            if (run.folder / name).is_file() and not run.demo:
                shutil.copyfile(run.folder / name, target / name)
        folders.append(target)
    return folders


def grid_sweep(subset_grid: SubsetGrid) -> Sweep | None:
    """The sweep that trains the subsets of a grid; None where all of them ship.

    What is done already is left alone by whoever carries it out.
    """
    from peftcore.sweeps.spec import Sweep

    specs = [
        subset.spec for subset in subset_grid.subsets if shipped_store().find(subset.spec) is None
    ]
    if not specs:
        return None
    first_spec = specs[0].model_dump(mode="json")
    fields = {
        "title": f"{KINDS[subset_grid.kind]}, {first_spec['base']}",
        "bases": [first_spec["base"]],
        "tasks": [first_spec["task"]],
        "methods": [{"method": METHOD, "settings": spec.settings} for spec in specs],
        "episodes": first_spec["population"],
        "training": first_spec["training"],
        "evaluation": first_spec["evaluation"],
    }
    return Sweep.make(fields)


def grid_job(subset_grid: SubsetGrid) -> SweepJob | None:
    """Where the sweep of a grid is kept, begun or not; None where all of it ships."""
    from peftcore.sweeps.spec import SweepJob

    planned = grid_sweep(subset_grid)
    return SweepJob(SweepJob.home() / planned.id, planned) if planned else None


def start_grid_job(job: SweepJob, store: RunStore) -> None:
    """Train what is missing in a process that outlives this one; subsets that failed once more."""
    from peftcore.sweeps import execute

    execute.reset_failed_shards(job.request.cells(), store)
    own_job = type(job).create_own(job.request)
    if own_job.status().state == "done":  # runs were deleted since
        own_job.write_status(state="cancelled")
    own_job.launch()
