"""What the Toys page reads and asks: results by folder, and answers of trained toys, remembered.

Nothing here imports torch before an answer is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from peftcore.errors import BadInput
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import DIGITS, Recipe, Stage, ToyShape, find_recipe


@dataclass(frozen=True)
class ResultSource:
    """Where results lie, and which: those that come with the project, or of this machine."""

    name: str
    folder: Path
    recipe: Recipe
    seeds: tuple[int, ...]

    def rows(self) -> list[results.ResultRow]:
        """The table, as far as it has come."""
        return list(results.result_rows(self.folder, self.recipe, self.seeds))

    def with_several_starts(self) -> list[tuple[Stage, results.StageResult]]:
        """The adaptations that had more than one start for each seed, with their results."""
        stages = results.completed_stages(self.folder, self.recipe, self.seeds)
        return [(stage, result) for stage, result in stages if stage.starts > 1]


def result_sources(number: str) -> list[ResultSource]:
    """The shipped results of an experiment, and those of this machine; only what has a table."""
    shipped = ResultSource(
        "Shipped", results.shipped_folder(), find_recipe(number, "cpu"), results.SHIPPED_SEEDS
    )
    own = []
    for size in ("cpu", "quick", "full"):
        chosen = find_recipe(number, size)
        sets = results.seed_sets(results.own_folder(), chosen)
        for seeds in sets:
            name = f"Yours, {size}" + (
                f", seeds {seeds[0]} to {seeds[-1]}" if len(sets) > 1 else ""
            )
            own.append(ResultSource(name, results.own_folder(), chosen, seeds))
    return [source for source in (shipped, *own) if source.rows()]


@dataclass(frozen=True)
class VariantAnswer:
    """What one variant wrote."""

    adaptation: str
    digits: tuple[int, ...]


def parse_digits(text: str, length: int) -> tuple[int, ...]:
    """The digits somebody typed; BadInput says what is wrong."""
    signs = [sign for sign in text if not sign.isspace() and sign != ","]
    allowed = {str(digit) for digit in range(DIGITS)}
    if len(signs) != length or not set(signs) <= allowed:
        raise BadInput(f"type {length} digits from 0 to {DIGITS - 1}; got {text[:40]!r}")
    return tuple(map(int, signs))


Variants = tuple[tuple[Stage, str], ...]  # stages that are there, with their keys


def _variants(source: ResultSource) -> Variants:
    stage_results = results.completed_stages(source.folder, source.recipe, source.seeds)
    return tuple((stage, result.key) for stage, result in stage_results)


def variant_answers(source: ResultSource, typed: Sequence[int]) -> list[VariantAnswer]:
    """Return what the first seed of every variant answers."""
    return _variant_answers(source.folder, source.recipe.shape, _variants(source), tuple(typed))


@st.cache_resource(max_entries=128, show_spinner="Asking every variant…")
def _variant_answers(
    folder: Path, shape: ToyShape, variants: Variants, typed: tuple[int, ...]
) -> list[VariantAnswer]:
    """What each of these variants writes for the digits typed."""
    import torch

    from peftcore.labs.toys import training

    base_weights, answered = results.load_weights(folder, variants[0][1]), []
    for stage, key in variants:
        adapted_weights = results.load_weights(folder, key)
        output_digits = training.greedy_answers(
            shape, stage.kind, adapted_weights, base_weights, torch.tensor([typed])
        )
        answered.append(VariantAnswer(stage.name, tuple(output_digits[0].tolist())))
    return answered


def variant_attention(source: ResultSource, digits: Sequence[int]) -> dict[str, list[np.ndarray]]:
    """Return the attention of every variant to the same digits, by layers (h, q, m + k).

    digits: the input and the answer, whose last digit is never read.
    """
    shape = source.recipe.shape
    digits_read = tuple(digits)[: 2 * shape.length - 1]
    return _variant_attention(source.folder, shape, _variants(source), digits_read)


@st.cache_resource(max_entries=128, show_spinner=False)
def _variant_attention(
    folder: Path, shape: ToyShape, variants: Variants, digits_read: tuple[int, ...]
) -> dict[str, list[np.ndarray]]:
    """What each of these variants looks at while reading the digits."""
    import torch

    from peftcore.labs.toys import training

    base_weights, attention_by_variant = results.load_weights(folder, variants[0][1]), {}
    for stage, key in variants:
        adapted_weights = results.load_weights(folder, key)
        head_weights = training.attention_weights(
            shape, stage.kind, adapted_weights, base_weights, torch.tensor(digits_read)
        )
        attention_by_variant[stage.name] = [weights.float().numpy() for weights in head_weights]
    return attention_by_variant


def right_answer(task: str, typed: Sequence[int]) -> tuple[int, ...]:
    """Return what a task asks for."""
    import torch

    from peftcore.labs.toys.digits import ANSWERS

    return tuple(ANSWERS[task](torch.tensor([list(typed)]))[0].tolist())


def tasks_answered(answer: Sequence[int], typed: Sequence[int]) -> list[str]:
    """The tasks of which this is the right answer."""
    import torch

    from peftcore.labs.toys.digits import ANSWERS

    typed_digits = torch.tensor([list(typed)])
    return [
        task for task, make in ANSWERS.items() if make(typed_digits)[0].tolist() == list(answer)
    ]
