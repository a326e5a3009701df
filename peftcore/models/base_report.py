"""What is known of a base's folder without loading it: what a glance finds, and kept reports.

`check` looks at a folder as a whole; its finding is kept in the workspace and holds as long as no
file of the folder changes. This file needs no torch, so that lists can leave unusable folders out.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.models.architectures import find_architecture
from peftcore.system import atomic_files, safetensors_files

Level = Literal["ok", "warning", "error"]
Subject = Literal["config", "weights", "tokenizer", "positions", "special tokens", "generation"]
RULES = 1  # raised when the checks change, so that older reports no longer hold
MAX_CONFIG_BYTES = 5_000_000
INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "merges.txt"),
    *("spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model"),
)


@dataclass(frozen=True)
class BaseFinding:
    """One thing that was looked at, in one sentence."""

    subject: Subject
    level: Level
    sentence: str


@dataclass(frozen=True)
class BaseReport:
    """Findings on a base's folder; `complete` once all of it was looked at."""

    name: str  # of the folder
    findings: tuple[BaseFinding, ...]
    complete: bool = True

    @property
    def usable(self) -> bool:
        """Return whether the base can be used."""
        return not any(finding.level == "error" for finding in self.findings)

    @property
    def reason(self) -> str:
        """Say in one sentence why it cannot be used; empty if it can."""
        errors = [finding.sentence for finding in self.findings if finding.level == "error"]
        return f"{self.name} cannot be used: {errors[0]}" if errors else ""


def folder_key(folder: Path) -> str:
    """Hash the names, sizes and times of a folder's files: it changes when one of them does."""
    digest = hashlib.sha256(f"{RULES} {_library_version()} {folder.resolve()}".encode())
    for path in sorted(folder.iterdir()):
        if path.is_file():
            facts = path.stat()
            digest.update(f"\0{path.name} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


@functools.cache
def _library_version() -> str:
    """Return the release of transformers, which decides what can be loaded."""
    return importlib.metadata.version("transformers")


def glance(folder: Path) -> BaseReport:
    """Look at what can be seen without torch: a readable config, a known family, whole files.

    A finished report that is kept, and still holds, is returned instead.
    """
    try:
        key = folder_key(folder)
    except OSError as error:
        sentence = f"the folder cannot be read ({error.strerror})"
        return BaseReport(folder.name, (BaseFinding("config", "error", sentence),), complete=False)
    return kept_report(folder, key) or _look_once(folder, key)


@functools.lru_cache(maxsize=512)
def _look_once(folder: Path, key: str) -> BaseReport:
    """Look at a folder as it is under this key, once in a process."""
    return look(folder)


def look(folder: Path) -> BaseReport:
    """Look at config.json, the headers of the weights, and whether there is a tokenizer."""
    findings = []
    try:
        _check_config(folder)
    except BadInput as error:
        findings.append(BaseFinding("config", "error", str(error)))
    try:
        check_files(folder)
    except BadInput as error:
        findings.append(BaseFinding("weights", "error", str(error)))
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        sentence = "it has no tokenizer: save the tokenizer into the same folder"
        findings.append(BaseFinding("tokenizer", "error", sentence))
    return BaseReport(folder.name, tuple(findings), complete=False)


def read_config(folder: Path) -> dict[str, Any]:
    """Read a folder's config.json; BadInput if it is no JSON object."""
    path = folder / "config.json"
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise BadInput(f"config.json is larger than {MAX_CONFIG_BYTES:,} bytes")
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput("it has no config.json") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput("its config.json is not JSON that can be read") from None
    if not isinstance(config, dict):
        raise BadInput("its config.json must hold an object in braces")
    return config


def _check_config(folder: Path) -> None:
    """Raise BadInput unless the configuration is of a known family with plain weights."""
    config = read_config(folder)
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise BadInput("its config.json names no model_type")
    if config.get("quantization_config"):
        raise BadInput(
            "its weights are quantised (quantization_config in config.json): save the model again "
            "in single or half precision"
        )
    find_architecture(model_type)


def check_files(folder: Path) -> None:
    """Raise BadInput unless every file of weights is there and as long as its header says."""
    files = sorted(folder.glob("*.safetensors"))
    index = folder / INDEX
    if index.is_file():
        shards = atomic_files.read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise BadInput(f"{INDEX} does not say which file holds which weight")
        names = sorted({str(name) for name in shards.values()})
        missing = [name for name in names if not (folder / Path(name).name).is_file()]
        if missing:
            raise BadInput(
                f"{len(missing)} of its {len(names)} files of weights "
                f"{'are' if len(missing) > 1 else 'is'} missing: {', '.join(missing[:5])}; copy "
                "all of them"
            )
    elif not files:
        pickles = [path.name for pattern in PICKLES for path in folder.glob(pattern)]
        raise BadInput(
            f"its weights are a pickle ({pickles[0]}), which runs code when it is read: save them "
            "again with safe_serialization=True"
            if pickles
            else "it has no file of weights (*.safetensors)"
        )
    for path in files:
        safetensors_files.read_header(path)


def _file_of(folder: Path) -> Path:
    """Return where the report on a folder is kept."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    return paths.workspace_folder() / "base_reports" / f"{name}.json"


def keep_report(folder: Path, report: BaseReport) -> None:
    """Keep a report in the workspace, until a file of the folder changes."""
    value = {"key": folder_key(folder), **asdict(report)}
    with contextlib.suppress(OSError):  # where nothing can be written it is found again
        path = _file_of(folder)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        atomic_files.replace_file(path, json.dumps(value, indent=1).encode())


def kept_report(folder: Path, key: str | None = None) -> BaseReport | None:
    """Return the report that is kept on a folder, None if there is none that still holds."""
    try:
        stored = atomic_files.read_json(_file_of(folder))
    except OSError:
        return None
    if stored.get("key") != (key or folder_key(folder)):
        return None
    findings = tuple(BaseFinding(**finding) for finding in stored["findings"])
    return BaseReport(stored["name"], findings, stored["complete"])
