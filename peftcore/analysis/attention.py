"""What a model looked at: patterns of all heads, what changed, and each head in a few numbers.

Arrays in, frozen dataclasses out; recording a model is left to `peftcore.labs.attention.capture`.
Prefix positions and soft tokens are keys of their own, so a pattern need not be square, and two
patterns are compared on the union of their positions.
Axes: l layer, h head, q query, k key, e head width.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from peftcore.analysis.comparison import Interval, interval
from peftcore.errors import BadInput

Kind = Literal["content", "special", "soft", "prefix"]
Specials = Literal["shown", "hidden", "renormalised"]
LEARNT: frozenset[Kind] = frozenset({"soft", "prefix"})


@dataclass(frozen=True)
class Token:
    """One position: what it reads, what it is, and which text of a pair it belongs to (or 0)."""

    text: str
    kind: Kind = "content"
    part: int = 0


@dataclass(frozen=True)
class Steps:
    """What the weights were computed from: softmax(scale · query · key + added)."""

    query: np.ndarray  # (l, h, q, e)
    key: np.ndarray  # (l, h, k, e)
    added: np.ndarray  # (l, h, q, k), minus infinity where a query may not look
    scale: tuple[float, ...]  # of each layer


@dataclass(frozen=True)
class Attention:
    """All heads of one kind of attention for one input; a missing query's row is not a number."""

    place: str  # encoder, decoder or cross
    sites: tuple[str, ...]  # module paths of the layers
    queries: tuple[Token, ...]
    keys: tuple[Token, ...]
    weights: np.ndarray  # (l, h, q, k)
    steps: Steps | None = None

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return int(self.weights.shape[0])

    @property
    def heads(self) -> int:
        """How many heads a layer has."""
        return int(self.weights.shape[1])


def _columns(tokens: Sequence[Token], kinds: Collection[Kind]) -> list[int]:
    return [place for place, token in enumerate(tokens) if token.kind in kinds]


def mass(attention: Attention, kinds: Collection[Kind]) -> np.ndarray:
    """Share of each query's attention that keys of these kinds take, (l, h, q)."""
    return attention.weights[..., _columns(attention.keys, kinds)].sum(-1)


def shown(
    attention: Attention,
    special: Specials = "shown",
    learnt: Specials = "shown",
    query_part: int = 0,
    key_part: int = 0,
) -> Attention:
    """The part of a pattern somebody asked to see.

    Special tokens and learnt positions are shown, hidden (the rest keeps its weights) or
    renormalised (the rest of each row is scaled to sum to one).  A part keeps the tokens of one
    text of a pair, as queries or as keys; what is learnt belongs to no text and stays.
    """
    away: set[Kind] = set()
    if special != "shown":
        away.add("special")
    if learnt != "shown":
        away |= LEARNT

    def kept(tokens: Sequence[Token], part: int) -> list[int]:
        return [
            i
            for i, token in enumerate(tokens)
            if token.kind not in away and (not part or token.part == part or token.kind in LEARNT)
        ]

    rows, columns = kept(attention.queries, query_part), kept(attention.keys, key_part)
    if not rows or not columns:
        raise BadInput("nothing is left to show; show special tokens, or both texts of the pair")
    scaled: set[Kind] = {"special"} if special == "renormalised" else set()
    scaled |= LEARNT if learnt == "renormalised" else set()
    weights = attention.weights
    if scaled:
        rest = 1 - mass(attention, scaled)[..., None]
        weights = np.divide(weights, rest, out=np.zeros_like(weights), where=rest > 1e-9)
    weights = weights[..., rows, :][..., columns]
    return replace(
        attention,
        queries=tuple(attention.queries[i] for i in rows),
        keys=tuple(attention.keys[i] for i in columns),
        weights=weights,
        steps=None,
    )


def _places(tokens: Sequence[Token]) -> list[tuple[int, ...]]:
    """What each position is, so that it sorts and equals its counterpart in another model.

    Prefix positions come first, soft tokens before the token they stand in front of.
    """
    named: list[tuple[int, ...]] = []
    texts = learnt = 0
    for token in tokens:
        if token.kind == "prefix":
            named.append((0, 0, learnt))
            learnt += 1
        elif token.kind == "soft":
            named.append((1, texts, 0, learnt))
            learnt += 1
        else:
            named.append((1, texts, 1))
            texts += 1
    return named


