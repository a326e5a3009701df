"""The ladder of novelty: what methods of adaptation can teach, rung by rung of what is new.

Six tasks of Miniworld, each new to the base in one way more: another format, other meanings, words
it cannot spell, two skills at once, a new rule, a new pattern of attention.  On each rung every
method is trained at the best of the same number of learning rates, chosen by dev loss in short
runs, beside what the base does without training: zero-shot, with a written instruction, and with
examples in context.  `python -m peftcore experiment ladder` trains what is missing; the runs that
ship lie in `assets/ladder_runs`, and a cell without a run is shown as not run.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.errors import unknown_name
from peftcore.runs.ship import ship
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.learning_rate import finished_trials, learning_rates_around
from peftcore.training.planning import build_spec

BASE = "tiny-t5"
SEEDS, SEARCH_SEEDS = 4, 2
RATE_FACTORS = (0.3, 1.0, 3.0)  # of the method's own rate: as many tries for every method
TRAINING: Mapping[str, Any] = {
    "shots": 256,
    "dev": 48,
    "batch": 8,
    "steps": 320,
    "evaluate_every": 40,
    "patience": 4,
}
SEARCH_TRAINING: Mapping[str, Any] = {
    **TRAINING,
    "steps": 100,
    "evaluate_every": 50,
    "patience": 0,
}
ANSWERS, SEARCH_ANSWERS = 200, 8
SHIPPED_FOLDER = paths.ASSETS / "ladder_runs"
TRIES_FILE = SHIPPED_FOLDER / "tries.csv"


@dataclass(frozen=True)
class Rung:
    """One rung: its letter, its task, and what is new there, in one or two words and in full.

    instructions: what a person may write, in words of the base; the best on dev is taken.
    options: answers that there are to guess among.
    """

    letter: str
    short: str
    task: str
    title: str
    options: int
    instructions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The rung as charts name it."""
        return f"{self.letter}  {self.title}"


RUNGS = (
    Rung(
        "a",
        "format",
        "ladder_format",
        "Known words, another format",
        3,
        (
            "say right , wrong or not told .",
            "is it right or wrong ?",
            "check it by the story .",
        ),
    ),
    Rung(
        "b",
        "sense",
        "ladder_meanings",
        "Known words, other meanings",
        3,
        (
            "say wrong for right , say not told for wrong , say right for not told .",
            "right is wrong , wrong is not told , not told is right .",
            "right means not told , wrong means right , not told means wrong .",
        ),
    ),
    Rung(
        "c",
        "spell",
        "miniworld_nli",
        "Words it cannot spell",
        3,
        (
            "say entailment for right , say contradiction for wrong , say neutral for not told .",
            "entailment means right , contradiction means wrong , neutral means not told .",
            "entailment = right , contradiction = wrong , neutral = not told .",
        ),
    ),
    Rung(
        "d",
        "two skills",
        "ladder_composition",
        "Two known skills at once",
        2,
        (
            "which one is right ?",
            "say one or two .",
            "choose well .",
        ),
    ),
    Rung(
        "e",
        "count",
        "ladder_counting",
        "A new rule: counting",
        4,
        (
            "how many are animals ?",
            "say one , two , three or four .",
            "count them .",
        ),
    ),
    Rung(
        "f",
        "second last",
        "ladder_mention",
        "A new pattern: the second last",
        5,
        (
            "say the second last one .",
            "which word stands before the last ?",
            "pick the second last .",
        ),
    ),
)


@dataclass(frozen=True)
class Arm:
    """One method as the ladder tries it: its name in tables, and its settings."""

    label: str
    method: str
    settings: Mapping[str, Any]

    @property
    def trains(self) -> bool:
        """Return whether the method has numbers to train."""
        return METHODS[self.method].trains()


ZERO_SHOT = Arm("Zero-shot", "hard_prompt", {})
INSTRUCTION = Arm("Instruction", "hard_prompt", {"instruction": ""})  # of the rung, see `tries`
IN_CONTEXT = Arm("4 in context", "in_context", {"examples": 4})
ARMS = (
    ZERO_SHOT,
    INSTRUCTION,
    IN_CONTEXT,
    Arm("16 in context", "in_context", {"examples": 16}),
    Arm("Prompt tuning", "prompt_tuning", {"length": 20}),
    Arm("Prefix tuning", "prefix_tuning", {"length": 20}),
    Arm("LoRA", "lora", {}),
    Arm("LoRA in both stacks", "lora", {"stacks": ["encoder", "decoder"]}),
    Arm("Scaled prompt tuning", "spt", {"length": 20}),
    Arm("(IA)³", "ia3", {}),
    Arm("Sparse atoms", "atoms", {}),
    Arm("Full fine-tuning", "full_fine_tuning", {}),
)


@dataclass(frozen=True)
class Try:
    """One try of an arm on a rung, and what it gave on dev; the test split chooses nothing."""

    rung: str
    arm: str
    value: str  # the learning rate, or the instruction
    dev_loss: float | None
    stopped: int  # seeds that diverged
    run: str


def find_rung(letter: str) -> Rung:
    """Return a rung by its letter; BadInput names those there are."""
    known = {rung.letter: rung for rung in RUNGS}
    if letter not in known:
        raise unknown_name("rung", letter, known)
    return known[letter]


def find_arm(label: str) -> Arm:
    """Return an arm by its label; BadInput names those there are."""
    known = {arm.label: arm for arm in ARMS}
    if label not in known:
        raise unknown_name("arm", label, known)
    return known[label]


