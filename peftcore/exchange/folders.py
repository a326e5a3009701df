"""Adapters to and from other programs: folders of the `peft` package, and merged models.

An export is the centroid of one seed's simplex; an encoder's classification head, which the package
has no place for, is written beside it. An import becomes a run that was never trained here and has
no scores. Nothing from a folder is executed, and every file is checked before it is read.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from peftcore import paths, tasks
from peftcore.adapters.base import HEAD_STATS, METHODS
from peftcore.errors import BadInput, unknown_name
from peftcore.exchange import merge, peft_export, peft_import
from peftcore.models import plain_text
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files, rights, safetensors_files
from peftcore.system.zip_files import zip_bytes
from peftcore.training import planning
from peftcore.training.checkpoint import load_adapter, save_adapter

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel

CONFIG, WEIGHTS, HEAD = "adapter_config.json", "adapter_model.safetensors", "head.safetensors"
MAX_CONFIG_BYTES = 1_000_000  # bytes
MAX_BROWSER_BYTES = 500_000_000  # bytes of a merged model


def export_peft(
    run: Run,
    seed: int,
    folder: Path,
    base: BaseModel | None = None,
    moved_positions: bool = False,
) -> list[str]:
    """Write one seed of a run as a folder of the peft package; return notes for its user.

    BadInput if the package cannot express it. moved_positions: see `peft_export.to_peft_files`.
    """
    from safetensors.torch import save_file

    index = seed_index(run, seed)
    adapted = _load_adapted(run, base)
    peft_files = peft_export.to_peft_files(adapted, index, moved_positions)
    note = _origin_note(run, seed, adapted.base)
    target = new_folder(folder)
    text = json.dumps(peft_files.config, indent=2, sort_keys=True)
    atomic_files.replace_file(target / CONFIG, text.encode())
    save_file(peft_files.tensors, target / WEIGHTS, metadata={"format": "pt", "peftcore": note})
    notes = peft_files.notes + _write_head(adapted, index, run, target, note)
    atomic_files.replace_file(
        target / "README.md", _readme(run, seed, adapted.base, notes).encode()
    )
    return notes


def export_merged(run: Run, seed: int, folder: Path, base: BaseModel | None = None) -> list[str]:
    """Write the base with one seed's changes added to its weights; return notes for its user.

    BadInput if the method does not only change weights.
    """
    index = seed_index(run, seed)
    adapted = _load_adapted(run, base)
    model = merge.merged_model(adapted, index)
    note = _origin_note(run, seed, adapted.base)
    target = new_folder(folder)
    model.save_pretrained(target)
    plain_text.with_special_words(adapted.base.tokenizer).save_pretrained(target)
    notes = _write_head(adapted, index, run, target, note)
    atomic_files.replace_file(
        target / "README.md", _readme(run, seed, adapted.base, notes).encode()
    )
    return notes


def export_zip(
    run: Run,
    seed: int,
    to: Literal["peft", "merged"],
    base: BaseModel,
    moved_positions: bool = False,
) -> tuple[bytes, list[str]]:
    """Return an export as the bytes of a zip, for a browser, and notes for its user."""
    if to == "merged" and 4 * base.parameter_count > MAX_BROWSER_BYTES:
        raise BadInput(
            f"a merged {base.name} has {4 * base.parameter_count:,} bytes, too many for a browser; "
            f"python -m peftcore export {run.id} --to merged --out FOLDER writes it to disk"
        )
    with tempfile.TemporaryDirectory() as temporary_folder:
        folder = Path(temporary_folder) / "export"
        if to == "peft":
            notes = export_peft(run, seed, folder, base, moved_positions)
        else:
            notes = export_merged(run, seed, folder, base)
        return zip_bytes({path.name: path.read_bytes() for path in folder.iterdir()}), notes


def seed_index(run: Run, seed: int) -> int:
    """Return the position of a seed in a run; BadInput names the seeds there are."""
    numbers = run.spec.population.seed_numbers()
    if seed not in numbers:
        raise unknown_name("seed", str(seed), map(str, numbers))
    return numbers.index(seed)


def _load_adapted(run: Run, base: BaseModel | None) -> AdaptedModel:
    """Load a run's adapter, and its base unless given."""
    from peftcore.models.base_model import load

    return load_adapter(run, base or load(run.spec.base))


