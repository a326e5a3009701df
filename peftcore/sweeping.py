"""Sweeps: every method on every task and base with every setting, from one file, in any order.

A file names bases, tasks, methods with their settings, and episodes; each combination is a cell,
and a cell is a run like any other.  Cells are done in parts of `chunk` seeds, which engines spread
over processes or machines.  Parts are runs too: a sweep goes on where it was stopped, and nothing
equal is done twice.  Needs no torch until something is joined.

    bases: [tiny-t5]
    tasks: [miniworld_nli]
    methods:
      - prefix_tuning
      - {method: lora, settings: {rank: [4, 8]}, training: {learning_rate: [0.002, 0.005]}}
    episodes: {seeds: 60}
    chunk: 12
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from peftcore import chunks, measurements
from peftcore.engines import ENDED, Engine, Outcome, Work
from peftcore.errors import BadInput
from peftcore.measurements import Measurement
from peftcore.methods.base import METHODS
from peftcore.planning import Estimate, plan
from peftcore.runs import Run, RunStore
from peftcore.settings import Settings
from peftcore.spec import Evaluation, Population, RunSpec, Training

SHIPPED = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("manifest.json", "log.txt"),
)
LARGEST = 5000  # cells of one sweep: more are a slip of the pen


class Entry(Settings):
    """One method of a sweep; what it says of training goes before what the sweep says."""

    method: str = Field(description="Method")
    settings: dict[str, Any] = Field(default_factory=dict, description="The method's settings")
    training: dict[str, Any] = Field(default_factory=dict, description="Its own training")
    vertices: int | None = Field(None, ge=1, le=12, description="Corners of its simplex")


class Where(Settings):
    """Who does the work; it decides no result."""

    engine: Literal["local", "ray"] = Field("local", description="Processes here, or a Ray cluster")
    address: str = Field("", description="Address of the Ray cluster; empty starts one here")
    processes: int | None = Field(
        None, ge=1, le=1024, description="Processes at once; empty: one per core, or one per GPU"
    )


class Sweep(measurements.Ask):
    """Everything that decides a sweep, as its file says it."""

    runs: tuple[str, ...] = Field((), description="Unused: a sweep measures what it trains")
    title: str = Field("", description="What it is called")
    bases: tuple[str, ...] = Field(min_length=1, description="Base models")
    tasks: tuple[str, ...] = Field(min_length=1, description="Tasks")
    methods: tuple[Entry, ...] = Field(min_length=1, description="Methods, with settings")
    episodes: dict[str, Any] = Field(
        default_factory=dict, description="seeds, first_seed, vertices, draw: as a run has them"
    )
    training: dict[str, Any] = Field(default_factory=dict, description="Training of every cell")
    evaluation: dict[str, Any] = Field(default_factory=dict, description="Scoring of every cell")
    chunk: int | None = Field(None, ge=1, le=64, description="Seeds in a part; empty: all of them")
    where: Where = Where()

    @field_validator("methods", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A method alone may stand as its name."""
        if isinstance(value, (list, tuple)):
            return [{"method": each} if isinstance(each, str) else each for each in value]
        return value

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; who does the work does not count."""
        return super(Sweep, self.model_copy(update={"where": Where()})).id

    def kin(self) -> dict[str, str]:
        """What tells sweeps from other asks."""
        return {"sort": "sweep"}

    def words(self) -> list[str]:
        """The arguments of the command that does it."""
        return ["sweep", str(SweepWork.home() / self.id / "ask.json")]

    def specs(self) -> list[RunSpec]:
        """One run for each combination, equal ones once; BadInput names what cannot be."""
        found: dict[str, RunSpec] = {}
        for base, task, entry in itertools.product(self.bases, self.tasks, self.methods):
            for spec in self._of(base, task, entry):
                found.setdefault(spec.id, spec)
                if len(found) > LARGEST:
                    raise BadInput(f"a sweep has at most {LARGEST} cells; this one has more")
        return list(found.values())

    def cells(self) -> list[Cell]:
        """The runs with their parts."""
        return [Cell(spec, tuple(chunks.split(spec, self.chunk))) for spec in self.specs()]

    def of_shapes(self) -> list[Cell]:
        """The cells of published bases, whether they are on this machine or not."""
        from peftcore import published

        found = []
        for base in self.bases:
            like = self.model_copy(update={"bases": (published.stand_in(base),)})
            for cell in like.cells():
                named = [s.model_copy(update={"base": base}) for s in (cell.spec, *cell.parts)]
                found.append(Cell(named[0], tuple(named[1:])))
        return found

    def _of(self, base: str, task: str, entry: Entry) -> Iterator[RunSpec]:
        population = self.episodes | ({"vertices": entry.vertices} if entry.vertices else {})
        config = METHODS[entry.method].Config
        for settings, training, members, evaluation in itertools.product(
            expanded(config, entry.settings),
            expanded(Training, self.training | entry.training),
            expanded(Population, population),
            expanded(Evaluation, self.evaluation),
        ):
            try:
                yield plan(base, task, entry.method, settings, members, training, evaluation)
            except BadInput as error:
                raise BadInput(f"{entry.method} on {task} with {base}: {error}") from None


@dataclass(frozen=True)
class Cell:
    """One run of a sweep and the parts it is done in; one part, where that is the whole."""

    spec: RunSpec
    parts: tuple[RunSpec, ...]


@dataclass(frozen=True)
class Part:
    """How a part of a cell stands."""

    spec: RunSpec
    state: str  # of its run; "waiting" before there is one
    message: str
    seconds: float
    share: float = 0.0  # of its steps that are done


@dataclass(frozen=True)
class CellState:
    """How a cell stands: its run, if it is there, and its parts."""

    cell: Cell
    run: Run | None
    parts: tuple[Part, ...]

    @property
    def done(self) -> bool:
        """Whether the whole run is there."""
        return self.run is not None

    @property
    def failed(self) -> list[Part]:
        """Parts that ended with an error."""
        return [part for part in self.parts if part.state == "failed"]


@dataclass(frozen=True)
class SweepWork(Measurement):
    """A sweep being done: its folder holds the file, the state and one line per part."""

    ask: Sweep

    SHELF: ClassVar[str] = "sweeps"
    ASK: ClassVar[type[measurements.Ask]] = Sweep
    TURNS: ClassVar[str] = "sweeping.lock"  # landscapes and atoms need not wait for sweeps


def read(path: Path) -> Sweep:
    """The sweep a file describes, YAML or JSON; BadInput says where it is wrong."""
    import yaml  # comes with transformers

    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except OSError:
        raise BadInput(f"there is no file {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        raise BadInput(f"{path.name} is not YAML: {first}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path.name} must have names with values, such as `bases: [tiny-t5]`")
    return Sweep.make(value)


def expanded(kind: type[Settings], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of values; a list stands for several where the field takes no list.

    A field that takes a list is spread by a list of lists.
    """
    names = list(values)
    choices = [_choices(kind, name, values[name]) for name in names]
    return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*choices)]


