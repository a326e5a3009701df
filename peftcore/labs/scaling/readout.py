"""Reads the soft prompt of a run as arrays, and the words of its data.

"Before" is a token without its scale, "after" the product that the base reads; prompt tuning has no
scale, so both are the same.  A simplex is read at its centroid, the adapter that is kept.  What the
numbers say is computed in `analysis.scaling`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peftcore import tasks
from peftcore.adapters.base import METHODS, Adapter
from peftcore.analysis import scaling
from peftcore.errors import BadInput
from peftcore.models.token_names import vocabulary_names
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

FloatArray = NDArray[np.floating[Any]]
SAMPLE_SIZE = 300  # rows of words that distances are measured against


@dataclass(frozen=True)
class SoftPrompt:
    """Soft tokens of every seed (s, p, d), before their scales and after."""

    seeds: tuple[int, ...]
    before: FloatArray
    after: FloatArray

    @property
    def scale(self) -> FloatArray:
        """Return the scale of every token, (s, p)."""
        return scaling.best_scales(self.before, self.after)


@dataclass(frozen=True)
class SoftPromptHistory:
    """A soft prompt at the steps that were kept: before and after are (t, s, p, d)."""

    steps: tuple[int, ...]
    seeds: tuple[int, ...]
    before: FloatArray
    after: FloatArray

    @property
    def scale(self) -> FloatArray:
        """Return the scale of every token at every step, (t, s, p)."""
        return scaling.best_scales(self.before, self.after)


@dataclass(frozen=True)
class WordSet:
    """Distinct words of the examples a run was trained on, most frequent first."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    vectors: FloatArray  # (n, d)


@dataclass(frozen=True)
class NearestWords:
    """The nearest words of the vocabulary by cosine: names[seed][token][rank]."""

    names: tuple[tuple[tuple[str, ...], ...], ...]
    cosines: FloatArray  # (s, p, k)


@dataclass(frozen=True)
class SoftPromptReadout:
    """Everything about one run's soft prompt that needs its base."""

    run: str
    final: SoftPrompt
    history: SoftPromptHistory
    words: WordSet
    unseen_words: WordSet  # a sample of the vocabulary that the data do not have
    before: NearestWords
    after: NearestWords
    learning_rate_ratio: float | None


@dataclass(frozen=True)
class SeedGap:
    """The gap to words of one seed's soft tokens, without their scales and with them."""

    seed: int
    before: scaling.RepresentationGap
    after: scaling.RepresentationGap


def has_soft_prompt(method: str) -> bool:
    """Return whether a method puts soft tokens before the input."""
    return method in METHODS and METHODS[method].injects == "prompt"


def require_soft_prompt(run: Run) -> None:
    """Raise BadInput unless the run has soft tokens."""
    if not has_soft_prompt(run.spec.method):
        methods = ", ".join(name for name in METHODS if has_soft_prompt(name))
        raise BadInput(
            f"run {run.id} was trained with {run.spec.method}, which has no soft tokens; "
            f"methods that have them: {methods}"
        )


def read_soft_prompt(run: Run, base: BaseModel, step: int | None = None) -> SoftPrompt:
    """Load the soft prompt a run ended with, or had at a kept step."""
    require_soft_prompt(run)
    return _soft_prompt(load_adapter(run, base, step), run)


def read_history(run: Run, base: BaseModel) -> SoftPromptHistory:
    """Load the soft prompt at every kept step; where none was kept, only at the end.

    Kept steps are stored in half precision, so they are exact to about three digits.
    """
    steps = run.intermediate_steps()
    prompts = [read_soft_prompt(run, base, step) for step in steps] or [read_soft_prompt(run, base)]
    return SoftPromptHistory(
        tuple(steps) or (run.status().step,),
        prompts[0].seeds,
        np.stack([prompt.before for prompt in prompts]),
        np.stack([prompt.after for prompt in prompts]),
    )


def shared_history(
    first: SoftPromptHistory, second: SoftPromptHistory
) -> tuple[tuple[int, ...], FloatArray, FloatArray]:
    """Return common steps of two histories, and both prompts (t, s, p, d) of common seeds."""
    steps = tuple(step for step in first.steps if step in second.steps)
    seeds = [seed for seed in first.seeds if seed in second.seeds]

    def shared(history: SoftPromptHistory) -> FloatArray:
        rows = history.after[[history.steps.index(step) for step in steps]]
        return rows[:, [history.seeds.index(seed) for seed in seeds]]

    return steps, shared(first), shared(second)


def _soft_prompt(adapted: AdaptedModel, run: Run) -> SoftPrompt:
    adapter, tensors = adapted.adapter, adapted.tensors
    unscaled = dict(tensors)
    if "scale" in tensors:
        unscaled["scale"] = tensors["scale"].detach() * 0 + 1  # so the product is the token alone
    if "shift" in tensors:
        unscaled["shift"] = tensors["shift"].detach() * 0
    return SoftPrompt(
        tuple(run.spec.population.seed_numbers()),
        _effective_tokens(adapter, unscaled),
        _effective_tokens(adapter, tensors),
    )


def _effective_tokens(adapter: Adapter, tensors: Mapping[str, Tensor]) -> FloatArray:
    """Return the soft tokens (s, p, d) that the base reads, at the centroid."""
    tokens = adapter.effective_tensors(tensors)["tokens"].detach().float().mean(1)
    return tokens.cpu().numpy()


