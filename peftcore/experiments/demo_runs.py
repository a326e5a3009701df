"""The demo runs that ship with the project, so that every page has results at first start.

`python -m peftcore ship demo-runs` makes them again, `ship study-runs` those behind studies of the
Scaling and Landscape pages.  Miniworld runs only: no third party's text enters the tree, not even
inside a run's answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from peftcore.labs.landscape import request
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training.planning import build_spec

DEMO_RUNS = (  # base, task, method, corners of the simplex
    ("tiny-t5", "miniworld_nli", "prompt_tuning", 1),
    ("tiny-t5", "miniworld_nli", "spt", 1),
    ("tiny-t5", "miniworld_nli", "prefix_tuning", 1),
    ("tiny-t5", "miniworld_nli", "prefix_tuning", 3),
    ("tiny-t5", "miniworld_nli", "lora", 1),
    ("tiny-t5", "miniworld_nli", "atoms", 1),
    ("tiny-t5", "miniworld_venues", "prompt_tuning", 1),
    ("tiny-t5", "miniworld_venues", "spt", 1),
    ("tiny-t5", "miniworld_venues", "prefix_tuning", 1),
)
SPARSE_ATOMS = {  # few atoms, so that the Atoms page can show those of two tasks
    "atoms": 8,
    "components": ["attention.query", "attention.value", "cross.query", "cross.value"],
    "stacks": ["decoder"],
    "threshold": 3.0,
    "learned_threshold": False,
}
# Larger adapters of studies do not ship: pages show the scores of these runs.
MAX_ADAPTER_BYTES = 1_000_000
SHIPPED_FILES = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("adapter.safetensors", "manifest.json", "log.txt"),
)


def demo_specs() -> list[RunSpec]:
    """List the specs of the demo runs: all defaults, four seeds; sparse atoms with five."""
    plain = [
        build_spec(base, task, method, None, {"seeds": 4, "vertices": vertices})
        for base, task, method, vertices in DEMO_RUNS
    ]
    sparse = [
        build_spec("tiny-t5", task, "atoms", SPARSE_ATOMS, {"seeds": 5})
        for task in ("miniworld_nli", "miniworld_sentiment")
    ]
    return plain + sparse


def _keeps_path(spec: RunSpec) -> bool:
    """Return whether a page shows this run's steps: scales of a prompt, a simplex."""
    return spec.method in ("prompt_tuning", "spt") or spec.population.vertices > 1


TRANSFER_TASKS = ("miniworld_venues", "miniworld_nli")


def study_specs(store: RunStore) -> list[RunSpec]:
    """List the specs of the studies around demo runs, without the demo runs themselves.

    Scaling, around the run on venues: ablations, prompt lengths, training examples, and transfer
    from and to entailment. Landscape, around the simplex: other numbers of vertices.
    """
    from peftcore.labs.scaling import ablations

    centre = build_spec("tiny-t5", TRANSFER_TASKS[0], "spt", None, {"seeds": 4})
    cells = [
        cell
        for name in ablations.ABLATIONS
        for cell in ablations.build_ablation(name, centre, store, TRANSFER_TASKS).cells
    ]
    known = {run.id for run in store.all() if run.demo}
    wanted = {cell.spec.id: cell.spec for cell in cells}
    simplex_spec = build_spec(
        "tiny-t5", "miniworld_nli", "prefix_tuning", None, {"seeds": 4, "vertices": 3}
    )
    wanted |= {spec.id: spec for spec in request.specs_by_vertices(simplex_spec)}
    return [spec for spec in wanted.values() if spec.id not in known]


def write_demo_runs(
    out: Path, train: Callable[[Run], object], wanted: Sequence[RunSpec] | None = None
) -> list[Run]:
    """Train every demo run (or the wanted ones) with `train`, and replace those in `out`.

    Runs that an earlier call finished before it was stopped are not trained again.
    """
    store = RunStore(out.with_name(f".{out.name}-new"), demo_folder=out / "none")
    runs = [store.create(spec) for spec in (demo_specs() if wanted is None else wanted)]
    for run in runs:
        if run.status().state != "done":
            train(run)
        kept = (
            {*SHIPPED_FILES, "path"}
            if wanted is None and _keeps_path(run.spec)
            else set(SHIPPED_FILES)
        )
        adapter = run.folder / "adapter.safetensors"
        if wanted is not None and adapter.is_file() and adapter.stat().st_size > MAX_ADAPTER_BYTES:
            kept.remove(adapter.name)
        for path in run.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(out, ignore_errors=True)
    store.folder.rename(out)
    return [RunStore(out).open(run.id) for run in runs]
