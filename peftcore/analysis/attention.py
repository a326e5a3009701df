"""Attention patterns of all heads, changes between two models, and measures of heads.

Arrays in, frozen dataclasses out; capturing a model's attention is in
`peftcore.labs.attention.capture`. Prefix positions and soft tokens are keys of their own, so a
pattern need not be square, and two patterns are compared on the union of their positions.

Axes: l layer, h head, q query, k key, e head width, s seed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from peftcore.analysis.comparison import Interval, interval
from peftcore.errors import BadInput

TokenKind = Literal["content", "special", "soft", "prefix"]
TokenDisplay = Literal["shown", "hidden", "renormalised"]
LEARNED_KINDS: frozenset[TokenKind] = frozenset({"soft", "prefix"})


class TextTooLong(BadInput):
    """A text whose attention would be too large for a screen; data sets can still be measured."""


@dataclass(frozen=True)
class AttentionToken:
    """One position: its text, its kind, and which text of a pair it belongs to (or 0)."""

    text: str
    kind: TokenKind = "content"
    part: int = 0


@dataclass(frozen=True)
class ScoreInputs:
    """Inputs of the weights: softmax(scale · query · key + added).

    Where scores are capped at c, the scaled product s is c tanh(s / c).
    """

    query: np.ndarray  # (l, h, q, e)
    key: np.ndarray  # (l, h, k, e)
    added: np.ndarray  # (l, h, q, k), minus infinity where a query may not look
    scale: tuple[float, ...]  # of each layer
    softcap: tuple[float | None, ...] = ()  # of each layer; empty: none is capped


@dataclass(frozen=True)
class AttentionPattern:
    """All heads of one kind of attention for one input; a missing query's row is nan."""

    attention_kind: str  # encoder, decoder or cross
    block_paths: tuple[str, ...]  # module paths of the layers
    queries: tuple[AttentionToken, ...]
    keys: tuple[AttentionToken, ...]
    weights: np.ndarray  # (l, h, q, k)
    score_inputs: ScoreInputs | None = None
    # Where values are weighed in: how far the parts of all keys are from the output they sum to.
    value_gap: float | None = None

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.weights.shape[0])

    @property
    def heads(self) -> int:
        """Number of heads in a layer."""
        return int(self.weights.shape[1])


def _indices_of_kinds(tokens: Sequence[AttentionToken], kinds: Collection[TokenKind]) -> list[int]:
    """List the positions of tokens of these kinds."""
    return [index for index, token in enumerate(tokens) if token.kind in kinds]


def attention_share(attention: AttentionPattern, kinds: Collection[TokenKind]) -> np.ndarray:
    """Return the share of each query's attention on keys of these kinds, (l, h, q)."""
    return attention.weights[..., _indices_of_kinds(attention.keys, kinds)].sum(-1)


def filter_pattern(
    attention: AttentionPattern,
    special: TokenDisplay = "shown",
    learnt: TokenDisplay = "shown",
    query_part: int = 0,
    key_part: int = 0,
) -> AttentionPattern:
    """Return the part of a pattern that is to be shown.

    Special tokens and learned positions are shown, hidden (the rest keeps its weights) or
    renormalised (the rest of each row is scaled to sum to one). A part keeps the tokens of one text
    of a pair, as queries or as keys; learned positions belong to no text and stay.
    """
    away: set[TokenKind] = set()
    if special != "shown":
        away.add("special")
    if learnt != "shown":
        away |= LEARNED_KINDS

    def kept(tokens: Sequence[AttentionToken], part: int) -> list[int]:
        """List the positions that stay."""
        return [
            i
            for i, token in enumerate(tokens)
            if token.kind not in away
            and (not part or token.part == part or token.kind in LEARNED_KINDS)
        ]

    rows, columns = kept(attention.queries, query_part), kept(attention.keys, key_part)
    if not rows or not columns:
        raise BadInput("nothing is left to show; show special tokens, or both texts of the pair")
    scaled: set[TokenKind] = {"special"} if special == "renormalised" else set()
    scaled |= LEARNED_KINDS if learnt == "renormalised" else set()
    weights = attention.weights
    if scaled:
        rest = 1 - attention_share(attention, scaled)[..., None]
        weights = np.divide(weights, rest, out=np.zeros_like(weights), where=rest > 1e-9)
    weights = weights[..., rows, :][..., columns]
    return replace(
        attention,
        queries=tuple(attention.queries[i] for i in rows),
        keys=tuple(attention.keys[i] for i in columns),
        weights=weights,
        score_inputs=None,
    )


