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

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.jobs.background import Measurement
from peftcore.runs.spec import Evaluation, Population, RunSpec, Training
from peftcore.settings import Settings
from peftcore.sweeps import seed_shards
from peftcore.training.planning import plan

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


class Sweep(background.Ask):
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
        return [Cell(spec, tuple(seed_shards.split(spec, self.chunk))) for spec in self.specs()]

    def of_shapes(self) -> list[Cell]:
        """The cells of published bases, whether they are on this machine or not."""
        from peftcore.adapters import parameter_counts

        found = []
        for base in self.bases:
            like = self.model_copy(update={"bases": (parameter_counts.stand_in(base),)})
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
class SweepWork(Measurement):
    """A sweep being done: its folder holds the file, the state and one line per part."""

    ask: Sweep

    SHELF: ClassVar[str] = "sweeps"
    ASK: ClassVar[type[background.Ask]] = Sweep
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


def label(spec: RunSpec) -> str:
    """A cell in a few words."""
    return f"{spec.method} on {spec.task} with {spec.base}"
