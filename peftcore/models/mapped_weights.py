"""Weights of large bases, kept in single precision in a file that is mapped into memory.

Most published bases store half precision, which every load would convert and every process hold a
copy of. So a base's tensors are written once to the workspace, as they are after loading, and later
loads map that file: pages are read when they are used, and the processes of a machine share them,
since a base is never written to. The mapping is private: who writes gets a copy of the page.

What is kept belongs to the base's files by their sizes and times; any change makes it unknown.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.system import atomic_files, safetensors_files

FORMAT = "peftcore-mapped-1"
MIN_BYTES = 2**26  # of weights; smaller bases load at once
MAX_BYTES = 2**32  # of all files kept; the one unused for longest goes first


def identity(folder: Path) -> str:
    """Return a digest of a base's files by name, size and time, and of the libraries."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(f"{FORMAT} {transformers.__version__} {torch.__version__}".encode())
    digest.update(str(folder.resolve()).encode())
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".json"):
            about = path.stat()
            digest.update(f"{path.name} {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def known_fingerprint(folder: Path) -> str:
    """Return the fingerprint of a base's weights if they were hashed before, else nothing."""
    noted = atomic_files.read_json(_kept(folder, ".json"))
    return str(noted.get("fingerprint", ""))


def keep_fingerprint(folder: Path, fingerprint: str) -> None:
    """Keep the fingerprint of a base's weights, so that they need not be hashed again."""
    note = json.dumps({"base": folder.name, "fingerprint": fingerprint})
    atomic_files.replace_file(_kept(folder, ".json"), note.encode())


def load_mapped(folder: Path, build: Callable[[], Any], empty: Callable[[], Any]) -> Any:
    """Return a base's model, mapped from its kept file if there is one, else as `build` loads it.

    build: loads the model from its folder. empty: makes the same model without weights; it is
    called where tensors have shapes alone.
    """
    path = _kept(folder, ".safetensors")
    if path.is_file():
        model = _map(path, empty)
        if model is not None:
            return model
    model = build()
    if _worth_keeping(folder) and _can_take(_make_empty(empty), model):
        _keep(model, path)
    return model


def _kept(folder: Path, suffix: str) -> Path:
    """Return the path of what is kept of a base, its own folder created if missing."""
    place = paths.workspace_folder() / "mapped"
    place.mkdir(mode=0o700, exist_ok=True)
    return place / f"{identity(folder)}{suffix}"


def _worth_keeping(folder: Path) -> bool:
    """Return whether a base is large, and stored in other numbers than single precision."""
    if folder.parent.name.startswith("."):  # it is being made, and will lie elsewhere
        return False
    files = sorted(folder.glob("*.safetensors"))
    size = sum(path.stat().st_size for path in files)
    # Half precision takes twice as much once it is kept; a disk must not fill up by it.
    room = shutil.disk_usage(paths.workspace_folder()).free
    if size < MIN_BYTES or 2 * size > MAX_BYTES or 4 * size > room:
        return False
    try:
        return any(_number_types(path) - {"F32"} for path in files)
    except (BadInput, OSError):
        return False


def _number_types(path: Path) -> set[str]:
    """Return the types of numbers of a safetensors file, such as {"BF16"}."""
    safetensors_files.read_header(path)  # refuses what is not such a file
    with safe_open(path, "pt") as file:
        return {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def _make_empty(empty: Callable[[], Any]) -> Any:
    """Make a model of shapes alone."""
    with torch.device("meta"):
        return empty()


def _tensors(model: nn.Module) -> Iterator[tuple[nn.Module, str, str, Tensor]]:
    """Yield the module, the name there, the whole path and the tensor of all that a model holds."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield module, name, f"{prefix}.{name}" if prefix else name, tensor


def _can_take(shell: Any, model: Any) -> bool:
    """Return whether a model of shapes alone has a place for each tensor of a loaded one."""
    places = {path for *_, path, _ in _tensors(shell)}
    hidden = any(  # neither parameter nor buffer: it would stay a shape
        isinstance(value, Tensor) for module in shell.modules() for value in vars(module).values()
    )
    return not hidden and places == {path for *_, path, _ in _tensors(model)}


def _keep(model: Any, path: Path) -> None:
    """Write a model's tensors to a file, each once whatever its paths; the oldest files go."""
    aliases: dict[str, str] = {}  # path → path under which its tensor is stored
    stored: dict[str, Tensor] = {}
    first: dict[int, str] = {}
    for *_, place, tensor in _tensors(model):
        name = first.setdefault(id(tensor), place)
        aliases[place] = name
        stored.setdefault(name, tensor.detach().contiguous())
    notes = {"format": FORMAT, "aliases": json.dumps(aliases)}
    handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    os.close(handle)
    try:
        save_file(stored, part, notes)
        os.replace(part, path)
    except (OSError, SafetensorError):  # a full disk: the model is loaded all the same
        Path(part).unlink(missing_ok=True)
        return
    files = sorted(path.parent.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
    total = sum(file.stat().st_size for file in files)
    for file in files:
        if total > MAX_BYTES and file != path:
            total -= file.stat().st_size
            file.unlink(missing_ok=True)


def _map(path: Path, empty: Callable[[], Any]) -> Any | None:
    """Return the model of a kept file with its tensors mapped; None if the file is damaged."""
    try:
        safetensors_files.read_header(path)
        with safe_open(path, "pt") as file:
            aliases = json.loads(file.metadata()["aliases"])
            mapped = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = _make_empty(empty)
        made: dict[str, nn.Parameter] = {}
        for module, name, place, old in _tensors(model):
            source = aliases[place]
            if isinstance(old, nn.Parameter):
                made.setdefault(source, nn.Parameter(mapped[source], requires_grad=False))
                module._parameters[name] = made[source]
            else:
                module._buffers[name] = mapped[source]
        os.utime(path)
    except (OSError, KeyError, ValueError, SafetensorError, BadInput):
        path.unlink(missing_ok=True)
        return None
    return model