def _position_keys(tokens: Sequence[AttentionToken]) -> list[tuple[int, ...]]:
    """Return a key for each position that sorts, and equals its counterpart in another model.

    Prefix positions come first, soft tokens before the token they stand in front of.
    """
    keys: list[tuple[int, ...]] = []
    texts = learnt = 0
    for token in tokens:
        if token.kind == "prefix":
            keys.append((0, 0, learnt))
            learnt += 1
        elif token.kind == "soft":
            keys.append((1, texts, 0, learnt))
            learnt += 1
        else:
            keys.append((1, texts, 1))
            texts += 1
    return keys


def _union_of_positions(
    first: Sequence[AttentionToken], second: Sequence[AttentionToken]
) -> tuple[tuple[AttentionToken, ...], list[int], list[int]]:
    """Return all positions of both in order, and the new indices of each one's own."""
    ours, theirs = _position_keys(first), _position_keys(second)
    known = dict(zip(theirs, second, strict=True)) | dict(zip(ours, first, strict=True))
    order = sorted(known)
    where = {name: index for index, name in enumerate(order)}
    tokens = tuple(known[name] for name in order)
    return tokens, [where[name] for name in ours], [where[name] for name in theirs]


def align_patterns(
    before: AttentionPattern, after: AttentionPattern
) -> tuple[AttentionPattern, AttentionPattern]:
    """Return both patterns on the union of their positions.

    A key that one of them lacks has no attention there; a query that it lacks is a row of nan.
    BadInput unless both read the same tokens with as many heads.
    """
    for ours, theirs in ((before.queries, after.queries), (before.keys, after.keys)):
        words = [[t.text for t in side if t.kind not in LEARNED_KINDS] for side in (ours, theirs)]
        if words[0] != words[1]:
            raise BadInput("these patterns read different tokens and cannot be compared")
    if before.weights.shape[:2] != after.weights.shape[:2]:
        raise BadInput(
            f"these models differ in layers and heads: {before.layers} × {before.heads} "
            f"against {after.layers} × {after.heads}"
        )
    queries, *rows = _union_of_positions(before.queries, after.queries)
    keys, *columns = _union_of_positions(before.keys, after.keys)

    def spread(one: AttentionPattern, down: list[int], across: list[int]) -> AttentionPattern:
        """Place one pattern on the union."""
        weights = np.full((*one.weights.shape[:2], len(queries), len(keys)), np.nan, np.float32)
        weights[:, :, down] = 0
        weights[:, :, np.array(down)[:, None], np.array(across)] = one.weights
        return replace(one, queries=queries, keys=keys, weights=weights, score_inputs=None)

    return spread(before, rows[0], columns[0]), spread(after, rows[1], columns[1])


def pattern_difference(before: AttentionPattern, after: AttentionPattern) -> AttentionPattern:
    """Return after minus before, on the union of their positions."""
    first, second = align_patterns(before, after)
    return replace(second, weights=second.weights - first.weights)


def total_variation(before: AttentionPattern, after: AttentionPattern) -> np.ndarray:
    """Return each head's mean total variation over queries, (l, h), in [0, 1].

    0 means that nothing moved, 1 that all attention is on other keys.
    """
    change = np.abs(pattern_difference(before, after).weights).sum(-1) / 2
    return np.nanmean(change, axis=-1)


@dataclass(frozen=True)
class HeadMeasure:
    """A measure of a head: its name, and how it is shown."""

    title: str
    unit: str
    help: str


MEASURES = {
    "learnt": HeadMeasure(
        "Virtual tokens", "share", "Attention that prefix positions and soft tokens take"
    ),
    "special": HeadMeasure("Special tokens", "share", "Attention that special tokens take"),
    "entropy": HeadMeasure(
        "Entropy", "bits", "How widely a query looks: 0 at one position, 3 at eight alike"
    ),
    "distance": HeadMeasure(
        "Distance", "tokens", "How far away the text is that a query looks at, learnt left out"
    ),
    "variation": HeadMeasure(
        "Total variation",
        "share",
        "Total variation distance between the rows before and after: half the summed change of "
        "each query, the mean over queries",
    ),
}


def measure_heads(attention: AttentionPattern) -> dict[str, np.ndarray]:
    """Measure each head, (l, h) by name, each the mean over the queries that are text.

    Distance is counted over text alone, its weights scaled to sum to one; cross attention, whose
    queries and keys are different texts, has none.
    """
    query_indices = _indices_of_kinds(attention.queries, {"content", "special"})
    seen = attention.weights[:, :, query_indices]
    safe = np.where(seen > 0, seen, 1)
    measures = {
        "learnt": seen[..., _indices_of_kinds(attention.keys, LEARNED_KINDS)].sum(-1),
        "special": seen[..., _indices_of_kinds(attention.keys, {"special"})].sum(-1),
        "entropy": -(seen * np.log2(safe)).sum(-1),
    }
    if attention.attention_kind != "cross":
        text = seen[..., _indices_of_kinds(attention.keys, {"content", "special"})]
        total = text.sum(-1)
        positions = np.arange(text.shape[-1])
        gaps = np.abs(positions[:, None] - positions)
        measures["distance"] = (text * gaps).sum(-1) / np.where(total > 1e-9, total, 1)
    return {name: values.mean(-1) for name, values in measures.items()}


