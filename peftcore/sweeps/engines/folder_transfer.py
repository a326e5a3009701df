"""Transfer of folders: bases and data to the nodes of a cluster, run folders back.

A snapshot is unpacked once on each machine, into a folder named after its content, so that every
process there shares it and an unfinished one is never seen.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peftcore.errors import BadInput

FileContents = Mapping[str, Any]  # path inside the snapshot → its bytes


@dataclass(frozen=True)
class FolderSnapshot:
    """The hash of a folder's content, and how to fetch the content where it is missing."""

    digest: str
    fetch: Callable[[], FileContents]


def read_folder(folder: Path, inside: str = "") -> dict[str, Any]:
    """Read every file of a folder as a byte array, which object stores share without copying."""
    return {
        str(Path(inside, path.relative_to(folder))): np.fromfile(path, np.uint8)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hash_files(files: FileContents) -> str:
    """Hash names and contents."""
    hasher = hashlib.blake2b(digest_size=12)
    for name, content in sorted(files.items()):
        hasher.update(f"{name}\0{len(content)}\0".encode())
        hasher.update(memoryview(content))
    return hasher.hexdigest()


def transfer_root() -> Path:
    """Return the folder for what this machine receives, open to its owner only."""
    path = Path(tempfile.gettempdir()) / f"peftcore-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise BadInput(f"{path} belongs to somebody else; set TMPDIR to a folder of your own")
    return path


def unpack_snapshot(snapshot: FolderSnapshot) -> Path:
    """Return the folder with these files, written if it is missing."""
    path = transfer_root() / snapshot.digest
    if path.is_dir():
        return path
    partial = Path(tempfile.mkdtemp(prefix=".part-", dir=transfer_root()))
    write_files(partial, snapshot.fetch())
    try:
        partial.rename(path)
    except OSError:  # another process was quicker
        shutil.rmtree(partial, ignore_errors=True)
    return path


def write_files(folder: Path, files: FileContents) -> None:
    """Write files into a folder; a name that would leave it is refused."""
    for name, content in files.items():
        path = (folder / name).resolve()
        if folder.resolve() not in path.parents:
            raise BadInput(f"a parcel holds {name!r}, which leads out of its folder")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(memoryview(content))
