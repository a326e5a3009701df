"""The soft prompt of a run as arrays, and the words its data are made of.

"Before" is a token without its scale, "after" the product that the base reads; prompt tuning has no
scale, so both are the same.  A simplex is read at its centroid, the adapter that is kept.  What the
numbers say is computed in `analysis.scaling`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peftcore import tasks
from peftcore.adapters.base import METHODS, Adapter
from peftcore.analysis import scaling
from peftcore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

Floats = NDArray[np.floating[Any]]
SAMPLE = 300  # rows of words that distances are measured against


@dataclass(frozen=True)
class SoftPrompt:
    """Soft tokens of every seed (s, p, d), before their scales and after."""

    seeds: tuple[int, ...]
    before: Floats
    after: Floats

    @property
    def scale(self) -> Floats:
        """The scale of every token (s, p)."""
        return scaling.best_scales(self.before, self.after)


@dataclass(frozen=True)
class Course:
    """A soft prompt at the steps that were kept: before and after are (t, s, p, d)."""

    steps: tuple[int, ...]
    seeds: tuple[int, ...]
    before: Floats
    after: Floats

    @property
    def scale(self) -> Floats:
        """The scale of every token at every step (t, s, p)."""
        return scaling.best_scales(self.before, self.after)


@dataclass(frozen=True)
class Words:
    """Distinct words of the examples a run was trained on, most frequent first."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    vectors: Floats  # (n, d)


@dataclass(frozen=True)
class Neighbours:
    """The nearest words of the vocabulary by cosine: names[seed][token][rank]."""

    names: tuple[tuple[tuple[str, ...], ...], ...]
    cosines: Floats  # (s, p, k)


@dataclass(frozen=True)
class Reading:
    """Everything about one run's soft prompt that needs its base."""

    run: str
    final: SoftPrompt
    course: Course
    words: Words
    others: Words  # a sample of the vocabulary that the data do not have
    before: Neighbours
    after: Neighbours
    rate_ratio: float | None


@dataclass(frozen=True)
class SeedGap:
    """The gap to words of one seed's soft tokens, without their scales and with them."""

    seed: int
    before: scaling.RepresentationGap
    after: scaling.RepresentationGap


def has_soft_prompt(method: str) -> bool:
    """Whether a method puts soft tokens before the input."""
    return method in METHODS and METHODS[method].injects == "prompt"


def require(run: Run) -> None:
    """BadInput unless the run has soft tokens to look at."""
    if not has_soft_prompt(run.spec.method):
        able = ", ".join(name for name in METHODS if has_soft_prompt(name))
        raise BadInput(
            f"run {run.id} was trained with {run.spec.method}, which has no soft tokens; "
            f"methods that have them: {able}"
        )


def read(run: Run, base: BaseModel, step: int | None = None) -> SoftPrompt:
    """The soft prompt a run ended with, or had at a kept step."""
    from peftcore.training.checkpoint import load_adapter

    require(run)
    return _of(load_adapter(run, base, step), run)


def course(run: Run, base: BaseModel) -> Course:
    """The soft prompt at every kept step; where none was kept, only at the end.

    Kept steps are stored in half precision, so they are exact to about three digits.
    """
    steps = run.path_steps()
    found = [read(run, base, step) for step in steps] or [read(run, base)]
    return Course(
        tuple(steps) or (run.status().step,),
        found[0].seeds,
        np.stack([prompt.before for prompt in found]),
        np.stack([prompt.after for prompt in found]),
    )


def matched(first: Course, second: Course) -> tuple[tuple[int, ...], Floats, Floats]:
    """Steps and seeds that two courses have in common: what the base read at each (t, s, p, d)."""
    steps = tuple(step for step in first.steps if step in second.steps)
    seeds = [seed for seed in first.seeds if seed in second.seeds]

    def shared(of: Course) -> Floats:
        rows = of.after[[of.steps.index(step) for step in steps]]
        return rows[:, [of.seeds.index(seed) for seed in seeds]]

    return steps, shared(first), shared(second)


def _of(adapted: AdaptedModel, run: Run) -> SoftPrompt:
    adapter, held = adapted.adapter, adapted.tensors
    plain = dict(held)
    if "scale" in held:
        plain["scale"] = held["scale"].detach() * 0 + 1
    return SoftPrompt(
        tuple(run.spec.population.numbers()), _tokens(adapter, plain), _tokens(adapter, held)
    )


def _tokens(adapter: Adapter, held: Mapping[str, Tensor]) -> Floats:
    """What the base reads of these tensors (s, p, d), at the centroid."""
    made = adapter.effective_tensors(held)["tokens"].detach().float().mean(1)
    return made.cpu().numpy()


def reading(run: Run, base: BaseModel) -> Reading:
    """A run's soft prompt, its course, the words it saw, and the words it is nearest to."""
    final, seen = read(run, base), words(run, base)
    near = neighbours(final.before, base)
    scaled = (final.before != final.after).any()
    return Reading(
        run.id,
        final,
        course(run, base),
        seen,
        unseen(base, seen),
        near,
        neighbours(final.after, base) if scaled else near,
        rate_ratio(run, base),
    )


