"""Agreement of raters: share unanimous, uniform and Fleiss' kappa, Cohen, Krippendorff.

The input is a table with one row per item, one column per rater and a category in each cell, empty
where a rater did not rate the item. Intervals come from a bootstrap that resamples items and raters
(`over="items"` keeps the raters); items on one example depend on each other, so where examples are
given whole examples are resampled. A rater sampled twice would agree with herself, so a resample
gives raters weights and only pairs of different raters count: that is why the coefficients are
written here and not taken from a package (tests compare them with statsmodels and scikit-learn, and
with worked examples in print). A coefficient that does not exist for the data says why in words.

Fewer than ten raters are never resampled: intervals over so few do not cover, and of two a
resample is the same pair or nobody to compare. Nor are raters for the share of unanimous items:
fewer of them agree more easily, so that resamples would lie above it.

Sources: Fleiss 1971; Randolph 2005 (chance is 1/k; FEB reports it for two classes, where three
raters give (4u - 1) / 3 for u unanimous); Cohen 1968; Krippendorff, Content Analysis, 2004.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.analysis import resampling
from peftcore.analysis.resampling import Array

ResampledUnits = Literal["items and raters", "items"]

RESAMPLES = 1000
CELLS = 4_000_000  # numbers of a block of resamples; 32 MB each
ONE_RATER = "no item has verdicts of two raters, so nobody can agree or disagree"
NO_COEFFICIENT = "no interval: in most resamples the coefficient does not exist"
ONE_EXAMPLE = "items on one example have no interval"
ONE_CATEGORY = (
    "every verdict is the same category: chance alone would agree as often, so the coefficient is "
    "0 divided by 0; read the share of unanimous items instead"
)


@dataclass(frozen=True)
class AgreementStatistic:
    """A measure of agreement, its 95 % limits and what it rests on; without a value, why."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    items: int  # rated by two or more
    raters: int
    reason: str = ""  # why value or limits are missing


@dataclass(frozen=True)
class _Resamples:
    """Resamples of the table as weights; the last two axes are items and categories.

    `counts` (b, i, c) is the weight of the raters who gave an item a category, `squares` (b, i, c)
    the sum of their squared weights; `times` (b, i) says how often each item was sampled.
    """

    counts: Array  # (b, i, c)
    squares: Array  # (b, i, c)
    times: Array  # (b, i)

    @property
    def raters(self) -> Array:
        """Weight of an item's raters, (b, i)."""
        return self.counts.sum(-1)

    @property
    def pairs(self) -> Array:
        """Weight of an item's ordered pairs of different raters, (b, i)."""
        return self.raters**2 - self.squares.sum(-1)

    @property
    def used(self) -> Array:
        """Times each item was sampled, zero where it has no pair of raters, (b, i)."""
        return np.where(self.pairs > 0, self.times, 0.0)

    def observed_agreement(self) -> Array:
        """Return the share of agreeing pairs of an item, averaged over items, (b,)."""
        equal = (self.counts**2 - self.squares).sum(-1)
        return resampling.safe_ratio(
            (self.used * resampling.safe_ratio(equal, self.pairs, 0.0)).sum(-1), self.used.sum(-1)
        )


def pivot_verdicts(rows: pd.DataFrame, *, item: str, rater: str, verdict: str) -> pd.DataFrame:
    """Pivot one row per verdict to items by raters; of two by one rater the last counts."""
    last = rows.drop_duplicates([item, rater], keep="last")
    return last.pivot(index=item, columns=rater, values=verdict)


