"""Named experiments: grids of runs that the command line trains by name, and their tables.

Those of `EXPERIMENTS` stand beside figures of papers in assets/measured.md.  What they train is
decided here and not on their results: methods run at their defaults.  How far those defaults were
chosen on an experiment's own task is in its note.  Those of `AROUND_A_RUN` vary any run, as the
pages of the labs do.  An experiment that was stopped trains the runs that are missing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from peftcore import tasks
from peftcore.analysis.comparison import interval
from peftcore.errors import BadInput, unknown_name
from peftcore.labs.components.grid import (
    KINDS,
    METHOD,
    SHIPPED_KINDS,
    SHIPPED_PRESETS,
    build_subset_grid,
)
from peftcore.labs.scaling.ablations import ABLATIONS, SCALED_METHOD, build_ablation
from peftcore.metrics.scores import metric_range
from peftcore.runs.spec import Members, RunSpec, Training
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.grid import RunGrid, Variation, axis

ENCODER_SHOTS = (50, 100, 200, 500)  # arXiv:2310.15793
SEEDS = 5
MAX_DEV = 50  # validation examples, and no more than there are for training
SIX_VERTICES: Mapping[str, Any] = {"population.vertices": 6}


@dataclass(frozen=True)
class Experiment:
    """A base, tasks, numbers of examples and arms; every combination is a run.

    An arm is a method under the name its table gives it.
    """

    title: str
    note: str
    base: str
    tasks: tuple[str, ...]
    shots: tuple[int, ...]
    arms: tuple[Variation, ...]
    steps: int

    @property
    def method(self) -> str:
        """Empty: it is built around no run."""
        return ""

    def grid(self, around: RunSpec | None = None, names: Sequence[str] = ()) -> RunGrid:
        """Return every run, the smallest numbers of examples first; a cell is called by its arm."""
        base_spec = RunSpec(
            base=self.base,
            task=self.tasks[0],
            method=self.arms[0].changes["method"],
            population=Members(seeds=SEEDS),
            training=Training(steps=self.steps),
        )
        shots = [
            Variation(changes={"training.shots": n, "training.dev": min(n, MAX_DEV)})
            for n in self.shots
        ]
        grid = RunGrid.around(base_spec, shots, axis("task", self.tasks), self.arms)
        return grid.find_runs(RunStore())


@dataclass(frozen=True)
class ExperimentAroundRun:
    """A grid around a run of a method, as a page of a lab shows it."""

    title: str
    method: str  # of the run; its variants are taken as well
    build: Callable[[RunSpec, RunStore, Sequence[str]], RunGrid]

    def grid(self, around: RunSpec | None = None, names: Sequence[str] = ()) -> RunGrid:
        """Return the grid around a run; `names` are the tasks or configurations it is about."""
        if around is None:
            raise BadInput(f"{self.title[0].lower()}{self.title[1:]}: name the run to vary")
        return self.build(around, RunStore(), names)


def _arm(label: str, method: str, changes: Mapping[str, Any] | None = None) -> Variation:
    return Variation(label, {"method": method, **(changes or {})})


_ENCODER_ARMS = (
    _arm("Linear probe", "linear_probe"),
    _arm("Prefix tuning", "prefix_tuning"),
    _arm("Prefix subspace, stochastic validation", "prefix_tuning", SIX_VERTICES),
    _arm(
        "Prefix subspace, deterministic validation",
        "prefix_tuning",
        {**SIX_VERTICES, "training.validation": "deterministic"},
    ),
    _arm("LoRA", "lora"),
    _arm("SparseFit", "sparsefit"),
    _arm("Full fine-tuning", "full_fine_tuning"),
)
_PROMPT_ARMS = (
    _arm("Prompt tuning", "prompt_tuning"),
    _arm("Scaled prompt tuning", "spt"),
    _arm("Prefix tuning", "prefix_tuning"),
)
_GENERATION_ARMS = (
    *_PROMPT_ARMS,
    _arm("Prefix subspace of 3", "prefix_tuning", {"population.vertices": 3}),
    _arm("LoRA", "lora"),
    _arm("(IA)³", "ia3"),
    _arm("Bottleneck adapter", "bottleneck"),
    _arm("Sparse atoms", "atoms"),
    _arm("Block atoms", "block_atoms"),
    _arm("SparseFit", "sparsefit"),
    _arm("Full fine-tuning", "full_fine_tuning"),
)
EXPERIMENTS: Mapping[str, Experiment] = {
    "encoder": Experiment(
        "Few-shot classification with a frozen sentence encoder",
        "A protocol like that of arXiv:2310.15793 on another and smaller encoder, so its figures "
        "are not to be expected here. Poem Sentiment has 430 training rows, so no 500 examples. "
        "Where figures repeat from column to column (BLiMP most of all), dev loss was lowest "
        "before the first step in most seeds, so the start is what was tested.",
        "minilm",
        ("poem_sentiment", "blimp_acceptability", "glue_qnli", "glue_mnli"),
        ENCODER_SHOTS,
        _ENCODER_ARMS,
        60,
    ),
    "methods": Experiment(
        "Every method on two tasks of Miniworld",
        "LoRA's placement and the learning rates of most methods were chosen on entailment, some "
        "of them on its first test rows, so that column flatters a little.",
        "tiny-t5",
        ("miniworld_nli", "miniworld_venues"),
        (48,),
        _GENERATION_ARMS,
        150,
    ),
    "shots": Experiment(
        "Scaled prompt tuning against prompt tuning by number of examples",
        "The question of arXiv:2309.06759, which used T5-large on E2E, WebNLG and DART.",
        "tiny-t5",
        ("miniworld_venues",),
        (5, 10, 20, 50, 100),
        (
            _arm("Prompt tuning", "prompt_tuning"),
            _arm("Scaled prompt tuning", "spt"),
        ),
        150,
    ),
    "questions": Experiment(
        "Real questions, from a hundred examples",
        "The encoder reads sentences, so its head reads one number, the cosine of the two texts, "
        "and the probe trains four numbers.",
        "minilm",
        ("glue_qnli",),
        (100,),
        (
            *_PROMPT_ARMS,
            _arm("LoRA", "lora"),
            _arm("Linear probe", "linear_probe"),
        ),
        100,
    ),
    "restaurants": Experiment(
        "Real descriptions of restaurants, from a hundred examples",
        "Each meaning representation of the test split has up to five references. The base has "
        "never read English beyond its own small world, which is what limits every method.",
        "tiny-t5",
        ("e2e_nlg",),
        (100,),
        (*_PROMPT_ARMS, _arm("LoRA", "lora")),
        150,
    ),
}


def _ablation(name: str, spec: RunSpec, store: RunStore, names: Sequence[str]) -> RunGrid:
    return build_ablation(name, spec, store, names)


def _subsets(kind: str, spec: RunSpec, store: RunStore, names: Sequence[str]) -> RunGrid:
    return build_subset_grid(kind, spec, store, names or SHIPPED_PRESETS)


AROUND_A_RUN: Mapping[str, ExperimentAroundRun] = {
    **{
        f"prompt-{name}": ExperimentAroundRun(
            f"Soft prompts by {name}", SCALED_METHOD, partial(_ablation, name)
        )
        for name in ABLATIONS
    },
    **{
        f"component-{kind}": ExperimentAroundRun(title, METHOD, partial(_subsets, kind))
        for kind, title in KINDS.items()
        if kind in SHIPPED_KINDS
    },
}


@dataclass(frozen=True)
class ExperimentRow:
    """One cell of an experiment's table: mean and 95 % t interval over seeds."""

    study: str
    base: str
    task: str
    shots: int
    label: str
    method: str
    metric: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    values: str  # of each seed, with spaces between them
    trainable: int
    run: str


