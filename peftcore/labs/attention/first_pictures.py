"""What Attention and Limits show first of the runs that ship, recorded so that no torch is needed.

A file holds one subject, a run or an untouched base, while its first seed reads the first test
example of a task: attention of every head, and of a run that works inside attention layers the
layer that Limits opens on, with that of the run it is compared with.  `ship first-pictures` writes
them (`record_first_pictures.py`); until torch is in memory pages draw from here.

Axes: l layer, h head, q query, k key, e head width.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.analysis.attention import (
    LEARNED_KINDS,
    AttentionPattern,
    AttentionToken,
)
from peftcore.analysis.limits import AttentionLayer, LayerComparison
from peftcore.data.task import Example
from peftcore.models.structure import AttentionBlock
from peftcore.runs.store import Run

SEED, EXAMPLE = 0, 0  # which of a run's seeds reads which test example
BASE_PREFIX = "base:"
HEADER = "first_picture"  # in the file's metadata, as JSON
LAYER_ARRAYS = ("weights", "value", "output")
MOST_BYTES = 300_000  # of a file; of a run with many soft tokens none ships


@dataclass(frozen=True)
class FirstPicture:
    """One subject and what it looked at; `comparisons` are of one attention block, by run."""

    subject: str  # a run's id, or base:NAME
    base: str
    task: str
    source: str
    target: str
    patterns: Mapping[str, AttentionPattern]  # by kind of attention
    block_path: str = ""
    comparisons: Mapping[str, LayerComparison] = field(default_factory=dict)

    @property
    def blocks(self) -> list[AttentionBlock]:
        """Every attention block of the base."""
        return [
            AttentionBlock(path, kind, layer)  # type: ignore[arg-type]
            for kind, pattern in self.patterns.items()
            for layer, path in enumerate(pattern.block_paths)
        ]

    def texts(self, attention_kind: str) -> tuple[list[str], list[str]]:
        """Return the words of queries and keys, without virtual tokens."""
        pattern = self.patterns[attention_kind]
        queries, keys = (
            [token.text for token in side if token.kind not in LEARNED_KINDS]
            for side in (pattern.queries, pattern.keys)
        )
        return queries, keys


def shipped_folder() -> Path:
    """Return where they ship."""
    return paths.ASSETS / "first_pictures"


def file_of(folder: Path, subject: str, task: str) -> Path:
    """Return the file of a subject and a task."""
    return folder / f"{subject.replace(':', '-')}-{task}.safetensors"


def works_inside_attention(method: str) -> bool:
    """Return whether a method works inside layers, by a prefix or by changed weights."""
    return METHODS[method].injects in ("prefix", "output")


def comparable_runs(run: Run, runs: Sequence[Run]) -> list[Run]:
    """List what one run is compared with: other methods on its base, those of its task first.

    LoRA comes before the rest: it changes queries, so it shows what a prefix cannot do.
    """
    others = [
        other
        for other in runs
        if other.spec.base == run.spec.base and other.spec.method != run.spec.method
    ]
    spec = run.spec
    return sorted(others, key=lambda o: (o.spec.task != spec.task, o.spec.method != "lora"))


def opening_layer(run: Run, counts: Mapping[str, int]) -> tuple[str, int]:
    """Return the kind and the layer, from 0, that Limits opens on, given layers by kind.

    The decoder first: that is where LoRA sits by default, which is compared with prefixes.  A run
    that enters higher up opens where there is something to see.
    """
    kind = "decoder" if "decoder" in counts else next(iter(counts))
    return kind, min(int(run.spec.settings.get("first_layer", 0)), counts[kind] - 1)


def write(picture: FirstPicture, folder: Path) -> Path | None:
    """Write a file; None if it would be too large.

    Attention is kept in half precision, which a screen cannot tell from single.
    """
    tensors = {
        f"attention.{kind}": pattern.weights.astype(np.float16)
        for kind, pattern in picture.patterns.items()
    }
    lengths = {}
    for run, comparison in picture.comparisons.items():
        lengths[run] = comparison.length
        tensors |= _layer_tensors("limits.base", comparison.base)
        tensors |= _layer_tensors(f"limits.{run}", comparison.adapted)
    if sum(tensor.nbytes for tensor in tensors.values()) > MOST_BYTES:
        return None
    facts = {
        "subject": picture.subject,
        "base": picture.base,
        "task": picture.task,
        "source": picture.source,
        "target": picture.target,
        "block_path": picture.block_path,
        "lengths": lengths,
        "attention": [
            {
                "kind": kind,
                "paths": pattern.block_paths,
                "queries": [(t.text, t.kind, t.part) for t in pattern.queries],
                "keys": [(t.text, t.kind, t.part) for t in pattern.keys],
            }
            for kind, pattern in picture.patterns.items()
        ],
    }
    path = file_of(folder, picture.subject, picture.task)
    save_file(tensors, path, {HEADER: json.dumps(facts, ensure_ascii=False)})
    return path


def _layer_tensors(name: str, layer: AttentionLayer) -> dict[str, np.ndarray]:
    return {f"{name}.{part}": getattr(layer, part).astype(np.float32) for part in LAYER_ARRAYS}


def read(path: Path) -> FirstPicture | None:
    """Read a file; None if there is none, or if it cannot be read."""
    try:
        with safe_open(path, framework="np") as stored:
            facts = json.loads(stored.metadata()[HEADER])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    comparisons = {
        run: LayerComparison(_stored_layer(tensors, "base", 0), _stored_layer(tensors, run, length))
        for run, length in facts.pop("lengths").items()
    }
    patterns = {
        part["kind"]: AttentionPattern(
            part["kind"],
            tuple(part["paths"]),
            _tokens(part["queries"]),
            _tokens(part["keys"]),
            tensors[f"attention.{part['kind']}"].astype(np.float32),
        )
        for part in facts.pop("attention")
    }
    return FirstPicture(**facts, patterns=patterns, comparisons=comparisons)


def _stored_layer(tensors: Mapping[str, np.ndarray], name: str, length: int) -> AttentionLayer:
    weights, value, output = (
        tensors[f"limits.{name}.{part}"].astype(np.float64) for part in LAYER_ARRAYS
    )
    return AttentionLayer(weights, value, output, length)


def _tokens(stored: Sequence[Sequence[Any]]) -> tuple[AttentionToken, ...]:
    return tuple(AttentionToken(text, kind, part) for text, kind, part in stored)


@functools.lru_cache(maxsize=16)
def _read_once(path: Path) -> FirstPicture | None:
    return read(path)


def find(run: Run | None, base: str, example: Example, seed: int) -> FirstPicture | None:
    """Return what ships of a run, or of an untouched base, on an example; None if it is another.

    Only of runs that ship: what somebody trained again may differ.
    """
    if run is not None and (not run.demo or seed != SEED):
        return None
    subject = run.id if run else f"{BASE_PREFIX}{base}"
    for path in sorted(shipped_folder().glob(file_of(Path(), subject, "*").name)):
        found = _read_once(path)
        if found and (found.source, found.target) == (example.source, example.target):
            return found if found.base == base else None
    return None
