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
from peftcore.jobs.background import BackgroundJob
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings
from peftcore.sweeps import seed_shards
from peftcore.training.planning import build_spec

MAX_CELLS = 5000  # cells of one sweep: more are a slip of the pen


class SweepMethod(Settings):
    """One method of a sweep; what it says of training goes before what the sweep says."""

    method: str = Field(description="Method")
    settings: dict[str, Any] = Field(default_factory=dict, description="The method's settings")
    training: dict[str, Any] = Field(default_factory=dict, description="Its own training")
    vertices: int | None = Field(None, ge=1, le=12, description="Corners of its simplex")


class EngineChoice(Settings):
    """Who does the work; it decides no result."""

    engine: Literal["local", "ray"] = Field("local", description="Processes here, or a Ray cluster")
    address: str = Field("", description="Address of the Ray cluster; empty starts one here")
    processes: int | None = Field(
        None, ge=1, le=1024, description="Processes at once; empty: one per core, or one per GPU"
    )


class Sweep(background.JobRequest):
    """Everything that decides a sweep, as its file says it."""

    runs: tuple[str, ...] = Field((), description="Unused: a sweep measures what it trains")
    title: str = Field("", description="What it is called")
    bases: tuple[str, ...] = Field(min_length=1, description="Base models")
    tasks: tuple[str, ...] = Field(min_length=1, description="Tasks")
    methods: tuple[SweepMethod, ...] = Field(min_length=1, description="Methods, with settings")
    episodes: dict[str, Any] = Field(
        default_factory=dict, description="seeds, first_seed, vertices, draw: as a run has them"
    )
    training: dict[str, Any] = Field(default_factory=dict, description="Training of every cell")
    evaluation: dict[str, Any] = Field(default_factory=dict, description="Scoring of every cell")
    chunk: int | None = Field(None, ge=1, le=64, description="Seeds in a part; empty: all of them")
    where: EngineChoice = EngineChoice()

    @field_validator("methods", mode="before")
    @classmethod
    def _names_as_methods(cls, value: Any) -> Any:
        """A method alone may stand as its name."""
        if isinstance(value, (list, tuple)):
            return [{"method": each} if isinstance(each, str) else each for each in value]
        return value

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; who does the work does not count."""
        return super(Sweep, self.model_copy(update={"where": EngineChoice()})).id

    def kind_fields(self) -> dict[str, str]:
        """What tells sweeps from other asks."""
        return {"sort": "sweep"}

    def command_arguments(self) -> list[str]:
        """The arguments of the command that does it."""
        return ["sweep", str(SweepJob.home() / self.id / "ask.json")]

    def specs(self) -> list[RunSpec]:
        """One run for each combination, equal ones once; BadInput names what cannot be."""
        by_id: dict[str, RunSpec] = {}
        for base, task, entry in itertools.product(self.bases, self.tasks, self.methods):
            for spec in self._specs_of_method(base, task, entry):
                by_id.setdefault(spec.id, spec)
                if len(by_id) > MAX_CELLS:
                    raise BadInput(f"a sweep has at most {MAX_CELLS} cells; this one has more")
        return list(by_id.values())

    def cells(self) -> list[SweepCell]:
        """The runs with their parts."""
        return [
            SweepCell(spec, tuple(seed_shards.split_into_shards(spec, self.chunk)))
            for spec in self.specs()
        ]

    def cells_of_published_bases(self) -> list[SweepCell]:
        """The cells of published bases, whether they are on this machine or not."""
        from peftcore.adapters import parameter_counts

        cells = []
        for base in self.bases:
            stand_in_sweep = self.model_copy(update={"bases": (parameter_counts.stand_in(base),)})
            for cell in stand_in_sweep.cells():
                renamed_specs = [
                    s.model_copy(update={"base": base}) for s in (cell.spec, *cell.shards)
                ]
                cells.append(SweepCell(renamed_specs[0], tuple(renamed_specs[1:])))
        return cells

    def _specs_of_method(self, base: str, task: str, entry: SweepMethod) -> Iterator[RunSpec]:
        population = self.episodes | ({"vertices": entry.vertices} if entry.vertices else {})
        config = METHODS[entry.method].Config
        for settings, training, members, evaluation in itertools.product(
            expand_grid(config, entry.settings),
            expand_grid(Training, self.training | entry.training),
            expand_grid(Members, population),
            expand_grid(Evaluation, self.evaluation),
        ):
            try:
                yield build_spec(base, task, entry.method, settings, members, training, evaluation)
            except BadInput as error:
                raise BadInput(f"{entry.method} on {task} with {base}: {error}") from None


@dataclass(frozen=True)
class SweepCell:
    """One run of a sweep and the parts it is done in; one part, where that is the whole."""

    spec: RunSpec
    shards: tuple[RunSpec, ...]


@dataclass(frozen=True)
class SweepJob(BackgroundJob, kind="sweep"):
    """A sweep being done: its folder holds the file, the state and one line per part."""

    request: Sweep

    LANE: ClassVar[str] = "sweep"  # measurements need not wait for sweeps
    FOLDER_NAME: ClassVar[str] = "sweeps"
    REQUEST: ClassVar[type[background.JobRequest]] = Sweep


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


def expand_grid(kind: type[Settings], values: Mapping[str, Any]) -> list[dict[str, Any]]:
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


def parse_values(text: str) -> list[Any]:
    """Values written with commas between them, as YAML reads them; BadInput if it cannot."""
    import yaml

    try:
        parsed = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        parsed = []
    if not parsed or None in parsed:
        raise BadInput(f"values are written with commas between them, as 4, 8, 16; got {text!r}")
    return list(parsed)


def to_yaml(sweep: Sweep) -> str:
    """The sweep as a file that `read` understands, without what is as it would be anyway."""
    import yaml

    whole = sweep.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100))


def spec_label(spec: RunSpec) -> str:
    """A cell in a few words."""
    return f"{spec.method} on {spec.task} with {spec.base}"
