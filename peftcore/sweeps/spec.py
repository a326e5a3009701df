"""Sweeps: every method on every task and base with every setting, from one file, in any order.

A file names bases, tasks, methods with their settings, and episodes; each combination is a cell,
and a cell is a run like any other.  Cells are trained in shards of `chunk` seeds, which engines
spread over processes or machines.  Shards are runs too: a sweep goes on where it was stopped, and
equal runs are trained once.  Needs no torch until shards are joined.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field, field_validator

from peftcore.adapters import parameter_counts
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings
from peftcore.sweeps import seed_shards
from peftcore.sweeps.engines.slurm_programs import SlurmSite
from peftcore.sweeps.grid import Axis, Variation, grid_cells
from peftcore.system import server_limits
from peftcore.training import planning

MAX_FILE_BYTES = 200_000  # of a sweep's file: YAML of megabytes takes minutes to read


class SweepMethod(Settings):
    """One method of a sweep; its own training goes before that of the sweep."""

    method: str = Field(description="Method")
    settings: dict[str, Any] = Field(default_factory=dict, description="The method's settings")
    training: dict[str, Any] = Field(default_factory=dict, description="Its own training")
    vertices: int | None = Field(None, ge=1, le=12, description="Corners of its simplex")


class EngineChoice(Settings):
    """The engine and its processes; they do not change a result."""

    engine: Literal["local", "ray", "slurm"] = Field(
        "local", description="Processes here, a Ray cluster, or Slurm"
    )
    address: str = Field("", description="Address of the Ray cluster; empty starts one here")
    processes: int | None = Field(
        None, ge=1, le=1024, description="Processes at once; empty: one per core, or one per GPU"
    )
    slurm: SlurmSite = SlurmSite()


class Sweep(background.JobRequest):
    """Everything that decides a sweep, as its file has it."""

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
        """Read a name alone as a method without settings."""
        if isinstance(value, (list, tuple)):
            return [{"method": each} if isinstance(each, str) else each for each in value]
        return value

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; the engine does not enter them."""
        return super(Sweep, self.model_copy(update={"where": EngineChoice()})).id

    def kind_fields(self) -> dict[str, str]:
        """Return the fields that distinguish sweeps from other requests."""
        return {"sort": "sweep"}

    def command_arguments(self) -> list[str]:
        """Return the arguments of the command that executes the sweep."""
        return ["sweep", str(SweepJob.home() / self.id / "ask.json")]

    def specs(self) -> list[RunSpec]:
        """Build one run for each combination, equal ones once; BadInput for impossible ones."""
        by_id: dict[str, RunSpec] = {}
        for base, task, entry in itertools.product(self.bases, self.tasks, self.methods):
            for spec in self._specs_of_method(base, task, entry):
                by_id.setdefault(spec.id, spec)
                server_limits.SWEEP_CELLS.check(len(by_id), "this sweep has too many runs")
        return list(by_id.values())

    def cells(self) -> list[SweepCell]:
        """List the runs with their shards."""
        return [
            SweepCell(spec, tuple(seed_shards.split_into_shards(spec, self.chunk)))
            for spec in self.specs()
        ]

    def cells_of_published_bases(self) -> list[SweepCell]:
        """List the cells of published bases, whether they are on this machine or not."""

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
        members = self.episodes | ({"vertices": entry.vertices} if entry.vertices else {})
        axes = [
            *_axes("settings", METHODS[entry.method].Config, entry.settings),
            *_axes("training", Training, self.training | entry.training),
            *_axes("population", Members, members),
            *_axes("evaluation", Evaluation, self.evaluation),
        ]
        try:
            for cell in grid_cells(RunSpec(base=base, task=task, method=entry.method), axes):
                yield cell.spec
        except BadInput as error:
            raise BadInput(f"{entry.method} on {task} with {base}: {error}") from None


@dataclass(frozen=True)
class SweepCell:
    """One run of a sweep and the shards it is trained in; one shard, where that is the whole."""

    spec: RunSpec
    shards: tuple[RunSpec, ...]


@dataclass(frozen=True)
class SweepJob(BackgroundJob, kind="sweep"):
    """A sweep and its state: its folder has the file, the status and one line per shard."""

    request: Sweep

    LANE: ClassVar[str] = "sweep"  # measurements need not wait for sweeps
    FOLDER_NAME: ClassVar[str] = "sweeps"
    REQUEST: ClassVar[type[background.JobRequest]] = Sweep


def read(path: Path) -> Sweep:
    """Read a sweep from YAML or JSON; BadInput says where it is wrong."""

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{path.name} is larger than {MAX_FILE_BYTES:,} bytes")
        value = yaml.safe_load(path.read_text("utf-8"))
    except BadInput:
        raise
    except OSError:
        raise BadInput(f"there is no file {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        first = " ".join(str(error).split())[:200]
        raise BadInput(f"{path.name} is not YAML: {first}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path.name} must have names with values, such as `bases: [tiny-t5]`")
    return Sweep.make(value)


def sweep_of(specs: Sequence[RunSpec], title: str) -> Sweep:
    """Return the sweep that trains these specs, which differ in method and settings alone."""
    first = specs[0].model_dump(mode="json")
    if not planning.has_head(specs[0]):  # sweeps without a head keep the ids that they had
        del first["training"]["standardise"]
    for name in (
        "select",
        "label_words",
        "template",
        "explanations",
        "pair_head",
    ):  # as do those that leave them alone
        if first["training"][name] == Training.model_fields[name].get_default(
            call_default_factory=True
        ):
            del first["training"][name]
    return Sweep.make(
        {
            "title": title,
            "bases": [first["base"]],
            "tasks": [first["task"]],
            "methods": [{"method": spec.method, "settings": spec.settings} for spec in specs],
            "episodes": first["population"],
            "training": first["training"],
            "evaluation": Evaluation.without_defaults(first["evaluation"]),
        }
    )


def _axes(part: str, kind: type[Settings], values: Mapping[str, Any]) -> list[Axis]:
    """Return an axis for each field; a list stands for several values where the field takes none.

    A field that takes a list is spread by a list of lists.
    """
    return [
        [Variation(changes={f"{part}.{name}": each}) for each in _choices(kind, name, value)]
        for name, value in values.items()
    ]


def _choices(kind: type[Settings], name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    try:
        kind.make({name: value})
    except BadInput:
        if name not in kind.model_fields:
            return [value]  # build_spec refuses it, with the names there are
        if not value:
            raise BadInput(f"{name} has an empty list: name a value or leave it out") from None
        return value
    return [value]


def parse_values(text: str) -> list[Any]:
    """Parse values with commas between them, as YAML; BadInput if that fails."""

    try:
        parsed = yaml.safe_load(f"[{text}]")
    except (yaml.YAMLError, ValueError, RecursionError):
        parsed = []
    if not parsed or None in parsed:
        raise BadInput(
            f"values are written with commas between them, as 4, 8, 16; got {text[:80]!r}"
        )
    return list(parsed)


def to_yaml(sweep: Sweep) -> str:
    """Write the sweep as YAML that `read` understands, without defaults."""

    whole = sweep.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100))


def spec_label(spec: RunSpec) -> str:
    """Describe a cell in a few words."""
    return f"{spec.method} on {spec.task} with {spec.base}"
