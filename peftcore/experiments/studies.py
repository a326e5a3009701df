"""Studies: named sets of runs whose table stands beside the papers' figures.

`python -m peftcore study NAME` makes the runs that are missing, one after another, and writes the
table; stopped, it goes on where it was.  What a study asks for is decided here and not on its
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
from peftcore.errors import unknown
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training.planning import plan

SHOTS = (50, 100, 200, 500)  # arXiv:2310.15793
SEEDS = 5
SIMPLEX: Mapping[str, Any] = {"vertices": 6}


@dataclass(frozen=True)
class Arm:
    """One method of a study, under the name its table gives it."""

    label: str
    method: str
    population: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Study:
    """A base, tasks, numbers of examples and arms; every combination is a run."""

    title: str
    note: str
    base: str
    tasks: tuple[str, ...]
    shots: tuple[int, ...]
    arms: tuple[Arm, ...]
    steps: int

    def runs(self) -> Iterator[tuple[Arm, RunSpec]]:
        """Every run of the study, the smallest numbers of examples first."""
        for shots in self.shots:
            for task in self.tasks:
                for arm in self.arms:
                    yield arm, self._spec(task, arm, shots)

    def _spec(self, task: str, arm: Arm, shots: int) -> RunSpec:
        training = {"shots": shots, "dev": min(shots, 50), "steps": self.steps}
        return plan(
            self.base,
            task,
            arm.method,
            None,
            {"seeds": SEEDS, **(arm.population or {})},
            {**training, **(arm.training or {})},
        )


_ENCODER = (
    Arm("Linear probe", "linear_probe"),
    Arm("Prefix tuning", "prefix_tuning"),
    Arm("Prefix subspace, stochastic validation", "prefix_tuning", SIMPLEX),
    Arm(
        "Prefix subspace, deterministic validation",
        "prefix_tuning",
        SIMPLEX,
        {"validation": "deterministic"},
    ),
    Arm("LoRA", "lora"),
    Arm("SparseFit", "sparsefit"),
    Arm("Full fine-tuning", "full_fine_tuning"),
)
_SOFT = (
    Arm("Prompt tuning", "prompt_tuning"),
    Arm("Scaled prompt tuning", "spt"),
    Arm("Prefix tuning", "prefix_tuning"),
)
_WRITERS = (
    *_SOFT,
    Arm("Prefix subspace of 3", "prefix_tuning", {"vertices": 3}),
    Arm("LoRA", "lora"),
    Arm("(IA)³", "ia3"),
    Arm("Bottleneck adapter", "bottleneck"),
    Arm("Sparse atoms", "atoms"),
    Arm("Block atoms", "block_atoms"),
    Arm("SparseFit", "sparsefit"),
    Arm("Full fine-tuning", "full_fine_tuning"),
)
STUDIES: Mapping[str, Study] = {
    "encoder": Study(
        "Few-shot classification with a frozen sentence encoder",
        "A protocol like that of arXiv:2310.15793 on another and smaller encoder, so its figures "
        "are not to be expected here. Poem Sentiment has 430 training rows, so no 500 examples. "
        "Where figures repeat from column to column (BLiMP most of all), dev loss was lowest "
        "before the first step in most seeds, so the start is what was tested.",
        "minilm",
        ("poem_sentiment", "blimp_acceptability", "glue_qnli", "glue_mnli"),
        SHOTS,
        _ENCODER,
        60,
    ),
    "methods": Study(
        "Every method on two tasks of Miniworld",
        "LoRA's placement and the learning rates of most methods were chosen on entailment, some "
        "of them on its first test rows, so that column flatters a little.",
        "tiny-t5",
        ("miniworld_nli", "miniworld_venues"),
        (48,),
        _WRITERS,
        150,
    ),
    "shots": Study(
        "Scaled prompt tuning against prompt tuning by number of examples",
        "The question of arXiv:2309.06759, which used T5-large on E2E, WebNLG and DART.",
        "tiny-t5",
        ("miniworld_venues",),
        (5, 10, 20, 50, 100),
        (Arm("Prompt tuning", "prompt_tuning"), Arm("Scaled prompt tuning", "spt")),
        150,
    ),
    "questions": Study(
        "Real questions, from a hundred examples",
        "The encoder reads sentences, so its head reads one number, the cosine of the two texts, "
        "and the probe trains four numbers.",
        "minilm",
        ("glue_qnli",),
        (100,),
        (*_SOFT, Arm("LoRA", "lora"), Arm("Linear probe", "linear_probe")),
        100,
    ),
    "restaurants": Study(
        "Real descriptions of restaurants, from a hundred examples",
        "Each meaning representation of the test split has up to five references. The base has "
        "never read English beyond its own small world, which is what limits every method.",
        "tiny-t5",
        ("e2e_nlg",),
        (100,),
        (*_SOFT, Arm("LoRA", "lora")),
        150,
    ),
}


@dataclass(frozen=True)
class Row:
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


MEANS = ("mean", "low", "high")


def find(name: str) -> Study:
    """A study by name; BadInput names those there are."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def perform(
    name: str, work: Callable[[RunSpec], Run], tell: Callable[[int, int, Row], None]
) -> list[Row]:
    """Make what is missing with `work` and return the table; `tell` hears of every row.

    Numbers of examples that a task does not have are left out.
    """
    wanted = [(arm, spec) for arm, spec in find(name).runs() if _possible(spec)]
    rows: list[Row] = []
    for arm, spec in wanted:
        rows.append(row(name, arm, work(spec)))
        tell(len(rows), len(wanted), rows[-1])
    return rows


def _possible(spec: RunSpec) -> bool:
    return spec.training.shots <= len(tasks.find(spec.task).load("train"))


def done(name: str) -> list[Row]:
    """The rows whose runs are there, without making any."""
    store, rows = RunStore(), []
    for arm, spec in find(name).runs():
        run = store.find(spec)
        if run and run.status().state == "done":
            rows.append(row(name, arm, run))
    return rows


def row(name: str, arm: Arm, run: Run) -> Row:
    """The cell a finished run fills."""
    spec, metric = run.spec, tasks.find(run.spec.task).main_metric
    values = run.scores().get(metric, [])
    over = interval(values)
    return Row(
        name,
        spec.base,
        spec.task,
        spec.training.shots,
        arm.label,
        spec.method,
        metric,
        over.mean,
        over.low,
        over.high,
        over.n,
        " ".join(f"{value:.4g}" for value in values),
        run.status().trainable or 0,
        run.id,
    )


def read(path: Path) -> list[Row]:
    """The rows of a CSV file that `write` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row_of(cells) for cells in csv.DictReader(file)]


def _row_of(cells: Mapping[str, Any]) -> Row:
    numbers = {name: float(cells[name]) if cells[name] else None for name in MEANS}
    counts = {name: int(cells[name]) for name in ("shots", "n", "trainable")}
    return Row(**{**cells, **numbers, **counts})


def write(rows: list[Row], path: Path) -> None:
    """Put rows into a CSV file, in place of what it has of the same studies."""
    names = list(Row.__dataclass_fields__)
    kept: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            made = {r.study for r in rows}
            kept = [old for old in csv.DictReader(file) if old["study"] not in made]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for cells in [*kept, *map(asdict, rows)]:
            writer.writerow({k: _short(v) for k, v in cells.items()})


def _short(value: Any) -> Any:
    return f"{value:.5g}" if isinstance(value, float) else value