def _union(
    first: Sequence[Token], second: Sequence[Token]
) -> tuple[tuple[Token, ...], list[int], list[int]]:
    """All positions of both in order, and where those of each went."""
    ours, theirs = _places(first), _places(second)
    known = dict(zip(theirs, second, strict=True)) | dict(zip(ours, first, strict=True))
    order = sorted(known)
    where = {name: place for place, name in enumerate(order)}
    tokens = tuple(known[name] for name in order)
    return tokens, [where[name] for name in ours], [where[name] for name in theirs]


def aligned(before: Attention, after: Attention) -> tuple[Attention, Attention]:
    """Both patterns on the union of their positions.

    A key that one of them does not have got no attention there; a query that it does not have is a
    row that is not a number.  BadInput unless both read the same tokens with as many heads.
    """
    for ours, theirs in ((before.queries, after.queries), (before.keys, after.keys)):
        words = [[t.text for t in side if t.kind not in LEARNT] for side in (ours, theirs)]
        if words[0] != words[1]:
            raise BadInput("these patterns read different tokens and cannot be compared")
    if before.weights.shape[:2] != after.weights.shape[:2]:
        raise BadInput(
            f"these models differ in layers and heads: {before.layers} × {before.heads} "
            f"against {after.layers} × {after.heads}"
        )
    queries, *rows = _union(before.queries, after.queries)
    keys, *columns = _union(before.keys, after.keys)

    def spread(one: Attention, down: list[int], across: list[int]) -> Attention:
        weights = np.full((*one.weights.shape[:2], len(queries), len(keys)), np.nan, np.float32)
        weights[:, :, down] = 0
        weights[:, :, np.array(down)[:, None], np.array(across)] = one.weights
        return replace(one, queries=queries, keys=keys, weights=weights, steps=None)

    return spread(before, rows[0], columns[0]), spread(after, rows[1], columns[1])


def difference(before: Attention, after: Attention) -> Attention:
    """After minus before, on the union of their positions."""
    first, second = aligned(before, after)
    return replace(second, weights=second.weights - first.weights)


def moved(before: Attention, after: Attention) -> np.ndarray:
    """How far each head's attention moved, (l, h): total variation, the mean over queries.

    The share of attention that looks elsewhere now: 0 nothing, 1 all of it.
    """
    change = np.abs(difference(before, after).weights).sum(-1) / 2
    return np.nanmean(change, axis=-1)


@dataclass(frozen=True)
class Measure:
    """A number that describes a head."""

    title: str
    unit: str
    help: str


MEASURES = {
    "learnt": Measure(
        "Learnt positions", "share", "Attention that prefix positions and soft tokens take"
    ),
    "special": Measure("Special tokens", "share", "Attention that special tokens take"),
    "entropy": Measure(
        "Entropy", "bits", "How widely a query looks: 0 at one position, 3 at eight alike"
    ),
    "distance": Measure(
        "Distance", "tokens", "How far away the text is that a query looks at, learnt left out"
    ),
}


def describe(attention: Attention) -> dict[str, np.ndarray]:
    """Each head in numbers, (l, h) by name, each the mean over the queries that are text.

    Distance is counted over text alone, its weights scaled to sum to one; cross attention, whose
    queries and keys are different texts, has none.
    """
    asking = _columns(attention.queries, {"content", "special"})
    seen = attention.weights[:, :, asking]
    safe = np.where(seen > 0, seen, 1)
    found = {
        "learnt": seen[..., _columns(attention.keys, LEARNT)].sum(-1),
        "special": seen[..., _columns(attention.keys, {"special"})].sum(-1),
        "entropy": -(seen * np.log2(safe)).sum(-1),
    }
    if attention.place != "cross":
        text = seen[..., _columns(attention.keys, {"content", "special"})]
        total = text.sum(-1)
        spots = np.arange(text.shape[-1])
        gaps = np.abs(spots[:, None] - spots)
        found["distance"] = (text * gaps).sum(-1) / np.where(total > 1e-9, total, 1)
    return {name: values.mean(-1) for name, values in found.items()}


@dataclass(frozen=True)
class Described:
    """Heads over a data set: each measure (s, l, h), the mean over the examples of every seed."""

    place: str
    examples: int
    measures: dict[str, np.ndarray]

    @property
    def seeds(self) -> int:
        """How many seeds were measured; an untouched base counts as one."""
        return int(next(iter(self.measures.values())).shape[0])


