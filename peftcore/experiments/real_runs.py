"""Runs on a real base that ship with the project, so that its pages show a pretrained model.

`python -m peftcore ship real-runs` makes them again. The base does not ship, nor do the texts of
the data: of each run there are its history, its answers by the examples' ids, its scores, and the
adapter in half precision where it is small. Who adds the base can ask them anew.

Sized for two processor cores: few steps and answers, four seeds. Rates are the best of five tries
each, by dev loss alone (`adapters.measured_rates`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peftcore.adapters import measured_rates
from peftcore.adapters.base import METHODS
from peftcore.runs.ship import ADAPTER_FILE, ship
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import Run, RunStore

BASE, TASK = "smollm2-135m", "comve"
SEEDS = 4
TRAINING: Mapping[str, Any] = {
    "shots": 48,
    "dev": 16,
    "steps": 24,
    "batch": 4,
    "evaluate_every": 8,
}
SIMPLEX_COPIES = 3  # of dev in stochastic validation, each with a pass of its own
ANSWERS, ANSWER_TOKENS = 60, 40
MAX_ADAPTER_BYTES = 1_250_000  # in half precision; of larger ones scores and answers ship
UPPER_LAYERS = {"first_layer": 20}  # of 30: what lies below is computed once for each example
PREFIX_TEXT = (
    "Which of the two sentences makes no sense? Name it, and explain why it makes no sense."
)


@dataclass(frozen=True)
class RealRun:
    """One run: its method, what differs from the defaults, and corners of the simplex."""

    title: str
    method: str
    settings: Mapping[str, Any]
    vertices: int = 1
    tries: measured_rates.Losses | None = None  # of its rate, where they are not the method's
    task: str = TASK

    def learning_rate(self) -> float:
        """Return the best rate that was tried, the method's own where none was."""
        if self.tries:
            return measured_rates.best_rate(self.tries)
        method = METHODS[self.method]
        return method.default_learning_rate("decoder", measured_rates.LARGE_BASE)

    def spec(self) -> RunSpec:
        """Return the spec, which is the same whether or not the base is on this machine."""
        copies = {"copies": SIMPLEX_COPIES} if self.vertices > 1 else {}
        settings = METHODS[self.method].Config.make(self.settings)
        training = {**TRAINING, **copies, "learning_rate": self.learning_rate()}
        return RunSpec(
            base=BASE,
            task=self.task,
            method=self.method,
            settings=settings.model_dump(mode="json"),
            population=Members(seeds=SEEDS, vertices=self.vertices),
            training=Training(**training),
            evaluation=Evaluation(limit=ANSWERS, max_new_tokens=ANSWER_TOKENS),
        )


MEASURES_FILE = "measures.json"
RANDOM_PREFIX = "random prefix"  # the subject that is no run
REAL_RUNS = (
    RealRun("LoRA", "lora", UPPER_LAYERS),
    RealRun("Prefix tuning, simplex of 3", "prefix_tuning", UPPER_LAYERS, vertices=3),
    RealRun("Prefix tuning, random start", "prefix_tuning", UPPER_LAYERS),
    RealRun(
        "Prefix tuning, start at a text",
        "prefix_tuning",
        {**UPPER_LAYERS, "start": "text", "text": PREFIX_TEXT},
        tries=measured_rates.PREFIX_FROM_TEXT,
    ),
    RealRun("(IA)³", "ia3", UPPER_LAYERS),
    # Four atoms of each matrix instead of sixteen, so that the adapter is small enough to ship.
    RealRun("Sparse atoms", "atoms", {**UPPER_LAYERS, "atoms": 4}),
    RealRun("SparseFit", "sparsefit", UPPER_LAYERS),
    RealRun("Prompt tuning", "prompt_tuning", {}),
    RealRun("Scaled prompt tuning", "spt", {}),
)
# Their explanations are rated in a demo project, whose texts ship: so they are of Miniworld.
RATED_RUNS = (
    RealRun("LoRA", "lora", UPPER_LAYERS, task="miniworld_nli"),
    RealRun("Prefix tuning", "prefix_tuning", UPPER_LAYERS, task="miniworld_nli"),
)


def real_specs() -> list[RunSpec]:
    """Return the specs of the runs on real data."""
    return [run.spec() for run in REAL_RUNS]


def rated_specs() -> list[RunSpec]:
    """Return the specs of the runs whose explanations a demo project has."""
    return [run.spec() for run in RATED_RUNS]


def ship_real_runs(out: Path, train: Callable[[Run], object]) -> list[Run]:
    """Train in the workspace what is not done there, and copy each run to `out` as it is ready.

    Returns the runs of REAL_RUNS, then those of RATED_RUNS.
    """
    store = RunStore()
    shipped = []
    for spec in (*real_specs(), *rated_specs()):
        run = store.create(spec, include_demos=False)
        if run.status().state != "done":
            train(run)
        shipped.append(_ship(run, out))
    return shipped


def _ship(run: Run, out: Path) -> Run:
    """Ship a run without texts of the data, and with its adapter and path where they are small."""
    adapter = run.folder / ADAPTER_FILE
    small = adapter.is_file() and adapter.stat().st_size / 2 <= MAX_ADAPTER_BYTES
    with_path = run.spec.method in ("prompt_tuning", "spt")
    return ship(run, out, adapter=small, path=with_path, texts=False, half=True)
