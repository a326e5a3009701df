"""Provenance: what a result was made with, and the commands that make it again."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run
from peftcore.settings import Settings
from peftcore.training import presets

PROGRAM = ("python", "-m", "peftcore")
FLAGS = {  # settings that `train` has an option for
    "shots": "--shots",
    "seeds": "--seeds",
    "steps": "--steps",
    "vertices": "--vertices",
    "learning_rate": "--learning-rate",
}


@lru_cache(maxsize=1)
def program_version() -> str:
    """Return the version of this program, with the commit where it runs from a checkout."""
    try:
        version = importlib.metadata.version("adapter-lab")
    except importlib.metadata.PackageNotFoundError:
        version = tomllib.loads((paths.ROOT / "pyproject.toml").read_text("utf-8"))["project"][
            "version"
        ]
    commit = _git("rev-parse", "HEAD")
    if not commit or _git("rev-parse", "--show-toplevel") != str(paths.ROOT):
        return f"Adapter Lab {version}"
    changed = ", with changes that are not committed" if _git("status", "--porcelain") else ""
    return f"Adapter Lab {version}, commit {commit[:12]}{changed}"


def _git(*words: str) -> str:
    """Return what git says of the project's folder; empty where there is no git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(paths.ROOT), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def train_command(run: Run) -> str:
    """Return the command line that trains a run; empty for one that was trained elsewhere.

    It names what differs from what the command does by itself on the run's base, and the learning
    rate always: a method's own may be measured anew.
    """
    manifest = run.manifest()
    if "imported" in manifest:
        return ""
    spec = run.spec
    words = [*PROGRAM, "train", "--base", spec.base, "--task", spec.task, "--method", spec.method]
    parameters = int((manifest.get("base") or {}).get("parameters") or 0)
    for name, value in _changed_settings(spec, parameters):
        if name in FLAGS and value is not None:
            words += [FLAGS[name], str(value)]
        else:
            written = value if isinstance(value, str) else json.dumps(value)
            words += ["--set", f"{name}={written}"]
    if spec.start:
        words += ["--start", spec.start]
    return shlex.join(words)


def _changed_settings(spec: RunSpec, parameters: int) -> Iterator[tuple[str, Any]]:
    """Yield what differs from the usual size on a base of so many numbers, and the rate."""
    config: type[Settings] | None = METHODS[spec.method].Config if spec.method in METHODS else None
    own = config.make({}).model_dump(mode="json") if config else {}
    for name, value in spec.settings.items():
        if name not in own or value != own[name]:
            yield name, value
    usual = presets.find_preset(presets.USUAL, parameters)
    for section, kind in presets.SECTIONS.items():
        by_itself = kind.make(usual.section(section)).model_dump(mode="json")
        values = getattr(spec, section).model_dump(mode="json")
        if section == "training" and spec.population.vertices == 1:
            values["copies"] = by_itself["copies"]  # decides nothing without a simplex
        for name, value in values.items():
            if name == "learning_rate" or value != by_itself[name]:
                yield name, value


def report_command(words: Sequence[str]) -> str:
    """Return the command line that writes a report; words: runs and options."""
    return shlex.join([*PROGRAM, "report", *words, "--out", "report.html"])


def run_facts(run: Run) -> dict[str, str]:
    """Return what a run was made with, in words, by name; what was not recorded is left out."""
    manifest, spec = run.manifest(), run.spec
    base = manifest.get("base") or {}
    numbers = spec.population.seed_numbers()
    versions = manifest.get("versions") or {}
    facts = {
        "Run": run.id,
        "Base": spec.base,
        "Base, hash": str(base.get("fingerprint") or ""),
        "Base, numbers": f"{base['parameters']:,}" if base.get("parameters") else "",
        "Data, hash": str(manifest.get("data_hash") or ""),
        "Seeds": str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}",
        "Device": str(manifest.get("device") or ""),
        "Precision": str(manifest.get("precision") or ""),
        "Python": str(manifest.get("python") or ""),
        "Packages": ", ".join(f"{name} {versions[name]}" for name in sorted(versions)),
        "Trained elsewhere": "imported" if "imported" in manifest else "",
        "Starts from run": spec.start,
    }
    return {name: value for name, value in facts.items() if value}
