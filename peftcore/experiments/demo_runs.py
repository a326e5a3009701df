"""The runs that ship with the project, so that every page has results to show at first start.

`python -m peftcore demos` makes them again, and `demos --studies` those behind the grids of the
Scaling and Landscape pages.  Miniworld runs only: no third party's text enters the tree, not even
inside a run's answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from peftcore.adapters import measured_rates
from peftcore.labs.landscape.request import specs_by_vertices
from peftcore.labs.scaling import ablations
from peftcore.runs.ship import ADAPTER_FILE, ship
from peftcore.runs.spec import Members, RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.grid import RunGrid, Variation
from peftcore.training import planning, presets

HEADLINE_TASK = "miniworld_claims"  # a known skill in known words, by the recipe fair to methods
HEADLINE_RUNS: tuple[
    tuple[str, int, dict[str, int]], ...
] = (  # method, corners of the simplex, settings: prompts as long as in their papers
    ("prompt_tuning", 1, {"length": 50}),
    ("spt", 1, {"length": 50}),
    ("prefix_tuning", 1, {}),
    ("prefix_tuning", 3, {}),
    ("lora", 1, {}),
    ("atoms", 1, {}),
)
DEMO_RUNS = (  # task, method, corners of the simplex; every default of the first version
    ("miniworld_nli", "prompt_tuning", 1),
    ("miniworld_nli", "spt", 1),
    ("miniworld_nli", "prefix_tuning", 1),
    ("miniworld_nli", "prefix_tuning", 3),
    ("miniworld_nli", "lora", 1),
    ("miniworld_nli", "atoms", 1),
    ("miniworld_venues", "prompt_tuning", 1),
    ("miniworld_venues", "spt", 1),
    ("miniworld_venues", "prefix_tuning", 1),
)
SPARSE_ATOMS = {  # of which the Atoms page shows the few that matter, and two tasks' at once
    "method": "atoms",
    "settings.atoms": 8,
    "settings.components": ["attention.query", "attention.value", "cross.query", "cross.value"],
    "settings.stacks": ["decoder"],
    "settings.threshold": 3.0,
    "settings.learned_threshold": False,
    "population.seeds": 5,
}
TRANSFER_TASKS = ("miniworld_venues", "miniworld_nli")
MAX_ADAPTER_BYTES = 1_000_000  # of a run behind a grid, where pages show scores and few adapters


def demo_specs() -> list[RunSpec]:
    """Return the specs of the demo runs, the headline's last, so that pages show them first.

    Before them every default on two tasks, four seeds, and sparse atoms with five.
    """
    plain = [
        Variation(changes={"task": task, "method": method, "population.vertices": vertices})
        for task, method, vertices in DEMO_RUNS
    ]
    sparse = [
        Variation(changes={"task": task, **SPARSE_ATOMS})
        for task in ("miniworld_nli", "miniworld_sentiment")
    ]
    earlier = RunGrid.around(_base_spec("miniworld_nli", "spt"), [*plain, *sparse]).specs
    return [*earlier, *headline_specs()]


def headline_specs() -> list[RunSpec]:
    """Return the specs of the runs that the README and Compare open with.

    The recipe is that of every new run; the learning rate of each is the best of equally many.
    """
    size = presets.find_preset(presets.USUAL, planning.parameters_of_base("tiny-t5"))
    rates = {(s.method, s.vertices): s.best for s in measured_rates.CLAIMS_SEARCHES}
    return [
        planning.build_spec(
            "tiny-t5",
            HEADLINE_TASK,
            method,
            settings,
            {"seeds": 4, "vertices": vertices},
            size.section("training") | {"learning_rate": rates[method, vertices]},
            size.section("evaluation"),
        )
        for method, vertices, settings in HEADLINE_RUNS
    ]


def _base_spec(task: str, method: str) -> RunSpec:
    return RunSpec(base="tiny-t5", task=task, method=method, population=Members(seeds=4))


def _keeps_path(spec: RunSpec) -> bool:
    """Return whether a page shows this run's training path: scales of a prompt, a simplex.

    One of a kind is enough: the runs on the headline's task ship without.
    """
    if spec.task == HEADLINE_TASK:
        return False
    return spec.method in ("prompt_tuning", "spt") or spec.population.vertices > 1


def study_specs(store: RunStore) -> list[RunSpec]:
    """Return the runs that pages set beside demo runs, without the demo runs themselves.

    Scaling, around the run on venues: ablations, prompt lengths, training examples, and transfer
    from and to entailment. Landscape, around the simplex: other numbers of vertices.
    """
    demo = {spec.id: spec for spec in demo_specs()}
    [centre] = [s for s in demo.values() if (s.task, s.method) == (TRANSFER_TASKS[0], "spt")]
    [simplex] = [
        spec
        for spec in demo.values()
        if spec.population.vertices > 1 and spec.task != HEADLINE_TASK
    ]
    wanted = [
        spec
        for name in ablations.ABLATIONS
        for spec in ablations.build_ablation(name, centre, store, TRANSFER_TASKS).specs
    ]
    by_id = {spec.id: spec for spec in (*wanted, *specs_by_vertices(simplex))}
    return [spec for spec in by_id.values() if spec.id not in demo]


def write_demo_runs(
    out: Path, train: Callable[[Run], object], wanted: Sequence[RunSpec] | None = None
) -> list[Run]:
    """Train every demo run (or those wanted), and put them in `out` in place of what is there.

    Runs that an earlier call finished before it was stopped are not trained again.
    """
    store = RunStore(out.with_name(f".{out.name}-new"), demo_folder=out / "none")
    runs = [store.create(spec) for spec in (demo_specs() if wanted is None else wanted)]
    for run in runs:
        if run.status().state != "done":
            train(run)
    shutil.rmtree(out, ignore_errors=True)
    shipped_runs = []
    for run in runs:
        adapter = run.folder / ADAPTER_FILE
        small = adapter.is_file() and adapter.stat().st_size <= MAX_ADAPTER_BYTES
        with_path = wanted is None and _keeps_path(run.spec)
        half = run.spec.task == HEADLINE_TASK
        shipped_runs.append(
            ship(run, out, adapter=wanted is None or small, path=with_path, half=half)
        )
    shutil.rmtree(store.folder)
    return shipped_runs
