"""Agreement of raters: share unanimous, uniform and Fleiss' kappa, Cohen, Krippendorff.

The input is a table with one row per item, one column per rater and a category in each cell, empty
where a rater did not rate the item. Limits come from the jackknife: what a coefficient becomes
without one item, and without one rater (`over="items"` keeps the raters); items on one example
depend on each other, so where examples are given whole examples are left out. The coefficients are
written here and not taken from a package, because they are computed for all those tables at once
(tests compare them with statsmodels and scikit-learn, and with worked examples in print). A
coefficient that does not exist for the data says why in words.

Fewer than ten raters are never left out: limits over so few do not cover, and of two one is nobody
to compare. Nor are raters for the share of unanimous items, since fewer of them agree more easily.

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

from peftcore.analysis import clustered, resampling
from peftcore.analysis.clustered import ClusteredError
from peftcore.analysis.resampling import Array

Units = Literal["items and raters", "items"]

CELLS = 4_000_000  # numbers of a block of tables; 32 MB each
ONE_RATER = "no item has verdicts of two raters, so nobody can agree or disagree"
NO_COEFFICIENT = "no interval: without one of the items the coefficient does not exist"
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
class _Tables:
    """Tables of verdicts as counts; the last two axes are items and categories.

    `counts` (b, i, c) says how many raters gave an item a category, `times` (b, i) how often each
    item counts: once, or not at all.
    """

    counts: Array  # (b, i, c)
    times: Array  # (b, i)

    @property
    def raters(self) -> Array:
        """Raters of an item, (b, i)."""
        return self.counts.sum(-1)

    @property
    def pairs(self) -> Array:
        """Ordered pairs of different raters of an item, (b, i)."""
        return self.raters * (self.raters - 1)

    @property
    def used(self) -> Array:
        """Times each item counts, zero where it has no pair of raters, (b, i)."""
        return np.where(self.pairs > 0, self.times, 0.0)

    def observed_agreement(self) -> Array:
        """Return the share of agreeing pairs of an item, averaged over items, (b,)."""
        equal = (self.counts * (self.counts - 1)).sum(-1)
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
    over: Units = "items and raters",
    measures: Sequence[str] = (),
) -> list[AgreementStatistic]:
    """Compute measures (all of them by default) for all raters, in the order they are read in.

    `categories` are in their order, because the ordinal coefficient counts the steps between them.
    `examples` says which example each item is about; without it each is on its own.
    """
    example_codes = _example_codes(table, examples)
    return [
        _estimate_statistic(name, table, categories, example_codes, over)
        for name in measures or MEASURES
    ]


def cohen_kappas(
    table: pd.DataFrame,
    categories: Sequence[str],
    *,
    examples: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compute linearly weighted Cohen's kappa of each pair of raters on items both rated.

    Columns first, second, items, value, low, high, reason; limits are over examples.
    """
    codes, example_codes = _category_codes(table, categories), _example_codes(table, examples)
    rows = []
    for first, second in itertools.combinations(range(codes.shape[1]), 2):
        pair = codes[:, [first, second]]
        both = (pair >= 0).all(1)
        estimate = _cohen_row(pair[both], example_codes[both], len(categories))
        rows.append({"first": table.columns[first], "second": table.columns[second]} | estimate)
    return pd.DataFrame(
        rows, columns=["first", "second", "items", "value", "low", "high", "reason"]
    )


def _cohen_row(
    pairs: NDArray[np.int64], example_codes: NDArray[np.int64], size: int
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
    without = _weighted_kappa(_leave_out(example_codes) @ cells, size)
    if not np.isfinite(without).all():
        return _kappa_row(n, value, None, None, NO_COEFFICIENT)
    error = clustered.two_way_error((_jackknife_variance(without), 0.0), 0.0, (len(without), 2))
    return _kappa_row(n, value, *error.mean_limits(value, (-1.0, 1.0)))


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
    over: Units,
) -> AgreementStatistic:
    """Estimate one measure with its limits, or say why it does not exist."""
    codes, measure = _category_codes(table, categories), MEASURES[name]
    several = (codes >= 0).sum(1) >= 2
    shared, example_codes = codes[several], example_codes[several]
    seen = (shared >= 0).any(0)
    raters = int(seen.sum())
    few = raters < clustered.FEWEST_RATERS
    over = "items" if few or measure is _unanimous else over
    if len(shared) == 0:
        return AgreementStatistic(
            name, None, None, None, 0, int((codes >= 0).any(0).sum()), ONE_RATER
        )
    marks = np.stack([shared[:, seen] == code for code in range(len(categories))], -1)
    whole = _Tables(marks.sum(1)[None].astype(float), np.ones((1, len(shared))))
    value = float(measure(whole)[0])
    if np.isnan(value):
        return AgreementStatistic(name, None, None, None, len(shared), raters, ONE_CATEGORY)
    if len(set(example_codes)) == 1:
        return AgreementStatistic(name, value, None, None, len(shared), raters, ONE_EXAMPLE)
    error = _jackknife(measure, marks.astype(float), example_codes, over)
    if error is None:
        low, high, reason = None, None, NO_COEFFICIENT
    elif measure is _unanimous:
        low, high, reason = error.share_limits(value)
    else:
        low, high, reason = error.mean_limits(value, (-1.0, 1.0))
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


