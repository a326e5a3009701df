"""Sets of runs that answer one question about soft prompts: which they are, and what they came to.

Ablations, prompt lengths, training examples, and transfer between tasks.  A study is a plan made
around one run: everything not under study stays as that run has it.  Runs that exist are found,
the missing ones can be queued; nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparison
from peftcore.errors import BadInput, unknown
from peftcore.runs.spec import RunSpec, Training
from peftcore.training import planning

if TYPE_CHECKING:
    from peftcore.jobs.queue import Queue, QueueJob
    from peftcore.runs.store import Run, RunStore

SCALED, PLAIN = "spt", "prompt_tuning"
LENGTHS = (10, 30, 50, 60)
SHOTS = (12, 24, 48, 96)
VARIANTS: dict[str, dict[str, Any]] = {
    "Scale of each token": {},
    "Prompt fixed, scale trained": {"train": "scale"},
    "One scale for all tokens": {"share": "one"},
    "One scale for each feature": {"share": "feature"},
    "Scale after a layer norm": {"normalised": True},
}
FIXED = "Scale fixed at one"  # prompt tuning


@dataclass(frozen=True)
class Cell:
    """One run of a study: what it is called, its place on an axis, and what decides it.

    `line` groups the cells of a chart; source and target are the tasks of a transfer.
    """

    name: str
    line: str
    place: float
    spec: RunSpec
    source: str = ""
    target: str = ""


@dataclass(frozen=True)
class Study:
    """A question, its cells, and the run of each where there is one."""

    name: str
    cells: tuple[Cell, ...]
    runs: tuple[Run | None, ...]

    @property
    def missing(self) -> list[Cell]:
        """Cells that nobody has started, or whose run failed."""
        pairs = zip(self.cells, self.runs, strict=True)
        return [cell for cell, run in pairs if run is None or run.status().state == "failed"]

    @property
    def unfinished(self) -> list[Run]:
        """Runs that were started and are not done."""
        return [run for run in self.runs if run and run.status().state not in ("done", "failed")]

    def scores(self, metric: str) -> pd.DataFrame:
        """One row per finished cell and seed: cell, line, place, run, seed, and the metric."""
        rows = [
            {"cell": number, "name": cell.name, "line": cell.line, "place": cell.place}
            | {"run": run.id, "seed": seed, "source": cell.source, "target": cell.target}
            | {metric: value}
            for number, (cell, run) in enumerate(zip(self.cells, self.runs, strict=True))
            if run is not None and run.status().state == "done"
            for seed, value in zip(
                run.spec.population.numbers(), run.scores().get(metric, []), strict=False
            )
        ]
        columns = ["cell", "name", "line", "place", "run", "seed", "source", "target", metric]
        return pd.DataFrame(rows, columns=columns)


def around(spec: RunSpec, method: str, **changes: Any) -> RunSpec:
    """The spec with another method or other settings; settings the method lacks are dropped.

    The learning rate stays as it is, so that one thing changes at a time.
    """
    own = METHODS[method].Config.model_fields
    kept = {name: value for name, value in spec.settings.items() if name in own}
    return planning.build_spec(
        spec.base,
        spec.task,
        method,
        kept | changes,
        spec.population,
        spec.training,
        spec.evaluation,
    )


def variants(spec: RunSpec) -> list[Cell]:
    """What is trained, what shares a scale, where the scale stands: one run for each."""
    _scalable(spec)
    free = {name for change in VARIANTS.values() for name in change}
    plain = spec.model_copy(
        update={"settings": {k: v for k, v in spec.settings.items() if k not in free}}
    )
    cells = [Cell(FIXED, FIXED, 0, around(plain, PLAIN))]
    for number, (name, change) in enumerate(VARIANTS.items(), 1):
        cells.append(Cell(name, name, number, around(plain, SCALED, **change)))
    return cells


def lengths(spec: RunSpec, counts: Sequence[int] = LENGTHS) -> list[Cell]:
    """Both methods at several prompt lengths, the run's own among them."""
    _scalable(spec)
    counts = sorted({*counts, spec.settings["length"]})
    return [
        Cell(f"{METHODS[m].title}, {n} tokens", METHODS[m].title, n, around(spec, m, length=n))
        for m in (SCALED, PLAIN)
        for n in counts
    ]


def shots(spec: RunSpec, counts: Sequence[int] = SHOTS) -> list[Cell]:
    """Both methods with more and fewer training examples, as far as the task has them."""
    _scalable(spec)
    there = len(tasks.find(spec.task).load("train"))
    cells = []
    for method in (SCALED, PLAIN):
        for count in sorted({n for n in (*counts, spec.training.shots) if n <= there}):
            course = Training.make(spec.training.model_dump() | {"shots": count})
            varied = around(spec.model_copy(update={"training": course}), method)
            title = METHODS[method].title
            cells.append(Cell(f"{title}, {count} examples", title, count, varied))
    return cells


