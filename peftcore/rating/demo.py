"""Demo projects: explanations of the demo runs, rated by simulated raters, shipped as bundles.

`python -m peftcore rate demos` makes them again, byte for byte.
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
from peftcore.rating.collect_answers import pool
from peftcore.rating.store import Book
from peftcore.runs.store import Run, RunStore

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
}
BEGUN = 1_790_000_000.0  # epoch seconds: a fixed moment, so that a bundle is always the same
RATERS = 4


def folder() -> Path:
    """Where the bundles are shipped."""
    return paths.ASSETS / "rating"


def open_book(url: str | None = None) -> Book:
    """The book of ratings, with the demo projects in it."""
    book, who = Book(url), experimenter()
    there = {project.name for project in creation.projects(book, who) if project.demo}
    for file, (name, _) in DEMOS.items():
        path = folder() / f"{file}.jsonl"
        if name not in there and path.is_file():
            with path.open(encoding="utf-8") as lines:
                bundle.load(book, who, lines, demo=True)
    return book


def make(file: str) -> list[str]:
    """The lines of a demo, from the demo runs."""
    name, settings = DEMOS[file]
    rng, time = random.Random(file), [BEGUN]

    def wait(seconds: float) -> None:
        time[0] = round(time[0] + seconds, 2)

    with tempfile.TemporaryDirectory() as place:
        book = Book(
            f"sqlite:///{place}/demo.sqlite",
            clock=lambda: time[0],
            new_id=lambda: f"{rng.getrandbits(64):016x}",
        )
        who, runs = experimenter("demo"), demo_runs()
        project = creation.create(book, who, runs, name, **settings)
        simulation.simulate(book, who, project.id, known(runs), RATERS, pass_time=wait)
        creation.set_open(book, who, project.id, False)
        lines = list(bundle.dump(book, who, project.id))
        book.close()
    return lines


def demo_runs() -> list[Run]:
    """One plain demo run of each method, in the order of METHODS."""
    store = RunStore()
    shipped = [run for run in store.all() if run.demo and run.spec.task == TASK]
    plain = {run.spec.method: run for run in shipped if run.spec.population.vertices == 1}
    return [plain[method] for method in METHODS]


def known(runs: Iterable[Run]) -> dict[str, tuple[str, str]]:
    """Each question's text → its right answer and the data set's own explanation."""
    questions = pool(list(runs)).questions.values()
    return {simulation.question_text(q.fields): (q.label, q.gold) for q in questions}
