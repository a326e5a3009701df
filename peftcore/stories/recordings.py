"""Recordings of trained runs that stories and Home draw without torch, from `assets/stories`.

`python -m peftcore ship stories` writes them (`record.py`); nothing in them is typed.

Axes: q query, k content key, p prefix position, e head width, s seed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peftcore import paths
from peftcore.analysis import scaling
from peftcore.analysis.limits import AttentionLayer, LayerComparison, compare_layers
from peftcore.errors import BadInput
from peftcore.tasks.images import canvas
from peftcore.tasks.images.canvas import Picture

Array = NDArray[np.float64]
HEAD, TRIANGLE, TOY, SOFT_PROMPT, ATOMS = (
    *("attention_head", "triangle_answers", "toy_answers", "soft_prompt", "atom_sentence"),
)
DRAWN = "atom_drawings"
NAMES = (HEAD, TRIANGLE, TOY, SOFT_PROMPT, ATOMS, DRAWN)


def stories_folder() -> Path:
    """Return where recordings and stories ship."""
    return paths.ASSETS / "stories"


def read(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Read a recording; BadInput if it is not there."""
    path = (folder or stories_folder()) / f"{name}.json"
    if not path.is_file():
        raise BadInput(f"no recording {name!r} in {path.parent}; `ship stories` writes it")
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


@dataclass(frozen=True)
class HeadRecording:
    """One head while it reads a text: untouched, with a run's prefix, and with a run's LoRA.

    Each adapter is in this layer alone, so that inputs are the same in all three.
    """

    base: str
    prefix_run: str
    lora_run: str
    layer: int  # counted from 1
    head: int  # counted from 1
    text: str
    tokens: tuple[str, ...]  # q
    query: int  # the one that is shown first
    before: Array  # (q, k)
    prefixed: Array  # (q, p + k)
    value: Array  # (p + k, e), of the prefix and of the content
    lora: Array  # (q, k)

    @property
    def length(self) -> int:
        """Number of prefix positions."""
        return self.prefixed.shape[1] - self.before.shape[1]

    def row_before(self, query: int) -> Array:
        """Return what a query looks at in the frozen model (query + 1,); no key comes after it."""
        return self.before[query, : query + 1]

    def row_with_lora(self, query: int) -> Array:
        """Return the same with LoRA (query + 1,)."""
        return self.lora[query, : query + 1]

    def share(self, query: int) -> float:
        """Return what the whole prefix takes of a query's attention."""
        return float(self.prefixed[query, : self.length].sum())

    def with_prefix(self, positions: int) -> LayerComparison:
        """Compare the head with itself with only the first positions of the prefix.

        Leaving positions out of a softmax scales the others up; outputs are weights times values.
        """
        kept = [*range(positions), *range(self.length, self.prefixed.shape[1])]
        weights = self.prefixed[:, kept]
        weights = weights / weights.sum(-1, keepdims=True)
        content = self.value[self.length :]
        return compare_layers(
            _one_head(self.before, content, 0), _one_head(weights, self.value[kept], positions)
        )


def _one_head(weights: Array, value: Array, length: int) -> AttentionLayer:
    """Return a layer of one head from its weights and values."""
    return AttentionLayer(weights[None], value[None], (weights @ value)[None], length)


def head_recording(folder: Path | None = None) -> HeadRecording:
    """Read the recorded head."""
    stored = read(HEAD, folder)
    arrays = {
        name: np.array(stored.pop(name), dtype=np.float64)
        for name in ("before", "prefixed", "value", "lora")
    }
    fields: dict[str, Any] = {**stored, **arrays, "tokens": tuple(stored["tokens"])}
    return HeadRecording(**fields)


@dataclass(frozen=True)
class TriangleAnswers:
    """The answers of every point of a shipped landscape to one example."""

    landscape: str
    run: str
    source: str
    target: str
    answers: tuple[str, ...]  # one for each row of the landscape's table


def triangle_answers(folder: Path | None = None) -> TriangleAnswers:
    """Read the answers over the triangle."""
    stored = read(TRIANGLE, folder)
    return TriangleAnswers(answers=tuple(stored.pop("answers")), **stored)


@dataclass(frozen=True)
class ToyAnswer:
    """Digits and what every adaptation of a tiny transformer makes of them."""

    digits: str
    answers: dict[str, str]  # adaptation → digits
    right: dict[str, str]  # task → digits


def toy_answers(folder: Path | None = None) -> list[ToyAnswer]:
    """Read what the tiny transformers answer."""
    return [ToyAnswer(**row) for row in read(TOY, folder)["rows"]]


@dataclass(frozen=True)
class SoftPromptRecording:
    """Scales and lengths of a run's soft tokens, and the gap of every seed to words."""

    run: str
    seeds: tuple[int, ...]
    scale: Array  # (s, p)
    length: Array  # (s, p), of the tokens without their scales
    word_length: Array  # (n,), of the words in the data
    gaps: tuple[tuple[int, scaling.RepresentationGap, scaling.RepresentationGap], ...]


def soft_prompt(folder: Path | None = None) -> SoftPromptRecording:
    """Read the scales and gaps."""
    stored = read(SOFT_PROMPT, folder)
    gaps = tuple((row["seed"], _gap(row["before"]), _gap(row["after"])) for row in stored["gaps"])
    scale, length, words = (np.array(stored[name]) for name in ("scale", "length", "word_length"))
    return SoftPromptRecording(
        stored["run"], tuple(stored["seeds"]), scale, length, words, tuple(gaps)
    )


def _gap(stored: dict[str, Any]) -> scaling.RepresentationGap:
    """Return a gap as `analysis.scaling` measured it."""
    tests = {name: scaling.PermutationResult(**stored[name]) for name in ("energy", "kernel")}
    return scaling.RepresentationGap(**{**stored, **tests})


@dataclass(frozen=True)
class AtomSentence:
    """Coefficients of one matrix's atoms at every token of an example's answer."""

    run: str
    seed: int
    site: str
    text: str
    answer: str
    tokens: tuple[str, ...]  # t
    codes: Array  # (t, m)


def atom_sentence(folder: Path | None = None) -> AtomSentence:
    """Read the coefficients over a sentence."""
    stored = read(ATOMS, folder)
    codes, tokens = np.array(stored.pop("codes")), tuple(stored.pop("tokens"))
    return AtomSentence(**stored, tokens=tokens, codes=codes)


@dataclass(frozen=True)
class RecordedDrawing:
    """Pictures of one prompt with so many atoms, and what is read in each."""

    atoms: int
    pictures: tuple[Picture, ...]
    descriptions: tuple[str, ...]
    alignment: float | None  # share that shows what was asked for


@dataclass(frozen=True)
class DrawnPrompt:
    """One prompt, drawn with more and more atoms of a run."""

    run: str
    seed: int
    world: str
    prompt: str
    drawings: tuple[RecordedDrawing, ...]


def drawn_prompt(folder: Path | None = None) -> DrawnPrompt:
    """Read the drawings."""
    stored = read(DRAWN, folder)
    drawings = tuple(
        RecordedDrawing(
            int(row["atoms"]),
            tuple(canvas.code_to_picture(code) for code in row["pictures"]),
            tuple(row["descriptions"]),
            row["alignment"],
        )
        for row in stored.pop("drawings")
    )
    return DrawnPrompt(drawings=drawings, **stored)
