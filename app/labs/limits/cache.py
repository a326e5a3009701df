"""What the Limits page asks of models: one layer with and without an adapter, remembered.

Nothing here imports torch before a result is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app.state import cache, run_catalog, wait_for_imports
from peftcore.adapters.base import METHODS
from peftcore.analysis.limits import LayerComparison
from peftcore.data.task import Example
from peftcore.labs.attention import first_pictures
from peftcore.labs.attention.first_pictures import FirstPicture
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from peftcore.labs.attention.layer_probe import LayerProbe, Precision
    from peftcore.models.base_model import BaseModel
    from peftcore.models.structure import AttentionBlock

LAB = "limits"
SMALL_BASE_PARAMETERS = 30_000_000  # up to here one more block takes some hundredths of a second
LAYERS_AT_ONCE = 6  # layers of a large base between two looks at how far it is
PRECISION_TITLES: dict[Precision, str] = {
    "fp32": "Single precision",
    "fp64": "Double precision",
    "bf16": "bfloat16",
}


ROUNDING: dict[Precision, float] = {"fp32": 1e-5, "fp64": 1e-12, "bf16": 5e-2}  # at most that


@dataclass(frozen=True)
class LimitsInput:
    """What is looked at: a text, one seed, and the switches."""

    example: Example
    seed: int
    single_layer: bool = True
    shift_positions: bool = False
    prefix_length: int | None = None


def candidate_runs() -> list[Run]:
    """Return finished runs that change attention layers, prefixes first."""
    base_names = {info.name for info in cache.list_bases()}
    runs = [
        run
        for run in run_catalog.finished_runs()
        if run.spec.base in base_names
        and run.spec.method in METHODS
        and first_pictures.works_inside_attention(run.spec.method)
    ]
    return sorted(
        runs,
        key=lambda run: (
            not has_prefix(run),
            run.spec.task != "miniworld_nli",
            run.spec.population.vertices,
        ),
    )


def has_prefix(run: Run) -> bool:
    """Return whether a run puts a prefix into attention."""
    return METHODS[run.spec.method].injects == "prefix"


def prefix_length(run: Run) -> int:
    """Positions of a run's prefix; 0 where it puts none into attention."""
    method = METHODS[run.spec.method]
    return method.virtual_tokens(method.Config.make(run.spec.settings)) if has_prefix(run) else 0


def recorded(run: Run, example: Example, seed: int = first_pictures.SEED) -> FirstPicture | None:
    """Return what ships of a run on an example while torch is not in memory yet.

    None once it is; NotRecorded if nothing ships.
    """
    if not wait_for_imports.is_waiting(LAB):
        return None
    found = first_pictures.find(run, run.spec.base, example, seed)
    if found is None or not found.comparisons:
        raise wait_for_imports.NotRecorded
    return found


def attention_blocks(run: Run, example: Example) -> Sequence[AttentionBlock]:
    """The attention blocks of a run's base."""
    if found := recorded(run, example):
        return found.blocks
    return cache.base_model(run.spec.base).structure.attention_blocks


def head_count(run: Run, example: Example) -> int:
    """Heads of a layer of a run's base."""
    if found := recorded(run, example):
        return next(iter(found.patterns.values())).heads
    return cache.base_model(run.spec.base).structure.heads


# One copy of a base for all its runs: in double precision it is twice the size of the base.
@st.cache_resource(max_entries=2, show_spinner="Converting the model…")
def _base_in_precision(base: str, precision: Precision) -> BaseModel:
    from peftcore.labs.attention.layer_probe import base_in_precision

    return base_in_precision(cache.base_model(base), precision)


@st.cache_resource(max_entries=6, show_spinner="Preparing the model…", hash_funcs=cache.BY_ADAPTER)
def _layer_probe(run: Run, precision: Precision) -> LayerProbe:
    from peftcore.labs.attention.layer_probe import LayerProbe

    adapted = cache.adapted_model(run)
    if precision == "fp32":
        return LayerProbe(adapted, precision, adapted.base)
    return LayerProbe(adapted, precision, _base_in_precision(run.spec.base, precision))