def build_readout(run: Run, base: BaseModel) -> SoftPromptReadout:
    """Load a run's soft prompt, its history, the words it saw, and the words it is nearest to."""
    final, seen_words = read_soft_prompt(run, base), training_words(run, base)
    nearest = nearest_words(final.before, base)
    has_scale = (final.before != final.after).any()  # without one, both searches are the same
    return SoftPromptReadout(
        run.id,
        final,
        read_history(run, base),
        seen_words,
        unseen_words(base, seen_words),
        nearest,
        nearest_words(final.after, base) if has_scale else nearest,
        learning_rate_ratio(run, base),
    )


def seed_gaps(readout: SoftPromptReadout, base: BaseModel) -> list[SeedGap]:
    """Measure the gap to words of every seed, against the same sample of them."""
    rows, table = sample_rows(readout.words.vectors), word_embeddings(base)[_ordinary_ids(base)]
    has_scale = (readout.final.before != readout.final.after).any()
    gaps = []
    for seed, before, after in zip(
        readout.final.seeds, readout.final.before, readout.final.after, strict=True
    ):
        before_gap = scaling.representation_gap(before, rows, table)
        gaps.append(
            SeedGap(
                seed,
                before_gap,
                scaling.representation_gap(after, rows, table) if has_scale else before_gap,
            )
        )
    return gaps


def unseen_words(base: BaseModel, seen_words: WordSet, count: int = SAMPLE_SIZE) -> WordSet:
    """Sample words of the vocabulary that are not among those seen, always the same ones."""
    ids = _ordinary_ids(base)
    seen_names = set(seen_words.names)
    candidate_ids = [
        i
        for i, name in zip(ids, vocabulary_names(base.tokenizer, ids.tolist()), strict=True)
        if name not in seen_names
    ]
    sampled_ids = sample_rows(np.array(candidate_ids, dtype=int), count).tolist()
    return WordSet(
        vocabulary_names(base.tokenizer, sampled_ids),
        (0,) * len(sampled_ids),
        word_embeddings(base)[sampled_ids],
    )


def training_words(run: Run, base: BaseModel) -> WordSet:
    """Return the words of the training examples that any seed of the run has seen."""
    from peftcore.models.batching import ExampleBatcher

    task, training = tasks.task_of(run.spec), run.spec.training
    batcher, special_ids = ExampleBatcher(base, task.labels), set(base.tokenizer.all_special_ids)
    examples_by_id = {
        row.id: row
        for seed_number in run.spec.population.seed_numbers()
        for row in task.few_shot(training.shots, seed_number, training.dev).train
    }
    counts: Counter[int] = Counter()
    for row in examples_by_id.values():
        counts.update(
            i for i in batcher.tokenize(row, check_window=False).input_ids if i not in special_ids
        )
    ids = [i for i, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return WordSet(
        vocabulary_names(base.tokenizer, ids),
        tuple(counts[i] for i in ids),
        word_embeddings(base)[ids],
    )


def word_embeddings(base: BaseModel) -> FloatArray:
    """Return the embeddings of all words, (n, d)."""
    return base.embeddings.detach().float().cpu().numpy()


def nearest_words(prompt: FloatArray, base: BaseModel, count: int = 3) -> NearestWords:
    """Find the words nearest to every soft token (s, p, d) among the ordinary ones."""
    ids = _ordinary_ids(base)
    seeds, length, _ = prompt.shape
    rows = prompt.reshape(seeds * length, -1)
    indices, cosines = scaling.nearest_rows(rows, word_embeddings(base)[ids], count)
    names = iter(vocabulary_names(base.tokenizer, ids[indices].ravel().tolist()))
    return NearestWords(
        tuple(
            tuple(tuple(next(names) for _ in range(indices.shape[1])) for _ in range(length))
            for _ in range(seeds)
        ),
        cosines.reshape(seeds, length, -1),
    )


def _ordinary_ids(base: BaseModel) -> NDArray[np.intp]:
    """Return the ids (n,) of the words of the vocabulary that are not special."""
    special_ids = set(base.tokenizer.all_special_ids)
    vocabulary_size = min(len(base.embeddings), len(base.tokenizer))  # some tables have spare rows
    return np.array([i for i in range(vocabulary_size) if i not in special_ids])


def sample_rows(rows: NDArray[Any], count: int = SAMPLE_SIZE) -> NDArray[Any]:
    """Sample at most `count` of the rows (n, …), always the same ones."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))]


def learning_rate_ratio(run: Run, base: BaseModel) -> float | None:
    """Return the learning rate of the scale over that of the tokens; None if one is not trained."""
    adapter = _shape_only_adapter(run, base)
    trainable_names = set(adapter.tensors) - adapter.untrained_names()
    if not {"scale", "tokens"} <= trainable_names:
        return None
    factors = adapter.learning_rate_factors()
    return factors.get("scale", 1.0) / factors.get("tokens", 1.0)


def _shape_only_adapter(run: Run, base: BaseModel) -> Adapter:
    """Build the run's adapter without any values."""
    from peftcore.adapters.initializers import SeededInitializer

    method_class = METHODS[run.spec.method]
    return method_class(
        base, method_class.Config.make(run.spec.settings), SeededInitializer([0], 1, "meta")
    )
