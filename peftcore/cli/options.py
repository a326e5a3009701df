"""From options to a spec: `--set` takes any setting of the method, the training or the scoring."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.data.label_words import parse_words
from peftcore.errors import BadInput, unknown_name
from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.settings import Settings
from peftcore.training import planning, presets

Base = Annotated[str, typer.Option(help="Base model, as in `list`.")]
Task = Annotated[str, typer.Option(help="Task, as in `list`.")]
Method = Annotated[str, typer.Option(help="Method, as in `list`.")]
Shots = Annotated[int | None, typer.Option(help="Training examples of each seed.")]
Seeds = Annotated[int | None, typer.Option(help="Independent repetitions.")]
Steps = Annotated[int | None, typer.Option(help="Optimiser steps.")]
Vertices = Annotated[int | None, typer.Option(help="Corners of the simplex of adapters.")]
Rate = Annotated[float | None, typer.Option(help="Peak learning rate.")]
Start = Annotated[
    str | None, typer.Option(help="Run whose adapter is the starting point (transfer).")
]
Size = Annotated[
    str | None,
    typer.Option("--preset", help="Size of the run: quick, usual or thorough, as fits the base."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, as key=value or key=a,b; repeat it for more."),
]
LabelWords = Annotated[
    list[str] | None,
    typer.Option("--label-word", help="A word in place of a label, as label=word; repeat it."),
]
Data = Annotated[Path | None, typer.Option(help="Folder of data sets.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
SPEC_SECTIONS: dict[str, type[Settings]] = {
    "training": Training,
    "evaluation": Evaluation,
    "population": Members,
}


@dataclass(frozen=True)
class Resources:
    """Folder of data sets and device of a command."""

    data: Data = None
    device: Device = "auto"

    def use_data(self) -> None:
        """Read data sets from the folder, if one is named, for as long as the process lives."""
        use_data(self.data)

    def torch_device(self) -> str:
        """Name the device as torch knows it; BadInput if it is not there."""
        return resolve_device(self.device)


@dataclass(frozen=True)
class SpecOptions:
    """Options that decide a run; all others are those of the preset."""

    base: Base
    task: Task
    method: Method
    shots: Shots = None
    seeds: Seeds = None
    steps: Steps = None
    sets: Sets = None
    preset: Size = None
    label_words: LabelWords = None

    def build(self) -> RunSpec:
        """Complete the spec; BadInput names what does not exist or fit."""
        return spec_from_options(**asdict(self))


def use_data(folder: Path | None) -> None:
    """Read data sets from this folder for as long as the process lives."""
    if folder is None:
        return
    if not paths.expand(folder).is_dir():
        raise BadInput(f"no folder of data sets at {str(folder)!r}")
    os.environ["PEFTCORE_DATA"] = str(paths.expand(folder).resolve())


def spec_from_options(
    base: str,
    task: str,
    method: str,
    sets: Sequence[str] | None = None,
    start: str | None = None,
    preset: str | None = None,
    **options: Any,
) -> RunSpec:
    """Complete the spec that was asked for; options that are None are left to the preset."""
    words = options.pop("label_words", None)
    sections = spec_sections(method, sets, **options)
    if words:
        sections["training"]["label_words"] = parse_words(words)
    size = presets.find_preset(preset or presets.USUAL, planning.parameters_of_base(base))
    sections |= {part: size.section(part) | sections[part] for part in SPEC_SECTIONS}
    return planning.build_spec(base, task, method, start=start or "", **sections)


def spec_sections(
    method: str, sets: Sequence[str] | None = None, **options: Any
) -> dict[str, dict[str, Any]]:
    """Sort what was asked for by part of a spec: the method's settings, training, and so on."""
    own = METHODS[method].Config
    values_by_section: dict[str, dict[str, Any]] = {
        "settings": {},
        **{part: {} for part in SPEC_SECTIONS},
    }
    section_of = {name: part for part, kind in SPEC_SECTIONS.items() for name in kind.model_fields}
    for name, value in options.items():
        if value is not None:
            values_by_section[section_of[name]][name] = value
    section_of |= dict.fromkeys(own.model_fields, "settings")  # a method's own settings come first
    for text in sets or ():
        name, value = parse_setting(text)
        if name not in section_of:
            raise unknown_name("setting", name, section_of)
        kind = SPEC_SECTIONS.get(section_of[name], own)
        values_by_section[section_of[name]][name] = _as_list(
            value, kind.model_fields[name].annotation
        )
    return values_by_section


def _as_list(value: Any, annotation: Any) -> Any:
    """Split words by commas into a list, where a setting takes several."""
    if isinstance(value, str) and get_origin(annotation) is tuple:
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Read each key=value of an option that is repeated."""
    return dict(parse_setting(text) for text in texts or ())


def parse_setting(text: str) -> tuple[str, Any]:
    """Split key=value; the value is JSON if it reads as such, otherwise text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInput(f"--set takes key=value; got {text!r}")
    try:
        return name.strip(), json.loads(value)
    except (ValueError, RecursionError):
        return name.strip(), value


def parse_shares(text: str) -> tuple[float, float]:
    """Read how much of each of two runs' atoms is used, such as 1,0.5."""
    try:
        one, other = (float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"shares are two numbers with a comma between; got {text!r}") from None
    return one, other
