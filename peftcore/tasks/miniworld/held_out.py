"""Text of the world that no embedded base was pretrained on: passages, and minimal pairs.

The clauses are those of pretraining passages, from the part of the world that pretraining leaves
out (`splits`). A pair differs in one fault, in the manner of BLiMP (Warstadt et al., TACL 2020):
the verb's number, the article, the order of article and noun, or, as in ComVE, in making no sense.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from peftcore.tasks.miniworld import nonsense, skills
from peftcore.tasks.miniworld.splits import part_of

CLAUSES = 2  # of a passage: fewer than in pretraining, so that more of them are different
FAULTS = ("number", "article", "order", "sense")
OTHER_NUMBER = {"is": "are", "are": "is", "was": "were", "were": "was", "has": "have"}
OTHER_ARTICLE = {"a": "an", "an": "a"}


@dataclass(frozen=True)
class MinimalPair:
    """A sentence, the same with one fault, and which fault it is."""

    right: str
    wrong: str
    fault: str


def sample_passages(count: int) -> list[str]:
    """Return so many passages of two clauses, the same in every process."""
    clauses = _clauses(random.Random("held out/passages"))
    return [" . ".join(next(clauses) for _ in range(CLAUSES)) + " ." for _ in range(count)]


def sample_minimal_pairs(count: int) -> list[MinimalPair]:
    """Return so many different pairs, each fault equally often as far as the count divides."""
    found: dict[str, dict[str, MinimalPair]] = {fault: {} for fault in FAULTS}
    each = -(-count // len(found))
    rng = random.Random("held out/pairs")
    clauses = _clauses(rng)
    while any(len(pairs) < each for pairs in found.values()):
        for pair in (*_faulty(next(clauses)), *_senseless(rng)):
            if len(found[pair.fault]) < each:
                found[pair.fault].setdefault(pair.right, pair)
    in_turn = zip(*(pairs.values() for pairs in found.values()), strict=True)
    return [pair for pairs in in_turn for pair in pairs][:count]


def _clauses(rng: random.Random) -> Iterator[str]:
    """Yield clauses of the part of the world that tests are sampled from."""
    while True:
        clause = skills.sample_statement(rng)
        if part_of(clause) == "test":
            yield clause


def _faulty(clause: str) -> Iterator[MinimalPair]:
    """Yield a clause with each fault that it can have, at the first word that can have it."""
    words = clause.split()
    for fault, others in (("number", OTHER_NUMBER), ("article", OTHER_ARTICLE)):
        at = next((i for i, word in enumerate(words) if word in others), None)
        if at is not None:
            yield _pair(words, [*words[:at], others[words[at]], *words[at + 1 :]], fault)
    at = next((i for i, word in enumerate(words[:-1]) if word in ("a", "an", "the")), None)
    if at is not None:
        swapped = [*words[:at], words[at + 1], words[at], *words[at + 2 :]]
        yield _pair(words, swapped, "order")


def _senseless(rng: random.Random) -> Iterator[MinimalPair]:
    """Yield a statement that makes sense with one that makes none, if pretraining had neither."""
    both = nonsense.sample_nonsense(rng)
    if part_of(both.sense) == part_of(both.nonsense) == "test":
        yield _pair(both.sense.split(), both.nonsense.split(), "sense")


def _pair(right: list[str], wrong: list[str], fault: str) -> MinimalPair:
    return MinimalPair(f"{' '.join(right)} .", f"{' '.join(wrong)} .", fault)