@dataclass(frozen=True)
class HeadStatistics:
    """Measures (s, l, h) of heads over a data set, the mean over every seed's examples."""

    attention_kind: str
    examples: int
    measures: dict[str, np.ndarray]

    @property
    def seeds(self) -> int:
        """Number of seeds that were measured; an untouched base counts as one."""
        return int(next(iter(self.measures.values())).shape[0])


def average_examples(
    attention_kind: str, per_example: Sequence[Sequence[dict[str, np.ndarray]]]
) -> HeadStatistics:
    """Average measures (l, h), given as [example][seed], over examples: (s, l, h)."""
    measures = {
        name: np.mean([[seed[name] for seed in example] for example in per_example], axis=0)
        for name in per_example[0][0]
    }
    return HeadStatistics(attention_kind, len(per_example), measures)


@dataclass(frozen=True)
class HeadRow:
    """One head: a measure before, after, and the change, each with limits over seeds."""

    layer: int
    head: int
    before: Interval
    after: Interval
    change: Interval


def head_rows(before: HeadStatistics | None, after: HeadStatistics, measure: str) -> list[HeadRow]:
    """Compare every head before and after, with 95 % limits over seeds.

    The change is paired: equal numbers of seeds are matched one by one, a single one
    (an untouched base) serves all. Other numbers of seeds cannot be paired: BadInput.
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
class QueryTrace:
    """Computation of one query's weights, one entry for each key."""

    query: AttentionToken
    keys: tuple[AttentionToken, ...]
    products: np.ndarray  # (k, e), query times key, element by element
    dots: np.ndarray  # (k,), their sums
    scaled: np.ndarray  # (k,)
    added: np.ndarray  # (k,), position bias; minus infinity where the query may not look
    powers: np.ndarray  # (k,), e to the power of score minus the largest score
    weights: np.ndarray  # (k,)


def trace_query(attention: AttentionPattern, layer: int, head: int, query: int) -> QueryTrace:
    """Recompute scores, softmax and weights of one query of one head in double precision."""
    assert attention.score_inputs is not None, "only a recorded pattern can be walked through"
    inputs = attention.score_inputs
    products = inputs.query[layer, head, query].astype(float) * inputs.key[layer, head]
    dots = products.sum(-1)
    scaled, added = dots * inputs.scale[layer], inputs.added[layer, head, query].astype(float)
    cap = inputs.softcap[layer] if inputs.softcap else None
    if cap is not None:
        scaled = cap * np.tanh(scaled / cap)
    scores = scaled + added
    powers = np.exp(scores - scores.max())
    return QueryTrace(
        attention.queries[query],
        attention.keys,
        products,
        dots,
        scaled,
        added,
        powers,
        powers / powers.sum(),
    )


def trace_table(trace: QueryTrace) -> pd.DataFrame:
    """Return the trace as a table, one row for each key."""
    return pd.DataFrame(
        {
            "Key": [token.text for token in trace.keys],
            "Kind": [token.kind for token in trace.keys],
            "Query · key": trace.dots,
            "Scaled": trace.scaled,
            "Added": trace.added,
            "e^(score − largest)": trace.powers,
            "Weight": trace.weights,
        }
    )


def weights_table(attention: AttentionPattern, layer: int, head: int) -> pd.DataFrame:
    """Return one head's weights as a table, one row for each query and key with a value."""
    rows = [
        (q, query.text, k, key.text, key.kind, float(attention.weights[layer, head, q, k]))
        for q, query in enumerate(attention.queries)
        for k, key in enumerate(attention.keys)
    ]
    columns = ["Query number", "Query", "Key number", "Key", "Kind of key", "Weight"]
    return pd.DataFrame(rows, columns=columns).dropna(subset=["Weight"], ignore_index=True)


def strongest(attention: AttentionPattern, layer: int, head: int, count: int = 5) -> Iterator[str]:
    """Describe the largest values of a head in words, for readers who do not see the figure."""
    values = attention.weights[layer, head]
    order = np.argsort(-np.abs(np.nan_to_num(values)), axis=None)[:count]
    for q, k in zip(*np.unravel_index(order, values.shape), strict=True):
        query, key = attention.queries[q].text, attention.keys[k].text
        yield f"{query} ({q + 1}) to {key} ({k + 1}): {values[q, k]:.3f}"