def transfer(spec: RunSpec, names: Sequence[str], store: RunStore) -> list[Cell]:
    """Every task directly, then every task started from what each of them taught.

    The diagonal starts from the same task: a control for having trained twice as long.  Direct
    cells come first, so that a queue works them off before those that start from them.
    """
    if len(names) < 2:
        raise BadInput("a transfer matrix needs two tasks or more")
    direct = {name: _on_task(spec, name) for name in names}
    known = _known(store)
    cells = [
        Cell(f"{name}, directly", "direct", 0, each, "", name) for name, each in direct.items()
    ]
    for source in names:
        there = known.get(_key(direct[source]))
        start = there.id if there else direct[source].id
        for target in names:
            begun = direct[target].model_copy(update={"start": start})
            cells.append(Cell(f"{source} → {target}", "transfer", 0, begun, source, target))
    return cells


def _on_task(spec: RunSpec, task: str) -> RunSpec:
    return around(spec.model_copy(update={"task": task, "start": ""}), spec.method)


def _scalable(spec: RunSpec) -> None:
    if spec.method not in (SCALED, PLAIN):
        raise BadInput(f"this study varies {SCALED} or {PLAIN}; the run was made by {spec.method}")


STUDIES = ("variants", "lengths", "shots", "transfer")


def study(name: str, spec: RunSpec, store: RunStore, among: Sequence[str] = ()) -> Study:
    """A study around a spec, with the runs there are; `among` are the tasks of a transfer."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    if name == "transfer":
        cells = transfer(spec, among, store)
    else:
        cells = {"variants": variants, "lengths": lengths, "shots": shots}[name](spec)
    known = _known(store)
    return Study(name, tuple(cells), tuple(known.get(_key(cell.spec)) for cell in cells))


def queue_missing(found: Study, queue: Queue) -> list[QueueJob]:
    """A job for every missing cell, in an order in which each finds what it starts from."""
    return [queue.submit(cell.spec) for cell in found.missing]


def plain_partner(run: Run, store: RunStore) -> Run | None:
    """The finished run of prompt tuning that is equal to this run but for the scale."""
    found = _known(store).get(_key(around(run.spec, PLAIN)))
    return found if found and found.status().state == "done" else None


def _known(store: RunStore) -> Mapping[str, Run]:
    """Runs by what decides them; of two that say the same, one that is done."""
    found: dict[str, Run] = {}
    for run in store.all(studies=True):
        key = _key(run.spec)
        if key not in found or found[key].status().state != "done":
            found[key] = run
    return found


def _key(spec: RunSpec) -> str:
    """What decides a result, with the settings that came after a run was made at their defaults."""
    if spec.method not in METHODS:
        return spec.canonical()
    try:
        settings = METHODS[spec.method].Config.make(spec.settings).model_dump(mode="json")
    except BadInput:  # a setting that is gone
        return spec.canonical()
    return spec.model_copy(update={"settings": settings}).canonical()


@dataclass(frozen=True)
class Transfer:
    """One field of the matrix: what starting from the source adds on the target."""

    source: str
    target: str
    direct: float | None  # mean score without the source
    started: float | None  # with it
    gain: comparison.PairedDifference


def gains(found: Study, metric_of: Mapping[str, str]) -> list[Transfer]:
    """The matrix of a transfer study, paired by seed; metric_of: target → metric."""
    score: dict[tuple[str, str], dict[int, float]] = {}
    for cell, run in zip(found.cells, found.runs, strict=True):
        if run is not None and run.status().state == "done":
            values = run.scores().get(metric_of[cell.target], [])
            score[cell.source, cell.target] = dict(
                zip(run.spec.population.numbers(), values, strict=False)
            )
    return [
        _gain(cell, score.get(("", cell.target), {}), score.get((cell.source, cell.target), {}))
        for cell in found.cells
        if cell.source
    ]


def _gain(cell: Cell, direct: Mapping[int, float], started: Mapping[int, float]) -> Transfer:
    before, after = (comparison.interval(scores.values()).mean for scores in (direct, started))
    return Transfer(
        cell.source, cell.target, before, after, comparison.paired_difference(direct, started)
    )


def comparable(runs: Iterable[Run], run: Run) -> list[Run]:
    """Finished runs whose scores may stand beside this one's, itself among them."""
    from peftcore.analysis import comparability

    done = [other for other in runs if other.status().state == "done"]
    groups = comparability.comparable_groups(done)
    return next((group for group in groups if any(r.id == run.id for r in group)), [run])
