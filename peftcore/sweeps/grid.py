"""Runs varied around one: named cells over a base spec, and the run of each where there is one.

An axis is a list of variations, each a name and the fields it changes; a grid has a cell for every
combination of its axes' variations.  Everything that no variation changes stays as the base spec
has it, the learning rate included, so that one thing changes at a time.  Labs name their axes;
nothing is trained here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.training.planning import build_spec

if TYPE_CHECKING:
    from peftcore.jobs.queue import Queue, QueueJob
    from peftcore.runs.store import Run, RunStore

MAX_COMBINATIONS = 100_000  # of all axes together: more are a typing error
PARTS = ("settings", "population", "training", "evaluation")  # of a spec, with fields of their own


@dataclass(frozen=True)
class Variation:
    """One value of an axis.

    changes: "base", "task", "method", "start" or a field of a part, as "training.shots" → value.
    labels: column of the table of scores → what stands there for the cells of this variation.
    """

    name: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)


Axis = Sequence[Variation]


def axis(path: str, values: Iterable[Any], name: str = "", label: str = "") -> list[Variation]:
    """Return a variation of one field for each value.

    name: text with {} for the value.  label: column of the table that holds the value.
    """
    return [
        Variation(name.format(value), {path: value}, {label: value} if label else {})
        for value in values
    ]


def vary(spec: RunSpec, changes: Mapping[str, Any]) -> RunSpec:
    """Return the spec with these fields changed, checked, and with every default written out.

    Settings that another method lacks are dropped.  The learning rate stays unless it is changed;
    None takes the method's own.  A changed start is not looked for: it may be a cell of the grid.
    """
    method = changes.get("method", spec.method)
    known = METHODS[method].Config.model_fields
    values: dict[str, dict[str, Any]] = {
        "settings": {name: value for name, value in spec.settings.items() if name in known},
        **{part: getattr(spec, part).model_dump() for part in PARTS[1:]},
    }
    if "base" in changes:  # another kind of base may have a head, which that one knew nothing of
        del values["training"]["standardise"], values["training"]["pair_head"]
    if "task" in changes:  # whose labels and texts may be others
        for name in ("label_words", "template", "explanations", "pair_head"):
            values["training"].pop(name, None)
    for path, value in changes.items():
        part, _, name = path.partition(".")
        if name:
            values[part][name] = value
    varied = build_spec(
        changes.get("base", spec.base),
        changes.get("task", spec.task),
        method,
        **values,
        start="" if "start" in changes else spec.start,
    )
    return varied.model_copy(update={"start": changes["start"]}) if "start" in changes else varied


@dataclass(frozen=True)
class GridCell:
    """One run of a grid: what it is called, what decides it, and its columns in tables."""

    name: str
    spec: RunSpec
    labels: Mapping[str, Any] = field(default_factory=dict)


def grid_cells(base_spec: RunSpec, axes: Iterable[Axis]) -> Iterator[GridCell]:
    """Yield the cell of every combination, the last axis changing fastest.

    BadInput before the first where there are more combinations than anybody could train.
    """
    axes = [tuple(each) for each in axes]
    if (count := math.prod(map(len, axes))) > MAX_COMBINATIONS:
        sizes = " × ".join(str(len(each)) for each in axes if len(each) > 1)
        raise BadInput(
            f"{sizes} values make {count:,} cells; at most {MAX_COMBINATIONS:,} are made"
        )
    for chosen in itertools.product(*axes):
        changes = {path: value for each in chosen for path, value in each.changes.items()}
        labels = {column: value for each in chosen for column, value in each.labels.items()}
        name = ", ".join(each.name for each in chosen if each.name)
        yield GridCell(name, vary(base_spec, changes), labels)


@dataclass(frozen=True)
class RunGrid:
    """Named cells, and for each the run that was found; None where none was or none looked for."""

    name: str
    cells: tuple[GridCell, ...]
    runs: tuple[Run | None, ...]

    @classmethod
    def around(cls, base_spec: RunSpec, *axes: Axis, name: str = "") -> RunGrid:
        """Return the grid of these axes; BadInput where a combination cannot be trained."""
        cells = tuple(grid_cells(base_spec, axes))
        return cls(name, cells, (None,) * len(cells))

    @property
    def specs(self) -> list[RunSpec]:
        """The specs of the cells."""
        return [cell.spec for cell in self.cells]

    def only(self, wanted: Callable[[RunSpec], bool]) -> RunGrid:
        """Return the grid without the cells whose spec is not wanted."""
        kept = [pair for pair in self.pairs if wanted(pair[0].spec)]
        return replace(self, cells=tuple(c for c, _ in kept), runs=tuple(run for _, run in kept))

    def find_runs(self, *stores: RunStore) -> RunGrid:
        """Return the grid with the run of each cell: a finished one, else of the first store."""
        return replace(self, runs=tuple(find_run(cell.spec, *stores) for cell in self.cells))

    @property
    def pairs(self) -> list[tuple[GridCell, Run | None]]:
        """Each cell with its run."""
        return list(zip(self.cells, self.runs, strict=True))

    @property
    def done(self) -> list[tuple[GridCell, Run]]:
        """Cells with a finished run."""
        return [(cell, run) for cell, run in self.pairs if run and run.status().state == "done"]

    @property
    def missing(self) -> list[GridCell]:
        """Cells without a finished run."""
        return [c for c, run in self.pairs if run is None or run.status().state != "done"]

    @property
    def startable(self) -> list[GridCell]:
        """Cells that nobody has started, or whose run failed."""
        return [c for c, run in self.pairs if run is None or run.status().state == "failed"]

    @property
    def unfinished(self) -> list[Run]:
        """Runs that were started and are neither done nor failed."""
        return [run for run in self.runs if run and run.status().state not in ("done", "failed")]

    def queue(self, queue: Queue) -> list[QueueJob]:
        """Submit a job for every startable cell, in the order of the grid."""
        return [queue.submit(cell.spec) for cell in self.startable]

    def table(self) -> pd.DataFrame:
        """One row per finished cell and seed: name, labels, run, seed, trainable, every metric."""
        rows = [
            {"name": cell.name, **cell.labels}
            | {"run": run.id, "seed": seed, "trainable": run.status().trainable}
            | {name: values[index] for name, values in run.scores().items() if index < len(values)}
            for cell, run in self.done
            for index, seed in enumerate(run.spec.population.seed_numbers())
        ]
        return pd.DataFrame(rows, columns=None if rows else ["name", "run", "seed", "trainable"])

    def scores(self, metric: str) -> pd.DataFrame:
        """The rows of `table` of runs that have this metric; none where no run has it."""
        table = self.table()
        return table if metric in table else table.iloc[:0]


def find_run(spec: RunSpec, *stores: RunStore) -> Run | None:
    """The run of a spec in these stores: one that is done, else that of the first store."""
    runs = [run for store in stores if (run := store.find(spec))]
    return next((run for run in runs if run.status().state == "done"), runs[0] if runs else None)
