"""The bases of this machine as a list: what each is, where it comes from, how good it was found.

Nothing is loaded, and no torch is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from peftcore import paths
from peftcore.intake.places import CARD_FILE, is_removable, read_quality
from peftcore.models import catalog
from peftcore.models.catalog import BaseInfo
from peftcore.system import atomic_files

BaseOrigin = Literal["shipped", "package", "added", "own folder"]
ORIGIN_WORDS: Mapping[BaseOrigin, str] = {
    "shipped": "Comes with the project",
    "package": "From an optional package",
    "added": "Added here",
    "own folder": "A folder of your own",
}


@dataclass(frozen=True)
class BaseEntry:
    """One base of the list."""

    info: BaseInfo
    heads: int
    key_value_heads: int
    origin: BaseOrigin
    disk_bytes: int
    quality: Mapping[str, Any]  # empty: not measured

    @property
    def heads_text(self) -> str:
        """Return layers times heads, with the key-value heads where they are fewer."""
        shared = self.key_value_heads != self.heads
        return f"{self.info.layers} × {self.heads}" + (
            f" on {self.key_value_heads}" if shared else ""
        )


def base_entries() -> list[BaseEntry]:
    """Describe every base that can be used, by name."""
    return [describe_entry(name) for name in catalog.base_names()]


def describe_entry(name: str) -> BaseEntry:
    """Describe one base; BadInput if there is none or it lies on the hub."""
    info = catalog.describe_base(name)
    folder = catalog.base_folders()[name]
    config = atomic_files.read_json(folder / "config.json")
    heads = int(next((config[k] for k in HEAD_KEYS if k in config), 0))
    return BaseEntry(
        info,
        heads,
        int(config.get("num_key_value_heads") or heads),
        find_origin(name, folder),
        sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        read_quality(name),
    )


HEAD_KEYS = ("num_attention_heads", "num_heads", "n_head")


def find_origin(name: str, folder: Path) -> BaseOrigin:
    """Return where a base comes from."""
    if folder.is_relative_to(paths.ASSETS):
        return "shipped"
    if is_removable(name):
        return "added"
    return "package" if "site-packages" in folder.parts else "own folder"


def read_card(name: str) -> str:
    """Return the text of a base's card; empty if it has none."""
    path = catalog.base_folders()[name] / CARD_FILE
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""
