"""Finished runs as they ship with the project: what pages show of them, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from peftcore.errors import BadInput
from peftcore.runs import forgetting
from peftcore.runs.store import EXAMPLE_TEXTS, Run, RunStore
from peftcore.system import atomic_files

ADAPTER_FILE = "adapter.safetensors"
SHIPPED_FILES = (
    *("spec.json", "status.json", "history.jsonl", "answers.parquet", "scores.json"),
    *("manifest.json", "log.txt", forgetting.FILE),
)


def ship(
    run: Run,
    into: Path,
    *,
    adapter: bool = False,
    path: bool = False,
    texts: bool = True,
    half: bool = False,
) -> Run:
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
        if adapter and half and (target / ADAPTER_FILE).is_file():
            _halve(target / ADAPTER_FILE)
        if not texts:
            _drop_example_texts(target / "answers.parquet")
    return RunStore(into).open(run.id)


def _halve(adapter: Path) -> None:
    """Store an adapter's numbers in half precision; loading brings them back to single."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save

    with safe_open(adapter, "pt") as file:
        note = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    halves = {
        name: tensor.to(torch.float16) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    atomic_files.replace_file(adapter, save(halves, metadata=note))


def _drop_example_texts(answers: Path) -> None:
    """Leave ids, labels and what the models wrote: the texts belong to others."""
    table = pd.read_parquet(answers).drop(columns=list(EXAMPLE_TEXTS), errors="ignore")
    atomic_files.replace_file(answers, table.to_parquet(index=False))
