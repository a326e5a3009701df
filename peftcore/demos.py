"""The runs that ship with the project, so that every page shows something true at first start.

`python -m peftcore demos` makes them again.  Miniworld runs only: no third party's text enters the
tree, not even inside a run's answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from peftcore.planning import plan
from peftcore.runs import Run, RunStore
from peftcore.spec import RunSpec

COURSES = (  # base, task, method
    ("tiny-t5", "miniworld_nli", "prompt_tuning"),
    ("tiny-t5", "miniworld_nli", "spt"),
    ("tiny-t5", "miniworld_nli", "prefix_tuning"),
    ("tiny-t5", "miniworld_nli", "lora"),
    ("tiny-t5", "miniworld_venues", "prefix_tuning"),
)
KEPT = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("adapter.safetensors", "manifest.json", "log.txt"),
)


def specs() -> list[RunSpec]:
    """What the demo runs ask for: every default, four seeds."""
    return [plan(base, task, method, None, {"seeds": 4}) for base, task, method in COURSES]


def make(out: Path, work: Callable[[Run], object]) -> list[Run]:
    """Do every demo run with `work`, then put them in `out` in place of what was there."""
    store = RunStore(out.with_name(f".{out.name}-new"), demos=out / "none")
    shutil.rmtree(store.folder, ignore_errors=True)
    runs = [store.create(spec) for spec in specs()]
    for run in runs:
        work(run)
        for path in run.folder.iterdir():
            if path.name not in KEPT:
                path.unlink()
    shutil.rmtree(out, ignore_errors=True)
    store.folder.rename(out)
    return [RunStore(out).open(run.id) for run in runs]