INTERVAL_COLUMNS = ("mean", "low", "high")


def names() -> list[str]:
    """Return the names of all experiments."""
    return [*EXPERIMENTS, *AROUND_A_RUN]


def find(name: str) -> Experiment | ExperimentAroundRun:
    """Return an experiment by name; BadInput names those there are."""
    known: dict[str, Experiment | ExperimentAroundRun] = {**EXPERIMENTS, **AROUND_A_RUN}
    if name not in known:
        raise unknown_name("experiment", name, known)
    return known[name]


def run_experiment(
    name: str,
    train: Callable[[RunSpec], Run],
    on_row: Callable[[int, int, ExperimentRow], None],
    around: RunSpec | None = None,
    names: Sequence[str] = (),
) -> list[ExperimentRow]:
    """Train what is missing with `train` and return the table; `on_row` is called with every row.

    Numbers of examples that a task does not have are left out.
    """
    grid = find(name).grid(around, names).only(_has_enough_examples)
    rows: list[ExperimentRow] = []
    for cell in grid.cells:
        rows.append(result_row(name, cell.name, train(cell.spec)))
        on_row(len(rows), len(grid.cells), rows[-1])
    return rows


def _has_enough_examples(spec: RunSpec) -> bool:
    """Return whether the task has as many training examples as the spec asks for."""
    return spec.training.shots <= len(tasks.find_task(spec.task).load("train"))


def finished_rows(
    name: str, around: RunSpec | None = None, names: Sequence[str] = ()
) -> list[ExperimentRow]:
    """Return the rows whose runs are done, without training any."""
    done = find(name).grid(around, names).done
    return [result_row(name, cell.name, run) for cell, run in done]


def result_row(name: str, label: str, run: Run) -> ExperimentRow:
    """Return the row of a finished run."""
    spec, metric = run.spec, tasks.find_task(run.spec.task).main_metric
    values = run.scores().get(metric, [])
    estimate = interval(values, metric_range(metric))
    return ExperimentRow(
        name,
        spec.base,
        spec.task,
        spec.training.shots,
        label,
        spec.method,
        metric,
        estimate.mean,
        estimate.low,
        estimate.high,
        estimate.n,
        " ".join(f"{value:.4g}" for value in values),
        run.status().trainable or 0,
        run.id,
    )


def read(path: Path) -> list[ExperimentRow]:
    """Return the rows of a CSV file that `write` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row_of(cells) for cells in csv.DictReader(file)]


def _row_of(cells: Mapping[str, Any]) -> ExperimentRow:
    """Build a row from the cells of a CSV line."""
    numbers = {name: float(cells[name]) if cells[name] else None for name in INTERVAL_COLUMNS}
    counts = {name: int(cells[name]) for name in ("shots", "n", "trainable")}
    return ExperimentRow(**{**cells, **numbers, **counts})


def write(rows: list[ExperimentRow], path: Path) -> None:
    """Write rows into a CSV file, in place of those of the same experiments."""
    names = list(ExperimentRow.__dataclass_fields__)
    kept: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            new_studies = {r.study for r in rows}
            kept = [old for old in csv.DictReader(file) if old["study"] not in new_studies]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for cells in [*kept, *map(asdict, rows)]:
            writer.writerow({k: _short(v) for k, v in cells.items()})


def _short(value: Any) -> Any:
    """Return a number with five digits; other values as they are."""
    return f"{value:.5g}" if isinstance(value, float) else value
