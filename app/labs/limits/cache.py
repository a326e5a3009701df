"""What the Limits page asks of models: one layer with and without an adapter, remembered.

Nothing here imports torch before a result is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app.compare import selection
from app.state import cache
from peftcore import paths as paths_
from peftcore.adapters.base import METHODS
from peftcore.analysis.limits import LayerComparison
from peftcore.data.task import Example
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.attention.layer_probe import Probe
    from peftcore.models.structure import Site

SMALL = 30_000_000  # parameters: up to here a block more takes some hundredths of a second
PRECISIONS = {"fp32": "Single precision", "fp64": "Double precision", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Asked:
    """What is looked at: a text, one seed, and the switches."""

    example: Example
    seed: int
    alone: bool
    naive: bool
    length: int | None


def candidates() -> list[Run]:
    """Finished runs that change attention layers, on bases at hand; prefixes first."""
    known = {info.name for info in cache.bases()}
    runs = [
        run
        for run in selection.finished()
        if run.spec.base in known and run.spec.method in METHODS and _inside(run.spec.method)
    ]
    return sorted(
        runs,
        key=lambda run: (
            not has_prefix(run),
            run.spec.task != "miniworld_nli",
            run.spec.population.vertices,
        ),
    )


def _inside(method: str) -> bool:
    """Whether a method works inside the layers, by a prefix or by changed weights."""
    return METHODS[method].injects in ("prefix", "output")


def has_prefix(run: Run) -> bool:
    """Whether a run puts a prefix into attention."""
    return METHODS[run.spec.method].injects == "prefix"


def prefix_length(run: Run) -> int:
    """Positions of a run's prefix; 0 where it puts none into attention."""
    method = METHODS[run.spec.method]
    return method.virtual_tokens(method.Config.make(run.spec.settings)) if has_prefix(run) else 0


def beside(run: Run, runs: Sequence[Run]) -> list[Run]:
    """Runs to hold against one: other methods on the same base, those of the same task first.

    LoRA comes before the rest: it changes queries, so it shows what a prefix cannot do.
    """
    same = [
        other
        for other in runs
        if other.spec.base == run.spec.base and other.spec.method != run.spec.method
    ]
    spec = run.spec
    return sorted(same, key=lambda o: (o.spec.task != spec.task, o.spec.method != "lora"))


def sites(base: str) -> tuple[Site, ...]:
    """The attention blocks of a base."""
    return cache.base(base).anatomy.sites


@st.cache_resource(max_entries=9, show_spinner="Preparing the model…")
def _probe(run_id: str, precision: str, home: str, stamp: int) -> Probe:
    from peftcore.labs.attention.layer_probe import Probe

    return Probe(cache.adapted(run_id), precision)  # type: ignore[arg-type]


def layers(
    run: Run, paths: Sequence[str], asked: Asked, precision: str
) -> dict[str, LayerComparison]:
    """Each of these attention blocks beside itself without the run's adapter.

    On a small base all blocks are measured at the first question, so that the next layer is there.
    """
    base = cache.base(run.spec.base)
    if base.parameters <= SMALL:
        paths = [site.path for site in base.anatomy.sites]
    weights = run.folder / "adapter.safetensors"
    stamp = weights.stat().st_mtime_ns if weights.is_file() else 0
    home = str(paths_.home())
    return _layers(run.id, tuple(paths), asked, precision, home, stamp)


@st.cache_resource(max_entries=48, show_spinner=False)  # up to 25 MB each
def _layers(
    run_id: str, paths: tuple[str, ...], asked: Asked, precision: str, home: str, stamp: int
) -> dict[str, LayerComparison]:
    from peftcore.labs.attention.layer_probe import Switches, probe

    switches = Switches(asked.alone, asked.naive, asked.length)
    made = _probe(run_id, precision, home, stamp)
    return probe(made, asked.example, paths, switches, asked.seed)


def words(base: str, example: Example, place: str) -> tuple[list[str], list[str]]:
    """What queries and keys of a kind of attention read."""
    from peftcore.labs.attention.capture import tokens_of

    read, answered = tokens_of(cache.base(base), example)
    first = [token.text for token in read]
    second = [token.text for token in answered]
    return {
        "encoder": (first, first),
        "decoder": (second or first, second or first),
        "cross": (second, first),
    }[place]