def _choices(kind: type[Settings], name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    try:
        kind.make({name: value})
    except BadInput:
        if name not in kind.model_fields:
            return [value]  # refused where the run is planned, with the names there are
        if not value:
            raise BadInput(f"{name} has an empty list: name a value or leave it out") from None
        return value
    return [value]


def values(text: str) -> list[Any]:
    """Values written with commas between them, as YAML reads them; BadInput if it cannot."""
    import yaml

    try:
        found = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        found = []
    if not found or None in found:
        raise BadInput(f"values are written with commas between them, as 4, 8, 16; got {text!r}")
    return list(found)


def written(asked: Sweep) -> str:
    """The sweep as a file that `read` understands, without what is as it would be anyway."""
    import yaml

    whole = asked.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100))


def forgive(cells: Sequence[Cell], store: RunStore) -> None:
    """Let parts that failed be tried again."""
    for state in survey(cells, store):
        for part in state.failed:
            run = chunks.place(store, state.cell.spec, part.spec).open(part.spec.id)
            run.write_status(state="cancelled", message="Is tried again.", error_id="")


def survey(cells: Sequence[Cell], store: RunStore) -> list[CellState]:
    """How each cell stands, read from the runs themselves."""
    parts = chunks.shelf(store)
    found = []
    for cell in cells:
        whole = store.find(cell.spec)
        if whole and whole.status().state == "done":
            found.append(CellState(cell, whole, ()))
            continue
        states = [
            _part(spec, (store if spec.id == cell.spec.id else parts).find(spec))
            for spec in cell.parts
        ]
        found.append(CellState(cell, None, tuple(states)))
    return found


def _part(spec: RunSpec, run: Run | None) -> Part:
    if run is None:
        return Part(spec, "waiting", "", 0.0)
    status = run.status()
    share = status.step / status.steps if status.steps else 0.0
    return Part(spec, status.state, status.message, status.seconds, share)


@dataclass(frozen=True)
class Preview:
    """What a sweep would still take."""

    cells: int
    done: int  # cells
    parts: int  # that are missing
    minutes: float | None  # with these processes; None: something cannot be told
    problems: tuple[str, ...]  # why cells cannot run, once each


