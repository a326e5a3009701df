"""Demo projects: explanations of the demo runs, rated by simulated raters, shipped as bundles.

`python -m peftcore ship rating` makes them again, byte for byte.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.rating import bundle, creation, simulation
from peftcore.rating.access import experimenter
from peftcore.rating.collect_answers import collect_answer_pool
from peftcore.rating.store import RatingStore
from peftcore.runs.store import Run, RunStore
from peftcore.system import people

TASK = "miniworld_nli"
METHODS = ("lora", "atoms", "prefix_tuning", "spt", "prompt_tuning")
DEMOS: dict[str, tuple[str, dict[str, Any]]] = {  # file → name and settings of its project
    "entailment": (
        "Demo: entailment explained, simulated raters",
        {"items": 20, "pool": "all", "seed": 1},
    ),
    "entailment_pairs": (
        "Demo: entailment explained, pair by pair, simulated raters",
        {"mode": "pairwise", "items": 8, "pool": "all", "seed": 2},
    ),
    "entailment_scales": (
        "Demo: entailment explained, on four dimensions, simulated raters",
        {"mode": "likert", "items": 6, "pool": "all", "seed": 3},
    ),
    "entailment_pretrained": (
        "Demo: entailment explained by a pretrained model, simulated raters",
        {"items": 16, "pool": "all", "seed": 4},
    ),
}
ON_REAL_BASE = "entailment_pretrained"
START_TIME = 1_790_000_000.0  # epoch seconds: a fixed moment, so that a bundle is always the same
RATERS = 4


def demo_folder() -> Path:
    """Return the folder of the shipped bundles."""
    return paths.ASSETS / "rating"


def open_rating_store(url: str | None = None) -> RatingStore:
    """Open the rating store, with the demo projects in it."""
    with people.acting_as(people.PROGRAM):  # whoever looks first
        return _open_with_demos(url)


def _open_with_demos(url: str | None) -> RatingStore:
    """Open the rating store, and load the demo projects that it has not."""
    store, user = RatingStore(url), experimenter()
    existing = {project.name for project in creation.list_projects(store, user) if project.demo}
    for file, (name, _) in DEMOS.items():
        path = demo_folder() / f"{file}.jsonl"
        if name not in existing and path.is_file():
            with path.open(encoding="utf-8") as lines:
                bundle.load_project(store, user, lines, demo=True)
    return store


def make_demo(file: str) -> list[str]:
    """Return the lines of a demo project, made from runs that ship."""
    name, settings = DEMOS[file]
    rng, now = random.Random(file), [START_TIME]

    def pass_time(seconds: float) -> None:
        """Advance the simulated clock."""
        now[0] = round(now[0] + seconds, 2)

    with tempfile.TemporaryDirectory() as directory:
        store = RatingStore(
            f"sqlite:///{directory}/demo.sqlite",
            clock=lambda: now[0],
            new_id=lambda: f"{rng.getrandbits(64):016x}",
        )
        user = experimenter("demo")
        runs = runs_on_real_base() if file == ON_REAL_BASE else demo_runs()
        project = creation.create_project(store, user, runs, name, **settings)
        simulation.simulate_raters(
            store, user, project.id, answers_by_question(runs), RATERS, pass_time=pass_time
        )
        creation.set_project_open(store, user, project.id, False)
        lines = list(bundle.dump_project(store, user, project.id))
        store.close()
    return lines


def demo_runs() -> list[Run]:
    """List one plain demo run of each method, in the order of METHODS."""
    store = RunStore()
    shipped = [
        run
        for run in store.all()
        if run.folder.parent == store.demo_folder and run.spec.task == TASK
    ]
    run_by_method = {run.spec.method: run for run in shipped if run.spec.population.vertices == 1}
    return [run_by_method[method] for method in METHODS]


def runs_on_real_base() -> list[Run]:
    """List the shipped runs on a pretrained model whose texts are our own, by method."""
    store = RunStore()
    runs = [r for r in store.all() if r.folder.parent == store.real_folder and r.spec.task == TASK]
    return sorted(runs, key=lambda run: run.spec.method)


def answers_by_question(runs: Iterable[Run]) -> dict[str, tuple[str, str]]:
    """Return question text → its right answer and the data set's own explanation."""
    questions = collect_answer_pool(list(runs)).questions.values()
    return {simulation.question_text(q.fields): (q.label, q.gold) for q in questions}