def tried_values(rung: Rung, arm: Arm) -> list[Any]:
    """Return what is tried of an arm on a rung: rates, instructions, or nothing."""
    if arm is INSTRUCTION:
        return list(rung.instructions)
    if not arm.trains:
        return []
    default = METHODS[arm.method].default_learning_rate("encoder-decoder")
    return learning_rates_around(default, RATE_FACTORS)


def try_spec(rung: Rung, arm: Arm, value: Any) -> RunSpec:
    """Return the short run of one try."""
    return _spec(rung, arm, value, SEARCH_SEEDS, SEARCH_TRAINING, SEARCH_ANSWERS)


def cell_spec(rung: Rung, arm: Arm, value: Any) -> RunSpec:
    """Return the run of a cell, at the value that was chosen; None where nothing was tried."""
    return _spec(rung, arm, value, SEEDS, TRAINING, ANSWERS)


def _spec(
    rung: Rung, arm: Arm, value: Any, seeds: int, training: Mapping[str, Any], answers: int
) -> RunSpec:
    settings = dict(arm.settings)
    if arm is INSTRUCTION:
        settings["instruction"] = value
    rate = {"learning_rate": float(value)} if arm.trains else {}
    return build_spec(
        BASE,
        rung.task,
        arm.method,
        settings,
        population={"seeds": seeds},
        training={**training, **rate},
        evaluation={"limit": answers},
    )


@dataclass(frozen=True)
class LadderCell:
    """A method on a rung: its tries, and its run where there is one."""

    rung: Rung
    arm: Arm
    tries: tuple[Try, ...]
    run: Run | None

    @property
    def chosen(self) -> Try | None:
        """The try with the lowest dev loss among those in which fewest seeds diverged."""
        known = [each for each in self.tries if each.dev_loss is not None]
        return min(known, key=lambda each: (each.stopped, each.dev_loss or 0.0), default=None)

    @property
    def wanted(self) -> int:
        """Return how many tries the arm gets on the rung."""
        return len(tried_values(self.rung, self.arm))

    @cached_property
    def spec(self) -> RunSpec | None:
        """The spec of the run; None while tries are missing."""
        if len(self.tries) < self.wanted:
            return None
        return cell_spec(self.rung, self.arm, self.chosen.value if self.chosen else None)


def find_cell(rung: Rung, arm: Arm, store: RunStore, shipped: Sequence[Try]) -> LadderCell:
    """Find a cell's tries, among the workspace's runs or those that ship, and its run."""
    tries = []
    for value in tried_values(rung, arm):
        own = store.find(try_spec(rung, arm, value))
        if own and own.status().state == "done":
            tries.append(_try_of_run(rung, arm, value, own))
            continue
        key = (rung.letter, arm.label, str(value))
        tries += [each for each in shipped if (each.rung, each.arm, each.value) == key]
    cell = LadderCell(rung, arm, tuple(tries), None)
    run = store.find(cell.spec) if cell.spec else None
    done = run if run and run.status().state == "done" else None
    return LadderCell(rung, arm, tuple(tries), done)


def _try_of_run(rung: Rung, arm: Arm, value: Any, run: Run) -> Try:
    [trial] = finished_trials([run])
    return Try(rung.letter, arm.label, str(value), trial.dev_loss, trial.stopped, run.id)


def ladder_cells(store: RunStore | None = None) -> list[LadderCell]:
    """Return every cell, arm by arm, with what there is of it."""
    store, shipped = store or RunStore(), read_tries()
    return [find_cell(rung, arm, store, shipped) for arm in ARMS for rung in RUNGS]


def train_ladder(
    train: Callable[[RunSpec], Run],
    on_cell: Callable[[LadderCell], None] = lambda cell: None,
    rungs: Sequence[Rung] = RUNGS,
    arms: Sequence[Arm] = ARMS,
) -> list[LadderCell]:
    """Train what is missing, arm by arm: the tries of a cell, then its run; return the cells."""
    store, shipped, cells = RunStore(), read_tries(), []
    for arm in arms:
        for rung in rungs:
            cell = find_cell(rung, arm, store, shipped)
            if cell.spec is None:
                for value in tried_values(rung, arm):
                    train(try_spec(rung, arm, value))
                cell = find_cell(rung, arm, store, shipped)
            if cell.run is None and cell.spec:
                run = train(cell.spec)
                done = run if run.status().state == "done" else None
                cell = LadderCell(rung, arm, cell.tries, done)
            cells.append(cell)
            on_cell(cell)
    return cells


def read_tries(file: Path | None = None) -> list[Try]:
    """Read the tries that ship; none where there is no file."""
    path = file or TRIES_FILE
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as rows:
        return [_read_try(row) for row in csv.DictReader(rows)]


def _read_try(row: dict[str, Any]) -> Try:
    """Return a try from its line of the table."""
    loss = float(row["dev_loss"]) if row["dev_loss"] else None
    return Try(**{**row, "dev_loss": loss, "stopped": int(row["stopped"])})


def ship_ladder(out: Path) -> list[Run]:
    """Copy the finished cells, without adapters, and write the tries they were chosen by."""
    cells = [cell for cell in ladder_cells() if cell.run]
    out.mkdir(parents=True, exist_ok=True)
    with (out / TRIES_FILE.name).open("w", newline="", encoding="utf-8") as rows:
        writer = csv.DictWriter(rows, [field.name for field in fields(Try)])
        writer.writeheader()
        writer.writerows(asdict(each) for cell in cells for each in cell.tries)
    return [ship(cell.run, out) for cell in cells if cell.run]