def preview(
    states: Sequence[CellState],
    estimate: Callable[[RunSpec], Estimate | BadInput | None],
    processes: int,
) -> Preview:
    """The work that is left, in time by two trial steps of one part of each cell."""
    seconds, problems, unknown, parts = 0.0, [], False, 0
    for state in states:
        left = [part.spec for part in state.parts if part.state != "done"]
        parts += len(left)
        if not left:
            continue
        cost = estimate(left[0])
        if isinstance(cost, BadInput):
            problems.append(f"{label(state.cell.spec)}: {cost}")
        elif cost is None or cost.seconds is None:
            unknown = True
        else:
            share = cost.seconds / left[0].population.seeds
            seconds += share * sum(spec.population.seeds for spec in left)
    minutes = None if unknown or problems else seconds / 60 / min(processes, max(1, parts))
    done = sum(state.done for state in states)
    return Preview(len(states), done, parts, minutes, tuple(dict.fromkeys(problems)))


@dataclass(frozen=True)
class Extrapolation:
    """What a sweep would take on machines that are not here, counted and not measured."""

    parts: int  # that are missing
    operations: float
    hours: dict[int, float]  # machines → hours, a part being done by one of them


def extrapolate(
    states: Sequence[CellState],
    count: Callable[[RunSpec], float],
    rate: float,
    machines: Sequence[int],
) -> Extrapolation:
    """The work that is left on so many machines of so many operations a second.

    count: operations of a part.  Parts are dealt out in order, each to whoever is free first.
    """
    costs = [count(part.spec) for state in states for part in state.parts if part.state != "done"]
    hours = {}
    for number in machines:
        busy = [0.0] * number
        for cost in costs:
            heapq.heapreplace(busy, busy[0] + cost / rate / 3600)
        hours[number] = max(busy)
    return Extrapolation(len(costs), sum(costs), hours)


def label(spec: RunSpec) -> str:
    """A cell in a few words."""
    return f"{spec.method} on {spec.task} with {spec.base}"


def carry_out(
    work: SweepWork,
    engine: Engine,
    store: RunStore,
    retry: bool = False,
    report: Callable[[measurements.Status], None] = lambda status: None,
) -> measurements.Status:
    """Do what is missing, to the end or to where it is stopped.

    Parts that failed are left alone unless `retry`; BadInput at the end says how many there are.
    """
    cells = work.ask.cells()
    if work.status().state == "done" and not all(s.done for s in survey(cells, store)):
        work.write_status(state="stopped")  # runs were deleted since
    return work.carried_out(lambda: _all(work, cells, engine, store, retry, report))


def _all(
    work: SweepWork,
    cells: Sequence[Cell],
    engine: Engine,
    store: RunStore,
    retry: bool,
    report: Callable[[measurements.Status], None],
) -> None:
    if retry:
        forgive(cells, store)
    states = survey(cells, store)
    of = sum(len(cell.parts) for cell in cells)
    done = of - sum(part.state != "done" for state in states for part in state.parts)
    began, before = time.monotonic(), work.status().seconds
    report(work.write_status(state="working", done=done, of=of, message=""))
    owner = {part.id: cell for cell in cells for part in cell.parts}
    problems = [problem for cell in cells if (problem := _finish_if_whole(cell, store))]
    todo = [
        Work(part.spec, chunks.place(store, state.cell.spec, part.spec).folder)
        for state in states
        for part in state.parts
        if part.state not in ENDED
    ]
    for outcome in engine.work(todo, work.stop_asked):
        _note(work, owner[outcome.part], outcome)
        if outcome.state == "done":
            done += 1
            problems += filter(None, [_finish_if_whole(owner[outcome.part], store)])
        spent = before + time.monotonic() - began
        report(work.write_status(done=done, seconds=spent, message=_said(outcome)))
    if work.stop_asked():
        raise InterruptedError
    if problems:
        raise BadInput(f"{len(problems)} runs could not be put together, first {problems[0]}")
    _refuse_unfinished(survey(cells, store))


def _said(outcome: Outcome) -> str:
    return f"{outcome.part}: {outcome.message}" if outcome.state != "done" else ""


def _note(work: SweepWork, cell: Cell, outcome: Outcome) -> None:
    work.keep(
        {
            "what": "part",
            "run": outcome.part,
            "cell": cell.spec.id,
            "state": outcome.state,
            "message": outcome.message,
            "by": outcome.by,
        }
    )


