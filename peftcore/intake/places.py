"""Where bases lie that come in, what lies beside them, and which names are free."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.system import atomic_files

INCOMING_PATTERN = re.compile(r"incoming/([\w][\w.-]{0,120}\.gguf)", re.ASCII)
RECORD_FILE = "added.json"  # beside the weights of a base that was added: where it comes from
QUALITY_FILE = "quality.json"
CARD_FILE = "README.md"


def incoming_folder() -> Path:
    """Return the folder into which files are laid to be added, created if missing."""
    folder = catalog.own_models_folder() / "incoming"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def incoming_files() -> list[str]:
    """List the GGUF files that were laid into the workspace, as sources."""
    sources = [f"incoming/{path.name}" for path in sorted(incoming_folder().iterdir())]
    return [source for source in sources if INCOMING_PATTERN.fullmatch(source)]


def find_incoming(source: str) -> Path:
    """Return the file of such a source; BadInput if there is none."""
    match = INCOMING_PATTERN.fullmatch(source)
    path = incoming_folder() / match[1] if match else None
    if path is None or not path.is_file() or path.is_symlink():
        raise BadInput(
            f"there is no {source[:80]!r}; lay a .gguf file with a plain name into "
            f"{incoming_folder()}"
        )
    return path


def suggest_name(source: str) -> str:
    """Return a name for a base, made of the name of its source."""
    last = re.split(r"[/\\]", source.partition("@")[0].rstrip("/\\"))[-1]
    plain = re.sub(r"[^a-z0-9._-]+", "-", last.lower().removesuffix(".gguf")).strip("._-")
    return plain[:64].strip("._-") if len(plain) > 1 else "my-model"


def refuse_taken_name(name: str) -> None:
    """Raise BadInput if there is a base of this name, or anything else in its place."""
    taken = catalog.base_folders().get(name)
    if taken is not None:
        ours = taken.is_relative_to(paths.ASSETS)
        where = "comes with the project" if ours else f"lies in {taken.parent}"
        raise BadInput(f"there is a base {name!r} already, which {where}; choose another name")
    if (catalog.own_models_folder() / name).exists():
        raise BadInput(
            f"{catalog.own_models_folder() / name} is there already and is no base; move it away "
            "or choose another name"
        )


def is_removable(name: str) -> bool:
    """Return whether a base was added here, so that it can be removed again."""
    folder = catalog.own_models_folder() / name
    return catalog.base_folders().get(name) == folder and (folder / RECORD_FILE).is_file()


def read_quality(name: str) -> dict[str, Any]:
    """Return what was measured of a base; empty if nothing was."""
    return atomic_files.read_json(quality_file(name))


def quality_file(name: str) -> Path:
    """Return where the measured quality of a base is kept; BadInput if there is no such base."""
    folder = catalog.locate_base(name)
    if not isinstance(folder, Path):
        raise BadInput(f"{name} lies on the hub; add it first to measure it")
    if is_removable(name):
        return folder / QUALITY_FILE
    return paths.workspace_folder() / "quality" / f"{folder.name}.json"