def merge_categories(table: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """Merge categories of a table, such as weak yes into yes; others become missing."""
    return table.map(lambda cell: groups.get(cell) if isinstance(cell, str) else None)


def agreement_statistics(
    table: pd.DataFrame,
    categories: Sequence[str],
    *,
    examples: Mapping[str, str] | None = None,
    over: ResampledUnits = "items and raters",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[AgreementStatistic]:
    """Compute every measure for all raters together, in the order in which they are read.

    `categories` are in their order, because the ordinal coefficient counts the steps between them.
    `examples` says which example each item is about; without it each is on its own.
    """
    example_codes = _example_codes(table, examples)
    return [
        _estimate_statistic(name, table, categories, example_codes, over, resamples, seed)
        for name in MEASURES
    ]


def cohen_kappas(
    table: pd.DataFrame,
    categories: Sequence[str],
    *,
    examples: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute linearly weighted Cohen's kappa of each pair of raters on items both rated.

    Columns first, second, items, value, low, high, reason; limits from resampled examples.
    """
    codes, example_codes = _category_codes(table, categories), _example_codes(table, examples)
    rows = []
    for first, second in itertools.combinations(range(codes.shape[1]), 2):
        pair = codes[:, [first, second]]
        both = (pair >= 0).all(1)
        estimate = _cohen_row(pair[both], example_codes[both], len(categories), resamples, seed)
        rows.append({"first": table.columns[first], "second": table.columns[second]} | estimate)
    return pd.DataFrame(
        rows, columns=["first", "second", "items", "value", "low", "high", "reason"]
    )


def _cohen_row(
    pairs: NDArray[np.int64], example_codes: NDArray[np.int64], size: int, resamples: int, seed: int
) -> dict[str, object]:
    """Return the row of one pair of raters, from category pairs (i, 2)."""
    n = len(pairs)
    if n == 0:
        return _kappa_row(0, None, None, None, "these two rated no item in common")
    cells = np.zeros((n, size * size))
    cells[np.arange(n), pairs[:, 0] * size + pairs[:, 1]] = 1
    value = float(_weighted_kappa(cells.sum(0)[None], size)[0])
    if np.isnan(value):
        return _kappa_row(n, None, None, None, ONE_CATEGORY)
    if len(set(example_codes)) == 1:
        return _kappa_row(n, value, None, None, ONE_EXAMPLE)
    times = _item_draw_counts(example_codes, resamples, np.random.default_rng(seed))
    low, high, reason = resampling.interval_limits(
        _weighted_kappa(times @ cells, size), NO_COEFFICIENT
    )
    return _kappa_row(n, value, low, high, reason)


def _kappa_row(
    items: int, value: float | None, low: float | None, high: float | None, reason: str
) -> dict[str, object]:
    """Return a row's columns."""
    return {"items": items, "value": value, "low": low, "high": high, "reason": reason}


def _weighted_kappa(tables: Array, size: int) -> Array:
    """Return 1 − observed / expected distance for flattened tables of two raters (b, c c)."""
    joint = tables.reshape(-1, size, size)
    joint = joint / joint.sum((1, 2), keepdims=True)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    expected = joint.sum(2)[:, :, None] * joint.sum(1)[:, None, :]
    return 1 - resampling.safe_ratio(
        (joint * distance).sum((1, 2)), (expected * distance).sum((1, 2))
    )


def _estimate_statistic(
    name: str,
    table: pd.DataFrame,
    categories: Sequence[str],
    example_codes: NDArray[np.int64],
    over: ResampledUnits,
    resamples: int,
    seed: int,
) -> AgreementStatistic:
    """Estimate one measure with its limits, or say why it does not exist."""
    codes, measure = _category_codes(table, categories), MEASURES[name]
    several = (codes >= 0).sum(1) >= 2
    shared, example_codes = codes[several], example_codes[several]
    raters = int((shared >= 0).any(0).sum())
    few = raters < resampling.RESAMPLED_RATERS
    over = "items" if few or measure is _unanimous else over
    if len(shared) == 0:
        return AgreementStatistic(
            name, None, None, None, 0, int((codes >= 0).any(0).sum()), ONE_RATER
        )
    marks = np.stack([shared == code for code in range(len(categories))], -1).astype(float)
    whole = _Resamples(marks.sum(1)[None], marks.sum(1)[None], np.ones((1, len(shared))))
    value = float(measure(whole)[0])
    if np.isnan(value):
        return AgreementStatistic(name, None, None, None, len(shared), raters, ONE_CATEGORY)
    if len(set(example_codes)) == 1:
        return AgreementStatistic(name, value, None, None, len(shared), raters, ONE_EXAMPLE)
    parts = _resample_blocks(marks, example_codes, over, resamples, seed)
    resampled = np.concatenate([measure(part) for part in parts])
    low, high, reason = resampling.interval_limits(resampled, NO_COEFFICIENT)
    return AgreementStatistic(name, value, low, high, len(shared), raters, reason)


def _category_codes(table: pd.DataFrame, categories: Sequence[str]) -> NDArray[np.int64]:
    """Return the category's number by item and rater (i, r), -1 where there is no verdict."""
    code_by_name = {name: code for code, name in enumerate(categories)}
    return np.array(
        [[code_by_name.get(cell, -1) for cell in row] for row in table.to_numpy(object)],
        dtype=np.int64,
    ).reshape(table.shape)


def _example_codes(table: pd.DataFrame, examples: Mapping[str, str] | None) -> NDArray[np.int64]:
    """Return the number of each item's example, (i,)."""
    example_names = (
        [examples[item] for item in table.index] if examples else list(range(len(table)))
    )
    return pd.factorize(np.array(example_names, dtype=object))[0]


def _item_draw_counts(
    example_codes: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> Array:
    """Resample examples: how often each item is sampled with its example, (b, i)."""
    known, index = np.unique(example_codes, return_inverse=True)
    return resampling.draw_counts(len(known), resamples, rng)[:, index]


def _resample_blocks(
    marks: Array, example_codes: NDArray[np.int64], over: ResampledUnits, resamples: int, seed: int
) -> list[_Resamples]:
    """Resample marks (i, r, c) in blocks that fit into memory."""
    items, raters, size = marks.shape
    rng = np.random.default_rng(seed)
    times = _item_draw_counts(example_codes, resamples, rng)
    weights = np.ones((resamples, raters))
    if over == "items and raters":
        weights = resampling.draw_counts(raters, resamples, rng)
    flat = marks.transpose(1, 0, 2).reshape(raters, items * size)
    step = max(1, CELLS // (items * size * size))
    parts = []
    for start in range(0, resamples, step):
        part = weights[start : start + step]
        counts, squares = part @ flat, part**2 @ flat
        shape = (len(part), items, size)
        block_times = times[start : start + step]
        parts.append(_Resamples(counts.reshape(shape), squares.reshape(shape), block_times))
    return parts


def _unanimous(draws: _Resamples) -> Array:
    """Return the share of items on which all raters gave one category, (b,)."""
    one = draws.counts.max(-1) == draws.raters
    return resampling.safe_ratio((draws.used * one).sum(-1), draws.used.sum(-1))


def _uniform(draws: _Resamples) -> Array:
    """Return Randolph's free-marginal kappa (b,): chance is equal for all categories."""
    chance = 1 / draws.counts.shape[-1]
    return (draws.observed_agreement() - chance) / (1 - chance)


def _fleiss(draws: _Resamples) -> Array:
    """Return Fleiss' kappa (b,): chance follows how often each category was given."""
    category_totals = (draws.used[..., None] * draws.counts).sum(1)
    chance = (
        resampling.safe_ratio(category_totals, category_totals.sum(-1, keepdims=True)) ** 2
    ).sum(-1)
    return resampling.safe_ratio(draws.observed_agreement() - chance, 1 - chance)


def _coincidences(draws: _Resamples) -> Array:
    """Return pairs of verdicts on one item (b, c, c), an item weighing as many as its raters."""
    share = draws.used * resampling.safe_ratio(draws.raters, draws.pairs, 0.0)
    both = np.einsum("bi,bic,bid->bcd", share, draws.counts, draws.counts)
    own = np.einsum("bi,bic->bc", share, draws.squares)
    return both - own[:, :, None] * np.eye(own.shape[-1])


def _alpha(coincidences: Array, distance: Array) -> Array:
    """Return Krippendorff's alpha (b,) for squared distances (b, c, c) of categories."""
    category_totals = coincidences.sum(-1)
    total = category_totals.sum(-1)
    expected = (category_totals[:, :, None] * category_totals[:, None, :] * distance).sum((1, 2))
    return 1 - (total - 1) * resampling.safe_ratio((coincidences * distance).sum((1, 2)), expected)


def _nominal(draws: _Resamples) -> Array:
    """Return alpha (b,) where two categories are equal or not."""
    pairs = _coincidences(draws)
    return _alpha(pairs, np.broadcast_to(1 - np.eye(pairs.shape[-1]), pairs.shape))


def _ordinal(draws: _Resamples) -> Array:
    """Return alpha (b,) of ranks: the distance is how many verdicts lie between them."""
    pairs = _coincidences(draws)
    category_totals = pairs.sum(-1)
    middle = category_totals.cumsum(-1) - category_totals / 2
    return _alpha(pairs, (middle[:, :, None] - middle[:, None, :]) ** 2)


MEASURES: dict[str, Callable[[_Resamples], Array]] = {
    "Share of unanimous items": _unanimous,
    "Uniform kappa (Randolph)": _uniform,
    "Fleiss' kappa": _fleiss,
    "Krippendorff's alpha, nominal": _nominal,
    "Krippendorff's alpha, ordinal": _ordinal,
}