def gaps(found: Reading, base: BaseModel) -> list[SeedGap]:
    """The gap of every seed, measured against the same sample of words."""
    rows, table = sampled(found.words.vectors), vocabulary(base)[_ordinary(base)]
    scaled = (found.final.before != found.final.after).any()
    made = []
    for seed, before, after in zip(
        found.final.seeds, found.final.before, found.final.after, strict=True
    ):
        plain = scaling.representation_gap(before, rows, table)
        made.append(
            SeedGap(
                seed, plain, scaling.representation_gap(after, rows, table) if scaled else plain
            )
        )
    return made


def unseen(base: BaseModel, seen: Words, count: int = SAMPLE) -> Words:
    """Words of the vocabulary that are not among those seen, always the same sample."""
    ids = _ordinary(base)
    known = set(seen.names)
    fresh = [i for i, name in zip(ids, names(base, ids.tolist()), strict=True) if name not in known]
    picked = sampled(np.array(fresh, dtype=int), count).tolist()
    return Words(names(base, picked), (0,) * len(picked), vocabulary(base)[picked])


def words(run: Run, base: BaseModel) -> Words:
    """The words of the training examples that any seed of the run has seen."""
    from peftcore.models.batching import Encoder

    task, t = tasks.find(run.spec.task), run.spec.training
    encoder, special = Encoder(base, task.labels), set(base.tokenizer.all_special_ids)
    seen = {
        row.id: row
        for number in run.spec.population.numbers()
        for row in task.few_shot(t.shots, number, t.dev).train
    }
    counts: Counter[int] = Counter()
    for row in seen.values():
        counts.update(i for i in encoder.row(row, window=False).ids if i not in special)
    ids = [i for i, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return Words(names(base, ids), tuple(counts[i] for i in ids), vocabulary(base)[ids])


def vocabulary(base: BaseModel) -> Floats:
    """The embeddings of all words (n, d)."""
    return base.embeddings.detach().float().cpu().numpy()


def names(base: BaseModel, ids: Sequence[int]) -> tuple[str, ...]:
    """Tokens of the vocabulary as a reader spells them; one dot says that a word goes on."""
    pieces = [str(piece) for piece in base.tokenizer.convert_ids_to_tokens(list(ids))]
    known = _pieces(base)
    if any(piece.startswith("##") for piece in known):
        return tuple(f"·{p[2:]}" if p.startswith("##") else p for p in pieces)
    begins = {"▁", "Ġ"} & {piece[:1] for piece in known}
    return tuple(
        p[1:] or "␣" if p[:1] in begins else f"·{p}" if begins and p.isalpha() else p
        for p in pieces
    )


def _pieces(base: BaseModel) -> list[str]:
    """The first few thousand tokens: enough to see how a tokenizer marks words."""
    many = min(len(base.tokenizer), 5000)
    return [str(piece) for piece in base.tokenizer.convert_ids_to_tokens(list(range(many)))]


def neighbours(prompt: Floats, base: BaseModel, count: int = 3) -> Neighbours:
    """The words nearest to every soft token (s, p, d) among the vocabulary's ordinary words."""
    ids = _ordinary(base)
    table = vocabulary(base)[ids]
    found = [scaling.nearest_rows(rows, table, count) for rows in prompt]
    near = list(dict.fromkeys(int(ids[i]) for places, _ in found for i in places.flat))
    called = dict(zip(near, names(base, near), strict=True))
    named = tuple(
        tuple(tuple(called[i] for i in ids[row].tolist()) for row in places) for places, _ in found
    )
    return Neighbours(named, np.stack([cosines for _, cosines in found]))


def _ordinary(base: BaseModel) -> NDArray[np.intp]:
    """Places of the words of the vocabulary that are not special."""
    special = set(base.tokenizer.all_special_ids)
    known = min(len(base.embeddings), len(base.tokenizer))  # some tables have spare rows
    return np.array([i for i in range(known) if i not in special])


def sampled(rows: NDArray[Any], count: int = SAMPLE) -> NDArray[Any]:
    """At most `count` of the rows, always the same ones."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))]


def rate_ratio(run: Run, base: BaseModel) -> float | None:
    """Learning rate of the scale over that of the tokens; None if either is not trained."""
    adapter = _of_shapes(run, base)
    trained = set(adapter.tensors) - adapter.untrained_names()
    if not {"scale", "tokens"} <= trained:
        return None
    rates = adapter.learning_rate_factors()
    return rates.get("scale", 1.0) / rates.get("tokens", 1.0)


def _of_shapes(run: Run, base: BaseModel) -> Adapter:
    """The run's adapter without any values."""
    from peftcore.adapters.initializers import SeededInitializer

    recipe = METHODS[run.spec.method]
    return recipe(base, recipe.Config.make(run.spec.settings), SeededInitializer([0], 1, "meta"))
