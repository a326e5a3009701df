"""Adapters in folders: our own format, and that of the peft package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from peftcore import paths
from peftcore.api.results import TrainedAdapter
from peftcore.errors import BadInput
from peftcore.exchange import folders
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

# The spec comes last: only with it is a folder a run.  Answers, which quote the data, stay behind.
FILES = (
    *("adapter.safetensors", "manifest.json", "scores.json"),
    *("status.json", "history.jsonl", "spec.json"),
)


def save(trained: TrainedAdapter, folder: str | Path) -> Path:
    """Write an adapter to a new folder, with all that decides and describes it but its answers.

    BadInput if the folder has files in it, or if there is no adapter yet.

    >>> import peftcore, tempfile, pathlib
    >>> run = next(r for r in peftcore.RunStore().all() if r.spec.base == "tiny-t5")
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "mine"
    >>> _ = peftcore.save(peftcore.TrainedAdapter(run), folder)
    >>> peftcore.load(folder).run.spec == run.spec
    True
    """
    run = trained.run
    source = run.folder
    if not (source / "adapter.safetensors").is_file():
        raise BadInput(f"run {run.id} has no adapter yet: it is {run.status().state}")
    target = folders.new_folder(Path(folder))
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return target


def load(folder: str | Path, base: BaseModel | None = None) -> TrainedAdapter:
    """Read an adapter that `save` wrote; the base is loaded by its name unless it is given.

    BadInput if the folder has no adapter, and once it is used if the base has other weights.

    >>> import peftcore, tempfile
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> run = next(r for r in peftcore.RunStore().all() if r.spec.base == "tiny-t5")
    >>> folder = peftcore.save(peftcore.TrainedAdapter(run), tempfile.mkdtemp())
    >>> peftcore.load(folder, base).adapted.seeds == run.spec.population.seeds
    True
    """
    source = paths.expand(folder).resolve()
    stored = atomic_files.read_json(source / "spec.json")
    if not stored or not (source / "adapter.safetensors").is_file():
        raise BadInput(f"{folder} has no adapter that was saved here")
    return TrainedAdapter(Run(source, RunSpec.make(stored), demo=True), base)


def to_peft(trained: TrainedAdapter, folder: str | Path, seed: int | None = None) -> list[str]:
    """Write one seed, the first unless named, as a folder of the peft package; returns notes on it.

    Of a simplex it is the centroid.  BadInput if the package cannot express the method.

    >>> import peftcore, tempfile
    >>> runs = peftcore.RunStore().all()
    >>> run = next(r for r in runs if (r.spec.method, r.spec.base) == ("lora", "tiny-t5"))
    >>> folder = tempfile.mkdtemp()
    >>> notes = peftcore.to_peft(peftcore.TrainedAdapter(run), folder)
    >>> peftcore.from_peft(folder, "tiny-t5", run.spec.task).run.spec.method
    'lora'
    """
    number = trained.run.spec.population.first_seed if seed is None else seed
    return folders.export_peft(trained.run, number, Path(folder), trained.base)


def from_peft(folder: str | Path, base: BaseModel | str, task: str) -> TrainedAdapter:
    """Read a folder of the peft package as a run of a task, trained elsewhere and without scores.

    The task says how texts read and what the labels are.  BadInput if the folder is damaged, for
    another base, or of a method there is none like here.

    >>> import peftcore, tempfile
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> runs = peftcore.RunStore().all()
    >>> run = next(r for r in runs if (r.spec.method, r.spec.base) == ("lora", "tiny-t5"))
    >>> folder = tempfile.mkdtemp()
    >>> notes = peftcore.to_peft(peftcore.TrainedAdapter(run, base), folder)
    >>> imported = peftcore.from_peft(folder, base, run.spec.task)
    >>> len(imported.predict(["the cat sees the dog"]))
    1
    """
    run = folders.import_peft(Path(folder), base, task)
    return TrainedAdapter(run, None if isinstance(base, str) else base)
