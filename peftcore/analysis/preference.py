"""Preferences of people: scores of methods, rankings from pairs, rater effects, correlations.

A score is FEB's: the mean over items of each item's mean over raters, here between 0 and 1. Items
on one example and verdicts of one rater depend on each other, so intervals resample whole examples
and raters; fewer than ten raters are kept, and intervals speak of these raters only. Rankings are
Bradley and Terry's with Davidson's ties (Davidson 1970): a text of strength a beats one of strength
b with odds exp(a - b), and the chance of a tie follows the geometric mean. Agreement of raters is
in `agreement`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.analysis import resampling
from peftcore.analysis.resampling import Array
from peftcore.errors import unknown_name

RESAMPLES = 1000
REFITS = 200  # a ranking is fitted anew in each
NO_TIES_LOG_ODDS = -1e3  # log odds of ties where there are none
MAX_LOG_ODDS = 10.0  # log odds beyond which a resample's strength counts as without limit
SCORE_COLUMNS = ["mean", "low", "high", "items", "raters", "verdicts", "reason"]
DIFFERENCE_COLUMNS = ["difference", "low", "high", "examples", "reason"]
EFFECT_COLUMNS = [
    "rater",
    "verdicts",
    "mean",
    "shared",
    "leniency",
    "low",
    "high",
    "seconds",
    "reason",
]


def score_methods(
    rows: pd.DataFrame, by: str = "method", *, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Score each value of `by`: one row each, best first, with columns SCORES.

    `rows` has one verdict each: `by`, item, example, rater, score in [0, 1]. A row without limits
    says why.
    """
    results = []
    for name, each in _score_groups(rows, by, resamples, seed).items():
        low, high, reason = None, None, "one example has no interval"
        if len(each.examples) > 1:
            low, high, reason = resampling.interval_limits(each.resampled_means)
        results.append((name, each.mean, low, high, *each.counts, reason))
    frame = pd.DataFrame(results, columns=[by, *SCORE_COLUMNS])
    frame = frame.astype(dict.fromkeys(("mean", "low", "high"), float))
    return frame.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def score_differences(
    rows: pd.DataFrame,
    reference: str,
    by: str = "method",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare each value of `by` with the reference, with columns DIFFERENCES.

    Rows as in `score_methods`, best first. Every resample uses one set of examples and raters for
    both, so what they share drops out; `examples` counts those on which both were rated.
    """
    scored = _score_groups(rows, by, resamples, seed)
    if reference not in scored:
        raise unknown_name(by, reference, scored)
    base = scored.pop(reference)
    results = []
    for name, each in scored.items():
        low, high, reason = None, None, "one example has no interval"
        if min(len(each.examples), len(base.examples)) > 1:
            low, high, reason = resampling.interval_limits(
                each.resampled_means - base.resampled_means
            )
        shared = len(each.examples & base.examples)
        results.append((name, each.mean - base.mean, low, high, shared, reason))
    frame = pd.DataFrame(results, columns=[by, *DIFFERENCE_COLUMNS])
    frame = frame.astype(dict.fromkeys(("difference", "low", "high"), float))
    return frame.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True)
class _MethodScore:
    """The score of one method, its value in each resample, and what it rests on."""

    mean: float
    resampled_means: Array  # (b,)
    examples: frozenset[str]
    counts: tuple[int, int, int]  # items, raters, verdicts


def _score_groups(
    rows: pd.DataFrame, by: str, resamples: int, seed: int
) -> dict[str, _MethodScore]:
    """Return method → its score; resample n uses the same examples for all methods."""
    rows = rows.dropna(subset=["score"])
    examples, raters = sorted(set(rows["example"])), sorted(set(rows["rater"]))
    rng = np.random.default_rng(seed)
    draw_counts = (
        resampling.draw_counts(len(examples), resamples, rng),
        resampling.draw_rater_counts(len(raters), resamples, rng),
    )
    by_name = {}
    for name, group in rows.groupby(by, sort=False):
        grid = group.pivot_table("score", "item", "rater", aggfunc="mean").reindex(columns=raters)
        item_examples = group.drop_duplicates("item").set_index("item")["example"].loc[grid.index]
        times = draw_counts[0][:, [examples.index(example) for example in item_examples]]
        cells = grid.to_numpy(float)
        (mean,) = _mean_of_means(cells, np.ones((1, len(grid))), np.ones((1, len(raters))))
        counts = len(grid), group["rater"].nunique(), len(group)
        means = _mean_of_means(cells, times, draw_counts[1])
        by_name[str(name)] = _MethodScore(float(mean), means, frozenset(item_examples), counts)
    return by_name


def _mean_of_means(cells: Array, times: Array, weights: Array) -> Array:
    """Average cells (i, r), with gaps, over raters and then over items: (b,)."""
    seen = np.isfinite(cells)
    rater_weights = weights @ seen.T
    means = resampling.safe_ratio(weights @ np.where(seen, cells, 0.0).T, rater_weights, 0.0)
    used = np.where(rater_weights > 0, times, 0.0)
    return resampling.safe_ratio((used * means).sum(1), used.sum(1))


def verdict_shares(rows: pd.DataFrame, by: str, verdicts: Sequence[str]) -> pd.DataFrame:
    """Count each verdict, zeros included: columns `by`, verdict, count, share."""
    counts = pd.crosstab(rows[by].astype(object), rows["verdict"].astype(object))
    counts = counts.reindex(columns=list(verdicts), fill_value=0)
    counts = counts.reindex(index=list(dict.fromkeys(rows[by])))
    counts.index.name, counts.columns.name = by, "verdict"
    frame = counts.stack().rename("count").reset_index()
    totals = counts.sum(axis=1).clip(lower=1)
    return frame.assign(share=frame["count"] / frame[by].map(totals).astype(float))


def shortcoming_counts(rows: pd.DataFrame, by: str, names: Sequence[str]) -> pd.DataFrame:
    """Count in how many verdicts each shortcoming was ticked.

    Columns `by`, shortcoming, count, verdicts, share. The column `shortcomings` of `rows` holds a
    list in each cell; one verdict may tick several.
    """
    results = []
    for value, group in rows.groupby(by, sort=False):
        ticked = list(itertools.chain.from_iterable(group["shortcomings"]))
        n = len(group)
        for name in names:
            results.append((value, name, ticked.count(name), n, ticked.count(name) / n))
    return pd.DataFrame(results, columns=[by, "shortcoming", "count", "verdicts", "share"])


def rater_effects(rows: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Describe each rater in a row of EFFECTS: how much, how mildly and how fast each rates.

    Leniency is the rater's mean difference to the mean of the others on the items they share, with
    limits from resampled items; seconds are the median.
    """
    rows = rows.dropna(subset=["score"]).drop_duplicates(["item", "rater"], keep="last")
    grid = rows.pivot(index="item", columns="rater", values="score")
    results = []
    for rater, own in rows.groupby("rater", sort=True):
        gaps = (grid[rater] - grid.drop(columns=rater).mean(axis=1)).dropna().to_numpy(float)
        counts = len(own), own["score"].mean(), len(gaps)
        results.append((rater, *counts, *_leniency(gaps, resamples, seed, own["seconds"].median())))
    frame = pd.DataFrame(results, columns=EFFECT_COLUMNS)
    return frame.astype(dict.fromkeys(("mean", "leniency", "low", "high", "seconds"), float))


def _leniency(
    gaps: Array, resamples: int, seed: int, seconds: float
) -> tuple[float | None, float | None, float | None, float, str]:
    """Return a rater's mean gap with limits, and seconds; or why there is none."""
    if len(gaps) == 0:
        return None, None, None, seconds, "nobody else rated this rater's items"
    if len(gaps) == 1:
        return float(gaps[0]), None, None, seconds, "one shared item has no interval"
    resampled = (
        resampling.draw_counts(len(gaps), resamples, np.random.default_rng(seed)) @ gaps / len(gaps)
    )
    return float(gaps.mean()), *resampling.interval_limits(resampled)[:2], seconds, ""


@dataclass(frozen=True)
class Correlation:
    """Correlation of two scores of the same items; without a value, why."""

    spearman: float | None
    low: float | None
    high: float | None
    pearson: float | None
    n: int
    reason: str = ""


def human_metric_correlation(
    human: Sequence[float],
    automatic: Sequence[float],
    examples: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Correlation:
    """Return Spearman's correlation with 95 % limits from resampled examples, and Pearson's.

    `examples` says which example each item is about; without it each is on its own. Items that lack
    either score do not count.
    """
    from scipy.stats import pearsonr, spearmanr

    pairs = np.array([human, automatic], dtype=float)
    known = np.isfinite(pairs).all(0)
    pairs, n = pairs[:, known], int(known.sum())
    if n < 3:
        return Correlation(None, None, None, None, n, f"{n} items have both scores; 3 are needed")
    for name, values in zip(("human", "automatic"), pairs, strict=True):
        if np.ptp(values) == 0:
            reason = f"every item has the same {name} score, so nothing can go with it"
            return Correlation(None, None, None, None, n, reason)
    about = np.arange(n) if examples is None else np.asarray(examples, dtype=object)[known]
    groups = pd.factorize(about)[0]
    low, high, reason = None, None, "one example has no interval"
    if groups.max() > 0:
        positions = _resampled_positions(groups, resamples, np.random.default_rng(seed))
        low, high, reason = resampling.interval_limits(
            _rank_correlations(*(_select_values(row, positions) for row in pairs))
        )
    whole = float(spearmanr(*pairs).statistic), float(pearsonr(*pairs).statistic)
    return Correlation(whole[0], low, high, whole[1], n, reason)


def rater_ceiling(rows: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> Correlation:
    """Correlate each verdict with the mean of the other raters of its item, examples resampled.

    rows: item, example, rater, score. What a metric can hope for: one more person comes no closer.
    """
    by_item = rows.groupby("item")["score"]
    total, count = by_item.transform("sum"), by_item.transform("count")
    shared = rows[count > 1]
    others = ((total - rows["score"]) / (count - 1).clip(lower=1))[count > 1]
    return human_metric_correlation(
        shared["score"].tolist(),
        others.tolist(),
        shared["example"].tolist(),
        resamples=resamples,
        seed=seed,
    )


def _resampled_positions(
    groups: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Resample groups: positions of their items (b, most), -1 where there are fewer."""
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    group_draws = rng.integers(0, len(members), (resamples, len(members)))
    rows = [np.concatenate([members[group] for group in row]) for row in group_draws]
    positions = np.full((resamples, max(map(len, rows))), -1)
    for nth, row in enumerate(rows):
        positions[nth, : len(row)] = row
    return positions


def _select_values(values: Array, positions: NDArray[np.int64]) -> Array:
    """Return the values at positions (b, most), nan at -1."""
    return np.where(positions >= 0, values[positions], np.nan)


def _rank_correlations(first: Array, second: Array) -> Array:
    """Return Spearman's correlation (b,) of rows (b, n), gaps left out; nan if constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=1, nan_policy="omit") for values in (first, second)]
    a, b = (values - np.nanmean(values, 1, keepdims=True) for values in ranks)
    return resampling.safe_ratio(
        np.nansum(a * b, 1), np.sqrt(np.nansum(a**2, 1) * np.nansum(b**2, 1))
    )


@dataclass(frozen=True)
class Ranking:
    """A Bradley-Terry ranking: one row per method, best first.

    `methods` has columns method, strength, low, high (log odds against the average method; a limit
    is missing where the data set none), share with share_low and share_high (wins and half the ties
    among a method's comparisons), wins, ties, losses. `chances` is how likely the method of the row
    beats that of the column, ties aside. Without strengths, `reason` says why.
    """

    methods: pd.DataFrame
    chances: pd.DataFrame
    comparisons: int
    raters: int
    reason: str = ""


@dataclass(frozen=True)
class _Counts:
    """Outcomes between every two methods, in the order of `pairs`: (…, pairs)."""

    pairs: NDArray[np.int64]  # (pairs, 2)
    first: Array
    tie: Array
    second: Array


def rank_methods(rows: pd.DataFrame, *, resamples: int = REFITS, seed: int = 0) -> Ranking:
    """Fit strengths of methods to pairwise verdicts, limits from resampled examples and raters.

    `rows` has one verdict each: first, second (methods), outcome ("first", "tie" or "second"),
    example, rater.
    """
    names = sorted(set(rows["first"]) | set(rows["second"]))
    index_of = {name: number for number, name in enumerate(names)}
    raters = rows["rater"].nunique()
    if len(rows) == 0:
        return Ranking(
            _ranking_frame([], {}), pd.DataFrame(), 0, 0, "nobody has compared anything yet"
        )
    count = _outcome_counter(rows, index_of)
    whole = count(np.ones((1, len(rows))))
    weights = _row_weights(rows, resamples, np.random.default_rng(seed))
    resampled_counts = count(weights)
    columns = _win_shares(whole, resampled_counts, len(names))
    reason = _no_strength(whole, names)
    strengths = np.full(len(names), np.nan)
    columns |= {"strength": strengths, "low": strengths, "high": strengths}
    if not reason:
        strengths = _fit_strengths(whole, 0, len(names))
        refits = np.array(
            [_fit_strengths(resampled_counts, nth, len(names)) for nth in range(resamples)]
        )
        low, high = np.quantile(refits, [0.025, 0.975], axis=0)
        edge = MAX_LOG_ODDS / 2
        columns |= {
            "strength": strengths,
            "low": np.where(low < -edge, np.nan, low),
            "high": np.where(high > edge, np.nan, high),
        }
    methods = _ranking_frame(names, columns)
    odds = pd.Series(strengths, index=names)[methods["method"]].to_numpy()
    chances = 1 / (1 + np.exp(odds[None, :] - odds[:, None]))
    table = pd.DataFrame(chances, index=methods["method"], columns=methods["method"])
    return Ranking(methods, table, len(rows), raters, reason)


def _ranking_frame(names: list[str], columns: dict[str, Array]) -> pd.DataFrame:
    """Build the ranking's table, best first."""
    order = ["strength", "low", "high", "share", "share_low", "share_high"]
    frame = pd.DataFrame({"method": names} | {name: columns.get(name, []) for name in order})
    for name in ("wins", "ties", "losses"):
        frame[name] = np.asarray(columns.get(name, []), dtype=int)
    ranked = frame.sort_values(["strength", "share"], ascending=False, kind="stable")
    return ranked.reset_index(drop=True)


def _outcome_counter(rows: pd.DataFrame, index_of: dict[str, int]) -> Callable[[Array], _Counts]:
    """Return a function from weights of the rows (b, rows) to outcomes of pairs of methods."""
    ends = np.stack([rows["first"].map(index_of), rows["second"].map(index_of)], 1).astype(int)
    turned = ends[:, 0] > ends[:, 1]
    sign = rows["outcome"].map({"first": 1, "tie": 0, "second": -1}).to_numpy(int)
    sign = np.where(turned, -sign, sign)
    pairs, which = np.unique(np.sort(ends, 1), axis=0, return_inverse=True)
    member = np.eye(len(pairs))[which.reshape(-1)]

    def count(weights: Array) -> _Counts:
        """Count weighted outcomes of each pair."""
        return _Counts(pairs, *((weights * (sign == each)) @ member for each in (1, 0, -1)))

    return count


def _row_weights(rows: pd.DataFrame, resamples: int, rng: np.random.Generator) -> Array:
    """Resample examples and raters: how often each verdict counts, (b, rows)."""
    weights = np.ones((resamples, len(rows)))
    draws = {"example": resampling.draw_counts, "rater": resampling.draw_rater_counts}
    for column, draw in draws.items():
        codes, known = pd.factorize(rows[column], sort=True)
        weights *= draw(len(known), resamples, rng)[:, codes]
    return weights


def _win_shares(whole: _Counts, resampled_counts: _Counts, size: int) -> dict[str, Array]:
    """Return wins, ties, losses and the share of wins of each method, with limits."""
    ends = [np.eye(size)[whole.pairs[:, end]] for end in (0, 1)]

    def tally(counts: _Counts) -> tuple[Array, Array, Array]:
        """Return wins, ties and losses of each method."""
        wins = counts.first @ ends[0] + counts.second @ ends[1]
        losses = counts.second @ ends[0] + counts.first @ ends[1]
        return wins, counts.tie @ (ends[0] + ends[1]), losses

    (wins, ties, losses), resampled = tally(whole), tally(resampled_counts)
    share = resampling.safe_ratio(resampled[0] + resampled[1] / 2, sum(resampled, np.zeros(1)))
    low, high = np.nanquantile(share, [0.025, 0.975], axis=0)
    mean = (wins + ties / 2) / (wins + ties + losses)
    counts = {"wins": wins[0], "ties": ties[0], "losses": losses[0]}
    return {"share": mean[0], "share_low": low, "share_high": high} | counts


def _no_strength(counts: _Counts, names: list[str]) -> str:
    """Return why strengths have no finite value (Ford 1957); empty if they have."""
    from scipy.sparse.csgraph import connected_components

    beaten = np.zeros((len(names), len(names)))
    for (i, j), first, tie, second in zip(
        counts.pairs, counts.first[0], counts.tie[0], counts.second[0], strict=True
    ):
        beaten[i, j] += first + tie
        beaten[j, i] += second + tie
    if connected_components(beaten, directed=False)[0] > 1:
        return "some methods were never compared with the others, not even through a third one"
    if counts.first.sum() + counts.second.sum() == 0:
        return "every comparison is a tie, so no strength differs"
    parts, member = connected_components(beaten, directed=True, connection="strong")
    if parts == 1:
        return ""
    alone = [name for name, part in zip(names, member, strict=True) if (member == part).sum() == 1]
    always = f"{', '.join(alone)} never" if alone else "one group of methods never"
    return (
        f"{always} both won and lost against the rest, so the odds between them have no limit; "
        "read the share of wins instead"
    )


def _fit_strengths(counts: _Counts, nth: int, size: int) -> Array:
    """Fit strengths to one set of counts by maximum likelihood, their mean at zero."""
    from scipy.optimize import minimize

    first, tie, second = counts.first[nth], counts.tie[nth], counts.second[nth]
    ends = [np.eye(size)[counts.pairs[:, end]] for end in (0, 1)]
    with_ties = bool(tie.sum() > 0)

    def loss(values: Array) -> tuple[float, Array]:
        """Return the negative log likelihood and its gradient."""
        a, b = values[counts.pairs[:, 0]], values[counts.pairs[:, 1]]
        middle = (a + b) / 2 + values[-1] if with_ties else np.full_like(a, NO_TIES_LOG_ODDS)
        logs = np.stack([a, middle, b])
        total = np.logaddexp.reduce(logs, 0)
        chance = np.exp(logs - total)
        seen = np.stack([first, tie, second])
        n = seen.sum(0)
        reached = (seen * (logs - total)).sum()
        slope = seen - n * chance
        each = (slope[0] + slope[1] / 2) @ ends[0] + (slope[2] + slope[1] / 2) @ ends[1]
        centred = values[:-1].mean()  # strengths count only against one another
        gradient = np.append(-each + centred, -slope[1].sum() if with_ties else 0.0)
        return float(-reached + size * centred**2 / 2), gradient

    bounds = [(-MAX_LOG_ODDS, MAX_LOG_ODDS)] * (size + 1)
    fit = minimize(loss, np.zeros(size + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    strengths: Array = fit.x[:-1]
    return strengths - strengths.mean()
