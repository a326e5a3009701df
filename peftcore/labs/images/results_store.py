"""Where the pictures lab finds its runs and figures: the workspace's own, then what ships.

`assets/pictures/runs` holds finished runs as any others, but adapters only where the page weighs
their atoms; `assets/pictures/figures` what was measured on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peftcore import paths, tasks
from peftcore.errors import BadInput
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files

TASKS = ("pictures_digit", "pictures_digit_alone", "pictures_concept", "pictures_style")
METHODS = ("atoms", "lora", "full_fine_tuning", "prefix_tuning", "prompt_tuning")
BASES = {"digits": "tiny-digits", "scenes": "tiny-scenes"}


def folder() -> Path:
    """The folder of what ships."""
    return paths.ASSETS / "pictures"


def store() -> RunStore:
    """The runs of the workspace, and beside them those of pictures that ship."""
    return RunStore(demos=folder() / "runs")


def runs(task: str = "") -> list[Run]:
    """Finished runs on pictures, of one task if it is named, those that ship last."""
    wanted = (task,) if task else TASKS
    return [r for r in store().all() if r.spec.task in wanted and r.status().state == "done"]


def open_run(run_id: str, *, atoms: bool = False) -> Run:
    """A run on pictures; BadInput unless it is one, and with `atoms` unless its atoms are here."""
    run = store().open(run_id)
    if not tasks.find(run.spec.task).draws:
        raise BadInput(f"run {run_id} answers with text; choose one of a task of pictures")
    if atoms and run.spec.method != "atoms":
        raise BadInput(f"run {run_id} was trained by {run.spec.method} and has no atoms to weigh")
    if atoms and not (run.folder / "adapter.safetensors").is_file():
        raise BadInput(f"run {run_id} ships without its adapter; train it again with --again")
    return run


def _path(name: str) -> Path:
    if not re.fullmatch(r"[a-z]+(-[0-9a-f]{12})+", name):
        raise BadInput(f"a figure is called by its kind and runs; got {name[:40]!r}")
    return Path("figures") / f"{name}.json"


def figure(name: str) -> dict[str, Any] | None:
    """What was measured under this name, one's own before what ships; None if nothing was."""
    own = atomic_files.read_json(paths.home() / "pictures" / _path(name))
    return own or atomic_files.read_json(folder() / _path(name)) or None


def stamp(name: str) -> float:
    """When the figure of this name was written, to tell what is remembered of it from news."""
    own = paths.home() / "pictures" / _path(name)
    path = own if own.is_file() else folder() / _path(name)
    return atomic_files.modified(path)


def there(name: str, out: Path) -> bool:
    """Whether a figure lies in a folder of one's own."""
    return (out / _path(name)).is_file()


def keep(name: str, figure: Mapping[str, Any], out: Path | None = None) -> Path:
    """Write what was measured into the workspace, or into a folder of one's own."""
    path = (out or paths.home() / "pictures") / _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(path, json.dumps(figure, separators=(",", ":")).encode())
    return path
