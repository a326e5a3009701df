"""Finished runs as they ship with the project: what pages show of them, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from peftcore.errors import BadInput
from peftcore.runs.store import Run, RunStore

ADAPTER_FILE = "adapter.safetensors"
SHIPPED_FILES = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("manifest.json", "log.txt"),
)


def ship(run: Run, into: Path, *, adapter: bool = False, path: bool = False) -> Run:
    """Copy a finished run into a folder of runs that ship, in place of what is there of it.

    adapter: with the trained adapter.  path: with the adapters at steps of the training, too.
    Returns the shipped run; BadInput unless the run is done.
    """
    if run.status().state != "done":
        raise BadInput(f"run {run.id} is {run.status().state}; only finished runs ship")
    target = into / run.id
    if target.resolve() != run.folder.resolve():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in (*SHIPPED_FILES, *((ADAPTER_FILE,) if adapter else ())):
            if (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, target / name)
        if path and (run.folder / "path").is_dir():
            shutil.copytree(run.folder / "path", target / "path")
    return RunStore(into).open(run.id)
