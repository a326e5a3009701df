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
from peftcore.errors import BadInput, unknown
from peftcore.runs.store import RunStore
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.adapters.component_map import ComponentMap
    from peftcore.runs.spec import RunSpec
    from peftcore.runs.store import Run
    from peftcore.sweeps.spec import Sweep, SweepJob

METHOD = "sparsefit"
FEW = (  # of the paper's configurations, those that ship as a grid
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
WHOLE = "All of it"
SHIPPED = paths.ASSETS / "component_runs"
KEPT = (  # of a run that ships: everything but adapters
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
class Grid:
    """Subsets, and the run of each where there is one."""

    kind: str
    subsets: tuple[Subset, ...]
    runs: tuple[Run | None, ...]

    @property
    def missing(self) -> list[Subset]:
        """Subsets without a finished run."""
        both = zip(self.subsets, self.runs, strict=True)
        return [one for one, run in both if run is None or run.status().state != "done"]

    @property
    def done(self) -> list[tuple[Subset, Run]]:
        """Subsets with a finished run."""
        both = zip(self.subsets, self.runs, strict=True)
        return [(one, run) for one, run in both if run and run.status().state == "done"]

    def table(self) -> pd.DataFrame:
        """One row per finished subset and seed: its name, place, run, size and every metric."""
        rows = [
            {"name": one.name, "way": one.way, "stack": one.stack, "layer": one.layer}
            | {"run": run.id, "seed": seed, "trainable": run.status().trainable}
            | {name: values[nth] for name, values in run.scores().items() if nth < len(values)}
            for one, run in self.done
            for nth, seed in enumerate(run.spec.population.numbers())
        ]
        return pd.DataFrame(rows, columns=None if rows else ["name", "run", "seed", "trainable"])


def spec(
    base: str,
    task: str,
    settings: Mapping[str, Any],
    population: Any = None,
    training: Any = None,
    evaluation: Any = None,
) -> RunSpec:
    """The run that trains these weights."""
    return planning.build_spec(base, task, METHOD, settings, population, training, evaluation)


def grid(kind: str, around: RunSpec, store: RunStore, names: Sequence[str] = FEW) -> Grid:
    """A grid around a spec of SparseFit; `names` are the configurations of "presets"."""
    if kind not in KINDS:
        raise unknown("grid", kind, KINDS)
    if around.method != METHOD:
        raise BadInput(f"a grid varies what {METHOD} trains; the run was made by {around.method}")
    found = component_map.find_map(around.base)
    made = {"presets": _presets, "kinds": _kinds, "layers": _layers}[kind]
    subsets = tuple(made(around, found, names))
    return Grid(kind, subsets, tuple(_find(store, one.spec) for one in subsets))


def with_settings(around: RunSpec, settings: Mapping[str, Any]) -> RunSpec:
    """The spec with these weights trained and everything else as it was."""
    return planning.build_spec(
        around.base,
        around.task,
        METHOD,
        settings,
        around.population,
        around.training,
        around.evaluation,
    )


def _presets(around: RunSpec, found: ComponentMap, names: Sequence[str]) -> Iterable[Subset]:
    for name in names:
        if name not in found.presets:
            raise unknown(f"configuration of {around.base}", name, found.presets)
        yield Subset(name, with_settings(around, found.presets[name]))


def _kinds(around: RunSpec, found: ComponentMap, names: Sequence[str]) -> Iterable[Subset]:
    kinds = dict.fromkeys(cell.component for cell in found.cells)
    for kind in kinds:
        yield Subset(kind, with_settings(around, {"components": (kind,)}))


def _layers(around: RunSpec, found: ComponentMap, names: Sequence[str]) -> Iterable[Subset]:
    whole = found.trained_cells(around.settings)
    yield Subset(WHOLE, with_settings(around, found.settings_for(whole)))
    places_of = dict.fromkeys((cell.stack, cell.layer) for cell in found.cells if cell.stack)
    for stack, layer in places_of:
        here = {n for n in whole if (found.names[n].stack, found.names[n].layer) == (stack, layer)}
        for way, cells in (("alone", here), ("without", whole - here)):
            if here and cells and cells != whole:
                assert stack is not None
                assert layer is not None
                name = f"{stack.capitalize()} layer {layer + 1} {way}"
                made = with_settings(around, found.settings_for(cells))
                yield Subset(name, made, way, stack, layer)


def _find(store: RunStore, wanted: RunSpec) -> Run | None:
    """The run of a spec, of this workspace or shipped; of the two one that is done."""
    own, ours = store.find(wanted), shelf().find(wanted)
    return ours if ours and (own is None or own.status().state != "done") else own


@lru_cache(maxsize=1)
def shelf() -> RunStore:
    """The runs that ship with their answers and scores, and without their adapters."""
    return RunStore(SHIPPED / "none", SHIPPED)


def ship(found: Grid, folder: Path = SHIPPED) -> list[Path]:
    """Copy the finished runs of a grid, without their adapters, to where runs ship."""
    made = []
    for _, run in found.done:
        to = folder / run.id
        to.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            if (run.folder / name).is_file() and not run.demo:
                shutil.copyfile(run.folder / name, to / name)
        made.append(to)
    return made


def sweep(found: Grid) -> Sweep | None:
    """The sweep that trains the subsets of a grid; None where all of them ship.

    What is done already is left alone by whoever carries it out.
    """
    from peftcore.sweeps.spec import Sweep

    own = [one.spec for one in found.subsets if shelf().find(one.spec) is None]
    if not own:
        return None
    around = own[0].model_dump(mode="json")
    whole = {
        "title": f"{KINDS[found.kind]}, {around['base']}",
        "bases": [around["base"]],
        "tasks": [around["task"]],
        "methods": [{"method": METHOD, "settings": each.settings} for each in own],
        "episodes": around["population"],
        "training": around["training"],
        "evaluation": around["evaluation"],
    }
    return Sweep.make(whole)


def work(found: Grid) -> SweepJob | None:
    """Where the sweep of a grid is kept, begun or not; None where all of it ships."""
    from peftcore.sweeps.spec import SweepJob

    asked = sweep(found)
    return SweepJob(SweepJob.home() / asked.id, asked) if asked else None


def start(made: SweepJob, store: RunStore) -> None:
    """Train what is missing in a process that outlives this one; subsets that failed once more."""
    from peftcore.sweeps import execute

    execute.reset_failed_shards(made.request.cells(), store)
    own = type(made).create_own(made.request)
    if own.status().state == "done":  # runs were deleted since
        own.write_status(state="stopped")
    own.launch()