def compare_layers(
    run: Run,
    block_paths: Sequence[str],
    limits_input: LimitsInput,
    precision: Precision = "fp32",
    *,
    beside: Run | None = None,
) -> dict[str, LayerComparison]:
    """Compare each of these attention blocks with itself without the run's adapter.

    On a small base all blocks are measured at the first question, so that the next layer is there.
    beside: the run that is looked at, where this is the one it is compared with.
    """
    if found := recorded(beside or run, limits_input.example, limits_input.seed):
        usual = limits_input == LimitsInput(limits_input.example, limits_input.seed)
        if not usual or run.id not in found.comparisons or {*block_paths} != {found.block_path}:
            raise wait_for_imports.NotRecorded
        return {found.block_path: found.comparisons[run.id]}
    if is_small(run.spec.base):
        blocks = cache.base_model(run.spec.base).structure.attention_blocks
        block_paths = [block.path for block in blocks]
    return _compare_layers(run, tuple(block_paths), limits_input, precision).comparisons


def is_small(base: str) -> bool:
    """Return whether a base is so small that all of it is measured at the first question."""
    return catalog.describe_base(base).parameter_count <= SMALL_BASE_PARAMETERS


def seconds_of_layer(run: Run, block_path: str, limits_input: LimitsInput) -> float:
    """Return how long one layer of a large base took to be measured in single precision."""
    return _compare_layers(run, (block_path,), limits_input, "fp32").seconds


def compare_in_parts(
    run: Run,
    block_paths: Sequence[str],
    limits_input: LimitsInput,
    report: Callable[[int], None],
) -> dict[str, LayerComparison]:
    """The same of many blocks, a few at a time; `report` gets how many are done."""
    size = LAYERS_AT_ONCE if limits_input.single_layer else len(block_paths)
    comparisons: dict[str, LayerComparison] = {}
    for start in range(0, len(block_paths), size):
        part = tuple(block_paths[start : start + size])
        comparisons |= compare_layers(run, part, limits_input)
        report(len(comparisons))
    return comparisons


@dataclass(frozen=True)
class TimedComparisons:
    """Comparisons by block, and how long they took."""

    comparisons: dict[str, LayerComparison]
    seconds: float


# Each entry has up to 25 MB.
@st.cache_resource(max_entries=48, show_spinner=False, hash_funcs=cache.BY_ADAPTER)
def _compare_layers(
    run: Run, block_paths: tuple[str, ...], limits_input: LimitsInput, precision: Precision
) -> TimedComparisons:
    from peftcore.labs.attention.layer_probe import ProbeOptions, probe_layers

    options = ProbeOptions(
        limits_input.single_layer, limits_input.shift_positions, limits_input.prefix_length
    )
    probe = _layer_probe(run, precision)
    began = time.perf_counter()
    comparisons = probe_layers(probe, limits_input.example, block_paths, options, limits_input.seed)
    return TimedComparisons(comparisons, time.perf_counter() - began)


def query_and_key_texts(
    run: Run, example: Example, attention_kind: str
) -> tuple[list[str], list[str]]:
    """Return the tokens that queries and keys of a kind of attention read."""
    if found := recorded(run, example):
        return found.texts(attention_kind)
    from peftcore.labs.attention.capture import example_tokens

    input_tokens, decoder_tokens = example_tokens(cache.base_model(run.spec.base), example)
    input_texts = [token.text for token in input_tokens]
    decoder_texts = [token.text for token in decoder_tokens]
    return {
        "encoder": (input_texts, input_texts),
        "decoder": (decoder_texts or input_texts, decoder_texts or input_texts),
        "cross": (decoder_texts, input_texts),
    }[attention_kind]