def _leave_out(codes: NDArray[np.int64]) -> Array:
    """Return how often items (i,) count without one example after the other, (e, i)."""
    return (np.unique(codes)[:, None] != codes).astype(float)


def _jackknife_variance(without: Array) -> float:
    """Return the variance of a statistic from its values without one unit each, (n,)."""
    n = len(without)
    return 0.0 if n == 0 else (n - 1) / n * float(((without - without.mean()) ** 2).sum())


def _jackknife(
    measure: Callable[[_Tables], Array],
    marks: Array,
    example_codes: NDArray[np.int64],
    over: Units,
) -> ClusteredError | None:
    """Return a measure's standard error over examples, and raters if asked for; marks (i, r, c).

    None where it does not exist without one of them.
    """
    counts = marks.sum(1)  # (i, c)
    times = _leave_out(example_codes)
    value, by_example = _measure_once(measure, counts), _measure_times(measure, counts, times)
    by_rater, shared = np.zeros(0), 0.0
    if over == "items and raters":
        fewer = [counts - marks[:, rater] for rater in range(marks.shape[1])]
        by_rater = np.array([_measure_once(measure, each) for each in fewer])
        both = np.stack([_measure_times(measure, each, times) for each in fewer])  # (r, e)
        rest = both - by_example - by_rater[:, None] + value
        raters, examples = both.shape
        shared = (raters - 1) * (examples - 1) / both.size * float((rest**2).sum())
    if not (np.isfinite(by_example).all() and np.isfinite(by_rater).all() and np.isfinite(shared)):
        return None
    squares = _jackknife_variance(by_example), _jackknife_variance(by_rater)
    return clustered.two_way_error(squares, shared, (len(by_example), max(2, len(by_rater))))


def _measure_once(measure: Callable[[_Tables], Array], counts: Array) -> float:
    """Return a measure of one table of counts (i, c)."""
    return float(measure(_Tables(counts[None], np.ones((1, len(counts)))))[0])


def _measure_times(measure: Callable[[_Tables], Array], counts: Array, times: Array) -> Array:
    """Return a measure (e,) of counts (i, c) whose items count so often, (e, i)."""
    step = max(1, CELLS // (counts.size * counts.shape[-1]))
    blocks = (times[start : start + step] for start in range(0, len(times), step))
    return np.concatenate(
        [measure(_Tables(np.broadcast_to(counts, (len(b), *counts.shape)), b)) for b in blocks]
    )


def _unanimous(tables: _Tables) -> Array:
    """Return the share of items on which all raters gave one category, (b,)."""
    one = tables.counts.max(-1) == tables.raters
    return resampling.safe_ratio((tables.used * one).sum(-1), tables.used.sum(-1))


def _uniform(tables: _Tables) -> Array:
    """Return Randolph's free-marginal kappa (b,): chance is equal for all categories."""
    chance = 1 / tables.counts.shape[-1]
    return (tables.observed_agreement() - chance) / (1 - chance)


def _fleiss(tables: _Tables) -> Array:
    """Return Fleiss' kappa (b,): chance follows how often each category was given."""
    category_totals = (tables.used[..., None] * tables.counts).sum(1)
    chance = (
        resampling.safe_ratio(category_totals, category_totals.sum(-1, keepdims=True)) ** 2
    ).sum(-1)
    return resampling.safe_ratio(tables.observed_agreement() - chance, 1 - chance)


def _coincidences(tables: _Tables) -> Array:
    """Return pairs of verdicts on one item (b, c, c), an item weighing as many as its raters."""
    share = tables.used * resampling.safe_ratio(tables.raters, tables.pairs, 0.0)
    both = np.einsum("bi,bic,bid->bcd", share, tables.counts, tables.counts)
    own = np.einsum("bi,bic->bc", share, tables.counts)
    return both - own[:, :, None] * np.eye(own.shape[-1])


def _alpha(coincidences: Array, distance: Array) -> Array:
    """Return Krippendorff's alpha (b,) for squared distances (b, c, c) of categories."""
    category_totals = coincidences.sum(-1)
    total = category_totals.sum(-1)
    expected = (category_totals[:, :, None] * category_totals[:, None, :] * distance).sum((1, 2))
    return 1 - (total - 1) * resampling.safe_ratio((coincidences * distance).sum((1, 2)), expected)


def _nominal(tables: _Tables) -> Array:
    """Return alpha (b,) where two categories are equal or not."""
    pairs = _coincidences(tables)
    return _alpha(pairs, np.broadcast_to(1 - np.eye(pairs.shape[-1]), pairs.shape))


def _ordinal(tables: _Tables) -> Array:
    """Return alpha (b,) of ranks: the distance is how many verdicts lie between them."""
    pairs = _coincidences(tables)
    category_totals = pairs.sum(-1)
    middle = category_totals.cumsum(-1) - category_totals / 2
    return _alpha(pairs, (middle[:, :, None] - middle[:, None, :]) ** 2)


MEASURES: dict[str, Callable[[_Tables], Array]] = {
    "Share of unanimous items": _unanimous,
    "Uniform kappa (Randolph)": _uniform,
    "Fleiss' kappa": _fleiss,
    "Krippendorff's alpha, nominal": _nominal,
    "Krippendorff's alpha, ordinal": _ordinal,
}
