"""Finds runs and figures of the images lab: the workspace's own, then what ships.

`assets/pictures/runs` holds finished runs as any others, but adapters only where the page scales
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


def assets_folder() -> Path:
    """Return the folder of what ships."""
    return paths.ASSETS / "pictures"


def image_store() -> RunStore:
    """Open the runs of the workspace together with the image runs that ship."""
    return RunStore(demo_folder=assets_folder() / "runs")


def finished_runs(task: str = "") -> list[Run]:
    """List finished image runs, of one task if it is named, shipped ones last."""
    wanted = (task,) if task else TASKS
    return [r for r in image_store().all() if r.spec.task in wanted and r.status().state == "done"]


def open_image_run(run_id: str, *, with_atoms: bool = False) -> Run:
    """Open an image run; BadInput for others, and with `with_atoms` for one without atoms here."""
    run = image_store().open(run_id)
    if not tasks.find_task(run.spec.task).image_world:
        raise BadInput(f"run {run_id} answers with text; choose one of a task of pictures")
    if with_atoms and run.spec.method != "atoms":
        raise BadInput(f"run {run_id} was trained by {run.spec.method} and has no atoms to scale")
    if with_atoms and not (run.folder / "adapter.safetensors").is_file():
        raise BadInput(f"run {run_id} ships without its adapter; train it again with --again")
    return run


def _figure_path(name: str) -> Path:
    if not re.fullmatch(r"[a-z]+(-[0-9a-f]{12})+", name):
        raise BadInput(f"a figure is called by its kind and runs; got {name[:40]!r}")
    return Path("figures") / f"{name}.json"


def load_figure(name: str) -> dict[str, Any] | None:
    """Load the figure of this name, the workspace's before a shipped one; None if there is none."""
    own_figure = atomic_files.read_json(paths.workspace_folder() / "pictures" / _figure_path(name))
    return own_figure or atomic_files.read_json(assets_folder() / _figure_path(name)) or None


def figure_modified(name: str) -> float:
    """Return when the figure of this name was written, so that caches notice a new one."""
    own_path = paths.workspace_folder() / "pictures" / _figure_path(name)
    path = own_path if own_path.is_file() else assets_folder() / _figure_path(name)
    return atomic_files.modified_ns(path)


def figure_exists(name: str, out: Path) -> bool:
    """Return whether a folder has a figure."""
    return (out / _figure_path(name)).is_file()


def save_figure(name: str, figure: Mapping[str, Any], out: Path | None = None) -> Path:
    """Write a figure into the workspace, or into another folder."""
    path = (out or paths.workspace_folder() / "pictures") / _figure_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.replace_file(path, json.dumps(figure, separators=(",", ":")).encode())
    return path
