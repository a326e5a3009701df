"""Grids of subsets: the same run with other weights of the base trained, each a run of its own.

Runs that ship with the project in `assets/component_runs` are found too; the missing ones are
trained as one sweep, which is watched, stopped and resumed as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore import paths
from peftcore.adapters import component_map
from peftcore.errors import BadInput, unknown_name
from peftcore.runs.ship import ship
from peftcore.runs.store import RunStore
from peftcore.sweeps.grid import RunGrid, Variation, vary
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
    "combinations": "Every combination of some",
}
SHIPPED_KINDS = ("presets", "kinds", "layers")
MOST_COMBINED = 5  # components, whose combinations are 31 runs
ALL_WEIGHTS = "All of it"
SHIPPED_FOLDER = paths.ASSETS / "component_runs"


def subset_spec(
    base: str,
    task: str,
    settings: Mapping[str, Any],
    population: Any = None,
    training: Any = None,
    evaluation: Any = None,
) -> RunSpec:
    """Return the spec of the run that trains these weights."""
    return planning.build_spec(base, task, METHOD, settings, population, training, evaluation)


def vary_settings(base_spec: RunSpec, settings: Mapping[str, Any]) -> RunSpec:
    """Return the spec with these weights trained and everything else as it was."""
    return vary(_without_settings(base_spec), _changes(settings))


def build_subset_grid(
    kind: str, base_spec: RunSpec, store: RunStore, names: Sequence[str] = SHIPPED_PRESETS
) -> RunGrid:
    """Return a grid around a spec of SparseFit.

    names: the configurations of "presets", or the components that "combinations" joins.  Labels of
    "layers": way ("alone" or "without"), stack and layer.
    """
    if kind not in KINDS:
        raise unknown_name("grid", kind, KINDS)
    if base_spec.method != METHOD:
        raise BadInput(
            f"a grid varies what {METHOD} trains; the run was made by {base_spec.method}"
        )
    base_map = component_map.find_map(base_spec.base)
    if kind == "presets":
        variations = _preset_variations(base_map, names)
    elif kind == "kinds":
        components = dict.fromkeys(cell.component for cell in base_map.cells)
        variations = [Variation(each, _changes({"components": (each,)})) for each in components]
    elif kind == "combinations":
        variations = _combination_variations(base_map, names)
    else:
        variations = list(_layer_variations(base_map, base_spec.settings))
    grid = RunGrid.around(_without_settings(base_spec), variations, name=kind)
    return grid.find_runs(store, shipped_store())


def _without_settings(spec: RunSpec) -> RunSpec:
    return spec.model_copy(update={"settings": {}, "start": ""})


def _changes(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"settings.{name}": value for name, value in settings.items()}


def _preset_variations(base_map: ComponentMap, names: Sequence[str]) -> list[Variation]:
    for name in names:
        if name not in base_map.presets:
            raise unknown_name(f"configuration of {base_map.base}", name, base_map.presets)
    return [Variation(name, _changes(base_map.presets[name])) for name in names]


def components_of(base: str) -> list[str]:
    """Return the components of a base, which "combinations" joins."""
    return list(dict.fromkeys(cell.component for cell in component_map.find_map(base).cells))


def _combination_variations(base_map: ComponentMap, names: Sequence[str]) -> list[Variation]:
    """Return every combination of these components, single ones first."""
    known = dict.fromkeys(cell.component for cell in base_map.cells)
    for name in names:
        if name not in known:
            raise unknown_name(f"component of {base_map.base}", name, known)
    wanted = list(dict.fromkeys(names))
    if not 1 <= len(wanted) <= MOST_COMBINED:
        raise BadInput(f"1 to {MOST_COMBINED} components can be combined; got {len(wanted)}")
    return [
        Variation(" + ".join(joined), _changes({"components": joined}))
        for count in range(1, len(wanted) + 1)
        for joined in itertools.combinations(wanted, count)
    ]


def _layer_variations(base_map: ComponentMap, settings: Mapping[str, Any]) -> Iterator[Variation]:
    trained = base_map.trained_cells(settings)
    labels: dict[str, Any] = {"way": "", "stack": "", "layer": -1}
    yield Variation(ALL_WEIGHTS, _changes(base_map.settings_for(trained)), labels)
    for stack, layer in dict.fromkeys((c.stack, c.layer) for c in base_map.cells if c.stack):
        assert stack is not None
        assert layer is not None
        alone = {
            name
            for name in trained
            if (base_map.names[name].stack, base_map.names[name].layer) == (stack, layer)
        }
        for way, cells in (("alone", alone), ("without", trained - alone)):
            if alone and cells and cells != trained:
                yield Variation(
                    f"{stack.capitalize()} layer {layer + 1} {way}",
                    _changes(base_map.settings_for(cells)),
                    {"way": way, "stack": stack, "layer": layer},
                )


@lru_cache(maxsize=1)
def shipped_store() -> RunStore:
    """Return the runs that ship with their answers and scores, and without their adapters."""
    return RunStore(SHIPPED_FOLDER / "none", SHIPPED_FOLDER)


def ship_grid_runs(grid: RunGrid, folder: Path = SHIPPED_FOLDER) -> list[Run]:
    """Copy the finished runs of a grid, without their adapters, to where runs ship."""
    return [ship(run, folder) for _, run in grid.done]


def grid_sweep(grid: RunGrid) -> Sweep | None:
    """Return the sweep that trains the subsets of a grid; None where all of them ship.

    It does not train again what is done.
    """
    from peftcore.sweeps.spec import sweep_of

    left = grid.only(lambda spec: shipped_store().find(spec) is None)
    if not left.cells:
        return None
    return sweep_of(left.specs, f"{KINDS[grid.name]}, {left.specs[0].base}")


def grid_job(grid: RunGrid) -> SweepJob | None:
    """Return the job of a grid, started or not; None where all of its runs ship."""
    from peftcore.sweeps.spec import SweepJob

    sweep = grid_sweep(grid)
    return SweepJob(SweepJob.home() / sweep.id, sweep) if sweep else None


def start_grid_job(job: SweepJob, store: RunStore) -> None:
    """Train what is missing in a process that outlives this one, failed subsets once more."""
    from peftcore.sweeps import execute

    execute.reset_failed_shards(job.request.cells(), store)
    own_job = type(job).create_own(job.request)
    if own_job.status().state == "done":  # runs were deleted since
        own_job.write_status(state="cancelled")
    own_job.launch()