def gathered(place: str, found: Sequence[Sequence[dict[str, np.ndarray]]]) -> Described:
    """The mean over examples of what `describe` said of every seed; found is [example][seed]."""
    measures = {
        name: np.mean([[seed[name] for seed in example] for example in found], axis=0)
        for name in found[0][0]
    }
    return Described(place, len(found), measures)


@dataclass(frozen=True)
class HeadRow:
    """One head: a measure before, after, and the change, each with limits over seeds."""

    layer: int
    head: int
    before: Interval
    after: Interval
    change: Interval


def head_rows(before: Described | None, after: Described, measure: str) -> list[HeadRow]:
    """Every head with 95 % limits over seeds.

    The change is paired: equal numbers of seeds are matched one by one, a single one (an untouched
    base) serves all.  Other numbers of seeds cannot be paired: BadInput.
    """
    now = after.measures[measure]
    if before is not None and before.seeds not in (1, after.seeds) and after.seeds != 1:
        raise BadInput(f"{before.seeds} seeds cannot be paired with {after.seeds}")
    then = None if before is None else before.measures[measure]
    nothing = Interval(None, None, None, 0)
    return [
        HeadRow(
            layer,
            head,
            nothing if then is None else interval(then[:, layer, head]),
            interval(now[:, layer, head]),
            nothing if then is None else interval(now[:, layer, head] - then[:, layer, head]),
        )
        for layer, head in np.ndindex(now.shape[1:])
    ]


@dataclass(frozen=True)
class Walk:
    """How one query's weights came about, one entry for each key."""

    query: Token
    keys: tuple[Token, ...]
    products: np.ndarray  # (k, e), query times key, element by element
    dots: np.ndarray  # (k,), their sums
    scaled: np.ndarray  # (k,)
    added: np.ndarray  # (k,), position bias; minus infinity where the query may not look
    powers: np.ndarray  # (k,), e to the power of score minus the largest score
    weights: np.ndarray  # (k,)


def walk(attention: Attention, layer: int, head: int, query: int) -> Walk:
    """Scores, softmax and weights of one query of one head, recomputed in double precision."""
    assert attention.steps is not None, "only a recorded pattern can be walked through"
    steps = attention.steps
    products = steps.query[layer, head, query].astype(float) * steps.key[layer, head]
    dots = products.sum(-1)
    scaled, added = dots * steps.scale[layer], steps.added[layer, head, query].astype(float)
    scores = scaled + added
    powers = np.exp(scores - scores.max())
    return Walk(
        attention.queries[query],
        attention.keys,
        products,
        dots,
        scaled,
        added,
        powers,
        powers / powers.sum(),
    )


def walk_table(steps: Walk) -> pd.DataFrame:
    """The walk as a table, one row for each key."""
    return pd.DataFrame(
        {
            "Key": [token.text for token in steps.keys],
            "Kind": [token.kind for token in steps.keys],
            "Query · key": steps.dots,
            "Scaled": steps.scaled,
            "Added": steps.added,
            "e^(score − largest)": steps.powers,
            "Weight": steps.weights,
        }
    )


def weights_table(attention: Attention, layer: int, head: int) -> pd.DataFrame:
    """One head's weights, one row for each query and key that has a value."""
    rows = [
        (q, query.text, k, key.text, key.kind, float(attention.weights[layer, head, q, k]))
        for q, query in enumerate(attention.queries)
        for k, key in enumerate(attention.keys)
    ]
    columns = ["Query number", "Query", "Key number", "Key", "Kind of key", "Weight"]
    return pd.DataFrame(rows, columns=columns).dropna(subset=["Weight"], ignore_index=True)


def strongest(attention: Attention, layer: int, head: int, count: int = 5) -> Iterator[str]:
    """The largest values of a head in words, for readers who do not see the picture."""
    values = attention.weights[layer, head]
    order = np.argsort(-np.abs(np.nan_to_num(values)), axis=None)[:count]
    for q, k in zip(*np.unravel_index(order, values.shape), strict=True):
        query, key = attention.queries[q].text, attention.keys[k].text
        yield f"{query} ({q + 1}) to {key} ({k + 1}): {values[q, k]:.3f}"
