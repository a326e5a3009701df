"""What runs take on the disk, by part, and what of it can be deleted without losing a result."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from peftcore.errors import BadInput
from peftcore.system import rights

if TYPE_CHECKING:
    from peftcore.runs.store import Run

Part = Literal["checkpoint", "path", "adapter", "answers", "rest"]
Cleanable = Literal["checkpoint", "path"]
PART_NAMES: dict[Part, str] = {
    "checkpoint": "checkpoint, to resume from",
    "path": "adapters at intermediate steps",
    "adapter": "adapter",
    "answers": "answers",
    "rest": "everything else",
}
PART_FILES = {"checkpoint.safetensors": "checkpoint", "adapter.safetensors": "adapter"}
PART_FILES |= {"answers.parquet": "answers"}


def disk_use(run: Run) -> dict[Part, int]:
    """Count the bytes of a run's files by part."""
    sizes: dict[Part, int] = dict.fromkeys(get_args(Part), 0)
    for file in run.folder.rglob("*"):
        if not file.is_file() or file.is_symlink():
            continue
        in_path = file.parent.name == "path"
        part: Part = "path" if in_path else PART_FILES.get(file.name, "rest")  # type: ignore[assignment]
        sizes[part] += file.stat().st_size
    return sizes


def clean(run: Run, parts: tuple[Cleanable, ...] = ("checkpoint",)) -> int:
    """Delete checkpoints or intermediate adapters of a run at rest; return the bytes freed.

    Without its checkpoint a run that stopped short can only begin anew; without intermediate
    adapters its path cannot be drawn on a landscape. Scores, answers and the adapter stay.
    """
    run.refuse_if_fixed()
    status = run.status()
    if status.active:
        raise BadInput(f"run {run.id} is {status.state}; cancel it before cleaning it")
    rights.change("clean", f"run {run.id}")
    before = disk_use(run)
    if "checkpoint" in parts:
        (run.folder / "checkpoint.safetensors").unlink(missing_ok=True)
    if "path" in parts:
        _delete_folder(run.folder / "path")
    return sum(before[part] for part in parts)


def _delete_folder(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
