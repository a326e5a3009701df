"""What an untouched base answers to a task by itself: which of the label words it finds likeliest.

Measured once for a base, a task, a template and a set of questions, kept in the workspace or among
the assets as one JSON file, and shown beside every comparison of runs that share them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from peftcore import paths
from peftcore.runs.spec import Evaluation
from peftcore.system import atomic_files

if TYPE_CHECKING:
    from peftcore.runs.store import Run

FOLDER = "zero_shot"


@dataclass(frozen=True)
class ZeroShot:
    """The base's choice of label for n examples, asked in two sets of words."""

    base: str
    task: str
    asked_words: dict[str, str]  # label → word that runs are asked in
    mapped_words: dict[str, str]  # label → word, the set that suits the base best
    tried: int  # sets of words of which it is the best
    chosen_on: int  # training examples by which it was chosen
    examples: list[str]  # (n,) ids
    labels: list[str]  # (n,) gold labels
    asked: list[str]  # (n,) labels chosen when asked in the first words
    mapped: list[str]  # (n,) labels chosen when asked in the second words

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self | None:
        """Read what a file holds; None if it holds nothing."""
        return cls(**{name: stored[name] for name in cls.__annotations__}) if stored else None

    def answers(self, *, mapped: bool = True) -> pd.DataFrame:
        """Return the answers as a run's, of one seed, without texts."""
        chosen = self.mapped if mapped else self.asked
        right = [one == gold for one, gold in zip(chosen, self.labels, strict=True)]
        return pd.DataFrame(
            {
                "seed": 0,
                "example": self.examples,
                "label": pd.array(self.labels, dtype="string"),
                "predicted": pd.array(chosen, dtype="string"),
                "correct": pd.array(right, dtype="boolean"),
            }
        )


def key_of(
    fingerprint: str,
    data_hash: str,
    evaluation: Evaluation,
    label_words: Mapping[str, str],
    template: str = "",
) -> str:
    """Return twelve digits by which a measurement is found again: what it rests on."""
    parts = [fingerprint, data_hash, evaluation.split, evaluation.limit, dict(label_words)]
    parts += [template] if template else []  # the task's own phrasing has the keys it had
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def key_of_run(run: Run) -> str:
    """Return the key of a run's base and questions; empty where none can be asked alike."""
    manifest = run.manifest()
    fingerprint = str((manifest.get("base") or {}).get("fingerprint") or "")
    data_hash = str(manifest.get("data_hash") or "")
    if not fingerprint or not data_hash or run.spec.evaluation.protocol != "shared":
        return ""
    t = run.spec.training
    return key_of(fingerprint, data_hash, run.spec.evaluation, t.label_words, t.template)


def own_file(key: str) -> Path:
    """Return the file of a measurement in this workspace."""
    return paths.workspace_folder() / FOLDER / f"{key}.json"


def find(key: str) -> ZeroShot | None:
    """Return a measurement of this workspace, or one that ships; None if there is none."""
    for file in (own_file(key), paths.ASSETS / FOLDER / f"{key}.json"):
        if key and (stored := atomic_files.read_json(file)):
            return ZeroShot.parse(stored)
    return None


def of_run(run: Run) -> ZeroShot | None:
    """Return what a run's untouched base answers to the questions of the run, if measured."""
    return find(key_of_run(run))


def of_runs(runs: Iterable[Run]) -> list[ZeroShot]:
    """Return what the bases of runs answer, each base and set of questions once."""
    keys = dict.fromkeys(map(key_of_run, runs))
    return [found for found in map(find, keys) if found is not None]


def write(key: str, found: ZeroShot) -> Path:
    """Keep a measurement in this workspace, and return its file."""
    file = own_file(key)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_files.replace_file(file, json.dumps(vars(found)).encode())
    return file