def new_folder(folder: Path) -> Path:
    """Create a folder, empty, so that no file of another export stays; BadInput if it is not."""
    target = paths.expand(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{folder} is there already and not empty; name a new folder")
    target.mkdir(parents=True, exist_ok=True)
    return target


def _origin_note(run: Run, seed: int, base: BaseModel) -> str:
    """Return as JSON where an export comes from."""
    origin = {"run": run.id, "seed": seed, "base": base.name, "fingerprint": base.fingerprint}
    return json.dumps(origin, sort_keys=True)


def _write_head(adapted: AdaptedModel, index: int, run: Run, folder: Path, note: str) -> list[str]:
    """Write an encoder's head to a file of its own; return notes on what it computes."""
    from safetensors.torch import save_file

    if not adapted.labels:
        return []
    names = ("head", "head_bias", *HEAD_STATS)
    tensors = {name: adapted.tensors[name][index].detach().mean(0) for name in names}
    tensors |= {name: tensors[name][0] for name in names[1:]}  # rows of one
    ready = {name: tensor.cpu().contiguous().clone() for name, tensor in tensors.items()}
    labels = json.dumps(list(tasks.find_task(run.spec.task).labels))
    save_file(ready, folder / HEAD, metadata={"peftcore": note, "labels": labels})
    read = "the cosine of the two texts' mean states" if adapted.pairs else "the mean state"
    read = read if adapted.base.is_sentence_encoder else "the first token's state"
    if adapted.towers:
        read = "u, v and |u - v| of the mean states u and v of the two texts, read apart"
    return [
        f"{HEAD} has the classification head: logits = (x - head_mean) / head_scale @ head + "
        f"head_bias, where x is {read} and the labels are {labels}."
    ]


def _readme(run: Run, seed: int, base: BaseModel, notes: list[str]) -> str:
    """Return the README of an exported folder."""
    lines = [
        f"# {METHODS[run.spec.method].title} for {base.name}",
        f"Seed {seed} of run {run.id}, trained on {run.spec.task}. It belongs to the weights with "
        f"fingerprint {base.fingerprint}; on others of the same shape it means nothing.",
        *notes,
    ]
    return "\n\n".join(lines) + "\n"


@dataclass(frozen=True)
class ImportSource:
    """A folder of the peft package, its configuration, and notes on how it was read."""

    folder: Path
    config: dict[str, Any]
    notes: tuple[str, ...]


def import_peft(
    folder: Path,
    base: BaseModel | str,
    task: str,
    store: RunStore | None = None,
) -> Run:
    """Make a run of a folder of the peft package, for this base and task.

    The same folder gives the same run. BadInput if it is damaged, foreign, for another base or not
    expressible.
    """
    from peftcore.models.base_model import load

    source_folder = paths.expand(folder)
    config = _read_config(source_folder)
    weights = source_folder / WEIGHTS
    if not weights.is_file():
        pickle = next((p.name for p in source_folder.glob("adapter_model.*")), "")
        safetensors_files.read_header(source_folder / (pickle or WEIGHTS))  # raises BadInput
    notes = safetensors_files.read_header(weights).notes
    tensors = safetensors_files.read_weights(weights)
    task_info = tasks.find_task(task)
    base = load(base) if isinstance(base, str) else base
    _check_same_base(notes, base)
    imported = peft_import.read(config, tensors, base)
    spec = _minimal_spec(imported.method, imported.settings, base.name, task)
    adapted = planning.build_adapted(base, spec, fresh=False)
    _copy_into_adapter(adapted, imported.tensors, source_folder, task_info.labels)
    source = ImportSource(source_folder, config, imported.notes)
    return _store_imported_run(spec, adapted, base, source, store or RunStore())


def _read_config(folder: Path) -> dict[str, Any]:
    """Read the package's configuration; BadInput if it is missing or no JSON object."""
    path = folder / CONFIG
    if not path.is_file():
        raise BadInput(f"{folder} is no folder of the peft package: it has no {CONFIG}")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise BadInput(f"{CONFIG} is larger than {MAX_CONFIG_BYTES:,} bytes")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise BadInput(f"{CONFIG} is not JSON that can be read") from None
    if not isinstance(config, dict):
        raise BadInput(f"{CONFIG} must hold an object in braces")
    return config


def _check_same_base(notes: Any, base: BaseModel) -> None:
    """Raise BadInput if a file says that it belongs to other weights."""
    try:
        fingerprint = json.loads(notes.get("peftcore", "{}")).get("fingerprint")
    except (ValueError, AttributeError, RecursionError):
        raise BadInput("the notes of the adapter's file cannot be read") from None
    if fingerprint not in (None, base.fingerprint):
        raise BadInput(
            f"the adapter belongs to weights {str(fingerprint)[:40]}, but {base.name} has weights "
            f"{base.fingerprint}: same shape is not the same model"
        )


def _minimal_spec(method: str, settings: dict[str, Any], base: str, task: str) -> RunSpec:
    """Return a spec that claims as little as possible: the training is not known here."""
    least = {"shots": 1, "dev": 1, "steps": 1, "batch": 1}
    return planning.build_spec(base, task, method, settings, {"seeds": 1}, least)


def _copy_into_adapter(
    adapted: AdaptedModel, imported_tensors: dict[str, Any], folder: Path, labels: tuple[str, ...]
) -> None:
    """Copy a file's tensors, and those of the head if there is one, into an adapter."""
    tensors = dict(imported_tensors)
    if adapted.labels:
        if not (folder / HEAD).is_file():
            raise BadInput(
                f"{adapted.base.name} needs a classification head to answer, and the folder has "
                f"no {HEAD}"
            )
        notes = safetensors_files.read_header(folder / HEAD).notes
        if notes.get("labels") != json.dumps(list(labels)):
            raise BadInput(
                f"the head is for the labels {notes.get('labels', 'nobody named')[:200]}, the "
                f"task has {json.dumps(list(labels))}"
            )
        names = ["head", "head_bias", *HEAD_STATS]
        head = safetensors_files.read_weights(folder / HEAD, names)
        tensors |= {name: head[name] if name == "head" else head[name][None] for name in names}
    for name, tensor in adapted.tensors.items():
        shape = tensor.shape[2:]
        if name not in tensors or tensors[name].shape != shape:
            raise BadInput(f"the adapter has no tensor {name!r} of shape {tuple(shape)}")
        tensor.data.copy_(tensors[name].expand_as(tensor))


def _store_imported_run(
    spec: RunSpec,
    adapted: AdaptedModel,
    base: BaseModel,
    source: ImportSource,
    store: RunStore,
) -> Run:
    """Store an import as a run, named by a hash of what was imported: its spec says too little."""
    folder, config = source.folder, source.config
    digest = hashlib.sha256(spec.canonical().encode())
    digest.update((folder / WEIGHTS).read_bytes())
    digest.update(json.dumps(config, sort_keys=True).encode())
    rights.start("import", f"run {digest.hexdigest()[:12]}")
    store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = Run(store.folder / digest.hexdigest()[:12], spec)
    if run.status().state == "done":
        return run
    run.folder.mkdir(mode=0o700, exist_ok=True)
    save_adapter(run, adapted, base)
    run.write_manifest(
        {
            "base": {
                "name": base.name,
                "fingerprint": base.fingerprint,
                "parameters": base.parameter_count,
                "kind": base.kind,
            },
            "imported": {
                "format": "peft",
                "type": str(config.get("peft_type"))[:40],
                "base_in_file": str(config.get("base_model_name_or_path"))[:200],
                "weights_sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
                "notes": list(source.notes),
            },
        }
    )
    run.append_log(f"Imported from a folder of the peft package called {folder.name[:80]}")
    for note in source.notes:
        run.append_log(f"Note: {note}")
    run.write_status(
        state="done",
        done=spec.training.steps,
        of=spec.training.steps,
        trainable=sum(t[0].numel() for t in adapted.tensors.values()),
        message="; ".join(("Imported; trained elsewhere, and how is not known", *source.notes)),
        started=time.time(),
    )
    text = json.dumps(spec.model_dump(mode="json"), indent=1)
    atomic_files.replace_file(run.folder / "spec.json", text.encode())  # last: only now it is a run
    return run