def _finish_if_whole(cell: Cell, store: RunStore) -> str:
    """Put the run of a cell together once its parts are there; why that cannot be, if so."""
    [state] = survey([cell], store)
    if state.done or any(part.state != "done" for part in state.parts):
        return ""
    shelf = chunks.shelf(store)
    try:
        chunks.join(store, cell.spec, [shelf.open(part.id) for part in cell.parts])
    except BadInput as error:
        return f"{cell.spec.id} ({label(cell.spec)}): {error}"
    return ""


def _refuse_unfinished(states: Sequence[CellState]) -> None:
    failed = [part for state in states for part in state.failed]
    left = [part for s in states for part in s.parts if part.state not in ("done", "failed")]
    if failed:
        raise BadInput(
            f"{len(failed)} parts failed, first {failed[0].spec.id} ({label(failed[0].spec)}): "
            f"{failed[0].message} Mend it and retry them"
        )
    if left:
        raise BadInput(
            f"{len(left)} parts are not done, first {left[0].spec.id}, which is {left[0].state}: "
            "start the sweep again"
        )


def ship(cells: Sequence[Cell], store: RunStore, folder: Path) -> list[Run]:
    """Copy the finished runs into a folder as they ship: every answer, no adapter."""
    made = []
    for cell in cells:
        run = store.find(cell.spec)
        if run is None or run.status().state != "done":
            raise BadInput(f"{cell.spec.id} ({label(cell.spec)}) is not done; finish the sweep")
        into = folder / run.id
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for name in SHIPPED:
            shutil.copyfile(run.folder / name, into / name)
        made.append(RunStore(folder).open(run.id))
    return made


@dataclass(frozen=True)
class Agreement:
    """How one cell came out here and in another store."""

    run: str
    method: str
    seeds: int
    largest: float | None  # difference of a score of a seed; None: not done in both
    adapters: bool  # whether the trained numbers are the same, byte by byte


def agreement(cells: Sequence[Cell], store: RunStore, other: RunStore) -> list[Agreement]:
    """Each cell in two stores, score by score and seed by seed."""
    found = []
    for cell in cells:
        here, there = (each.find(cell.spec) for each in (store, other))
        seeds, method = cell.spec.population.seeds, cell.spec.method
        if not here or not there or not here.scores() or not there.scores():
            found.append(Agreement(cell.spec.id, method, seeds, None, False))
            continue
        same = _tensors(here) == _tensors(there)
        found.append(Agreement(here.id, method, seeds, _furthest(here, there), same))
    return found


def _furthest(here: Run, there: Run) -> float:
    """The largest difference between two runs' scores; a number against none is infinite."""
    far = 0.0
    ours, theirs = here.scores(), there.scores()
    for name in ours.keys() | theirs.keys():
        for a, b in itertools.zip_longest(ours.get(name, []), theirs.get(name, [])):
            if a is None or b is None or math.isnan(a) != math.isnan(b):
                return math.inf
            far = max(far, 0.0 if math.isnan(a) else abs(a - b))
    return far


def _tensors(run: Run) -> bytes:
    """What a run learnt, as it lies on disk."""
    return (run.folder / "adapter.safetensors").read_bytes()


def described(states: Sequence[CellState]) -> list[dict[str, Any]]:
    """Cells as a table: names, what was varied, how each stands."""
    varied = _varied([state.cell.spec for state in states])
    return [
        {
            "run": state.cell.spec.id,
            "base": state.cell.spec.base,
            "task": state.cell.spec.task,
            "method": state.cell.spec.method,
            "varied": varied[state.cell.spec.id],
            "parts": len(state.cell.parts),
            "done": len(state.cell.parts) - sum(p.state != "done" for p in state.parts),
            "state": "done" if state.done else _state(state),
        }
        for state in states
    ]


def _state(state: CellState) -> str:
    held = {part.state for part in state.parts}
    for name in ("failed", "training", "answering", "queued"):
        if name in held:
            return name
    return "waiting"


def _varied(specs: Sequence[RunSpec]) -> dict[str, str]:
    """What tells cells of one base, task and method apart, in words."""
    groups: dict[tuple[str, str, str], list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault((spec.base, spec.task, spec.method), []).append(spec)
    said = {}
    for group in groups.values():
        flat = {spec.id: _flat(spec) for spec in group}
        names = [
            name
            for name in dict.fromkeys(n for values in flat.values() for n in values)
            if len({json.dumps(values.get(name)) for values in flat.values()}) > 1
        ]
        for run, values in flat.items():
            said[run] = ", ".join(f"{name}={values.get(name)}" for name in names)
    return said


def _flat(spec: RunSpec) -> dict[str, Any]:
    whole = spec.model_dump(mode="json")
    return {
        name: value
        for part in ("settings", "population", "training", "evaluation")
        for name, value in whole[part].items()
    }
