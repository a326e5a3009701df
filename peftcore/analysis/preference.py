"""Preferences of people: scores of methods, rankings from pairs, rater effects, correlations.

A score is FEB's: the mean over items of each item's mean over raters, here between 0 and 1. Items
on one example and verdicts of one rater depend on each other, which limits allow for (`clustered`);
of fewer than ten raters they speak of these raters only. Rankings are Bradley and Terry's with
Davidson's ties (Davidson 1970): a text of strength a beats one of strength b with odds exp(a - b),
and the chance of a tie follows the geometric mean. Agreement of raters is in `agreement`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from peftcore.analysis import clustered, resampling, verdicts
from peftcore.analysis.clustered import ClusteredError, Clusters
from peftcore.analysis.resampling import Array
from peftcore.errors import unknown_name

RESAMPLES = 1000  # of examples, for a correlation
NO_TIES_LOG_ODDS = -1e3  # log odds of ties where there are none
MAX_LOG_ODDS = 10.0  # log odds beyond half of which a strength counts as without limit
SCORE_COLUMNS = ["mean", "low", "high", "items", "raters", "verdicts", "reason"]
DIFFERENCE_COLUMNS = ["difference", "low", "high", "p", "holm", "verdict", "examples", "reason"]
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


def score_methods(rows: pd.DataFrame, by: str = "method") -> pd.DataFrame:
    """Score each value of `by`: one row each, best first, with columns SCORES.

    `rows` has one verdict each: `by`, item, example, rater, score in [0, 1]. A row without limits
    says why.
    """
    results = []
    for name, each in _score_groups(rows, by).items():
        error = clustered.clustered_error(each.parts, each.clusters)
        low, high, reason = error.share_limits(each.mean)
        results.append((name, each.mean, low, high, *each.counts, reason))
    frame = pd.DataFrame(results, columns=[by, *SCORE_COLUMNS])
    frame = frame.astype(dict.fromkeys(("mean", "low", "high"), float))
    return frame.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def score_differences(rows: pd.DataFrame, reference: str, by: str = "method") -> pd.DataFrame:
    """Compare each value of `by` with the reference, with columns DIFFERENCES.

    Rows as in `score_methods`, best first. What both share of an example or a rater drops out;
    `examples` counts those on which both were rated. Verdicts are those of `verdicts`, with Holm's
    correction for all that are compared.
    """
    scored = _score_groups(rows, by)
    if reference not in scored:
        raise unknown_name(by, reference, scored)
    base = scored.pop(reference)
    errors = [_difference_error(base, each) for each in scored.values()]
    means = [each.mean - base.mean for each in scored.values()]
    tests = [
        verdicts.p_values(error.estimate(mean), verdicts.DEFAULT_MARGIN)
        for error, mean in zip(errors, means, strict=True)
    ]
    different = verdicts.holm([test.different for test in tests])
    equal = verdicts.holm([test.equal for test in tests])
    results = []
    for n, (name, each) in enumerate(scored.items()):
        low, high, reason = errors[n].mean_limits(means[n], (-1.0, 1.0))
        verdict = verdicts.choose_verdict(means[n], different[n], equal[n])
        found = (means[n], low, high, tests[n].different, different[n], verdict)
        results.append((name, *found, len(each.examples & base.examples), reason))
    frame = pd.DataFrame(results, columns=[by, *DIFFERENCE_COLUMNS])
    frame = frame.astype(dict.fromkeys(("difference", "low", "high", "p", "holm"), float))
    return frame.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def _difference_error(base: _MethodScore, other: _MethodScore) -> ClusteredError:
    """Return the standard error of other − base; one example on a side has none."""
    if min(len(base.examples), len(other.examples)) < 2:
        return ClusteredError(0.0, 1.0, 1)
    examples, raters = (
        np.concatenate([getattr(other.clusters, end), getattr(base.clusters, end)])
        for end in ("examples", "raters")
    )
    parts = np.concatenate([other.parts, -base.parts])
    return clustered.clustered_error(parts, Clusters.of(examples, raters))


@dataclass(frozen=True)
class _MethodScore:
    """The score of one method, each verdict's part in its error, and what it rests on."""

    mean: float
    parts: Array  # (n,)
    clusters: Clusters
    counts: tuple[int, int, int]  # items, raters, verdicts

    @property
    def examples(self) -> set[int]:
        """The codes of the examples that were rated."""
        return set(self.clusters.examples.tolist())


def _score_groups(rows: pd.DataFrame, by: str) -> dict[str, _MethodScore]:
    """Return method → its score; codes of examples and raters are the same for all methods."""
    rows = rows.dropna(subset=["score"])
    all_clusters = Clusters.of(rows["example"], rows["rater"])
    rows = rows.assign(example=all_clusters.examples, rater=all_clusters.raters)
    by_name = {}
    for name, group in rows.groupby(by, sort=False):
        cells = group.groupby(["item", "rater"], as_index=False)[["score", "example"]].mean()
        per_item = cells.groupby("item")["score"]
        mean = float(per_item.mean().mean())
        weight = 1 / (per_item.transform("count").to_numpy(float) * per_item.ngroups)
        parts = weight * (cells["score"].to_numpy(float) - mean)
        clusters = Clusters(cells["example"].to_numpy(np.int64), cells["rater"].to_numpy(np.int64))
        counts = per_item.ngroups, group["rater"].nunique(), len(group)
        by_name[str(name)] = _MethodScore(mean, parts, clusters, counts)
    return by_name


def verdict_shares(rows: pd.DataFrame, by: str, kinds: Sequence[str]) -> pd.DataFrame:
    """Count each verdict, zeros included: columns `by`, verdict, count, share."""
    counts = pd.crosstab(rows[by].astype(object), rows["verdict"].astype(object))
    counts = counts.reindex(columns=list(kinds), fill_value=0)
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


def rater_effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Describe each rater in a row of EFFECTS: how much, how mildly and how fast each rates.

    Leniency is the rater's mean difference to the mean of the others on the items they share, with
    limits over examples; seconds are the median.
    """
    rows = rows.dropna(subset=["score"]).drop_duplicates(["item", "rater"], keep="last")
    grid = rows.pivot(index="item", columns="rater", values="score")
    examples = rows.drop_duplicates("item").set_index("item")["example"]
    results = []
    for rater, own in rows.groupby("rater", sort=True):
        gaps = (grid[rater] - grid.drop(columns=rater).mean(axis=1)).dropna()
        counts = len(own), own["score"].mean(), len(gaps)
        found = _leniency(gaps.to_numpy(float), examples[gaps.index].tolist())
        results.append((rater, *counts, *found[:3], own["seconds"].median(), found[3]))
    frame = pd.DataFrame(results, columns=EFFECT_COLUMNS)
    return frame.astype(dict.fromkeys(("mean", "leniency", "low", "high", "seconds"), float))


def _leniency(
    gaps: Array, examples: Sequence[str]
) -> tuple[float | None, float | None, float | None, str]:
    """Return a rater's mean gap (n,) with limits; or why there is none."""
    if len(gaps) == 0:
        return None, None, None, "nobody else rated this rater's items"
    mean = float(gaps.mean())
    if len(gaps) == 1:
        return mean, None, None, "one shared item has no interval"
    parts = (gaps - mean) / len(gaps)
    error = clustered.clustered_error(parts, Clusters.of(examples, [0] * len(gaps)))
    return mean, *error.mean_limits(mean, (-1.0, 1.0))


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
class _Outcomes:
    """Each verdict's two methods (n, 2), and first, tie or second as a one in (n, 3)."""

    ends: NDArray[np.int64]
    won: Array

    def of_method(self, method: int) -> Array:
        """Return the verdicts (n, 3) as this method's losses, ties and wins; zeros elsewhere."""
        first, second = (self.ends[:, end, None] == method for end in (0, 1))
        return first * self.won[:, ::-1] + second * self.won


def rank_methods(rows: pd.DataFrame) -> Ranking:
    """Fit strengths of methods to pairwise verdicts, with limits over examples and raters.

    `rows` has one verdict each: first, second (methods), outcome ("first", "tie" or "second"),
    example, rater.
    """
    names = sorted(set(rows["first"]) | set(rows["second"]))
    if len(rows) == 0:
        return Ranking(
            _ranking_frame([], {}), pd.DataFrame(), 0, 0, "nobody has compared anything yet"
        )
    outcomes = _outcomes(rows, {name: number for number, name in enumerate(names)})
    clusters = Clusters.of(rows["example"], rows["rater"])
    columns = _win_shares(outcomes, clusters, len(names))
    reason = _no_strength(outcomes, names)
    strengths = np.full(len(names), np.nan)
    columns |= {"strength": strengths, "low": strengths, "high": strengths}
    if not reason:
        values = _fit_strengths(outcomes, len(names))
        strengths = values[:-1]
        columns |= {"strength": strengths} | _strength_limits(outcomes, values, clusters)
    methods = _ranking_frame(names, columns)
    odds = pd.Series(strengths, index=names)[methods["method"]].to_numpy()
    chances = 1 / (1 + np.exp(odds[None, :] - odds[:, None]))
    table = pd.DataFrame(chances, index=methods["method"], columns=methods["method"])
    return Ranking(methods, table, len(rows), clusters.counts[1], reason)


def _ranking_frame(names: list[str], columns: dict[str, Array]) -> pd.DataFrame:
    """Build the ranking's table, best first."""
    order = ["strength", "low", "high", "share", "share_low", "share_high"]
    frame = pd.DataFrame({"method": names} | {name: columns.get(name, []) for name in order})
    for name in ("wins", "ties", "losses"):
        frame[name] = np.asarray(columns.get(name, []), dtype=int)
    ranked = frame.sort_values(["strength", "share"], ascending=False, kind="stable")
    return ranked.reset_index(drop=True)


def _outcomes(rows: pd.DataFrame, index_of: dict[str, int]) -> _Outcomes:
    """Number the methods of verdicts, and say which won."""
    ends = np.stack([rows["first"].map(index_of), rows["second"].map(index_of)], 1)
    codes = rows["outcome"].map({"first": 0, "tie": 1, "second": 2}).to_numpy(int)
    return _Outcomes(ends.astype(np.int64), np.eye(3)[codes])


def _win_shares(outcomes: _Outcomes, clusters: Clusters, size: int) -> dict[str, Array]:
    """Return wins, ties, losses and the share of wins of each method, with limits."""
    found = []
    for method in range(size):
        results = outcomes.of_method(method)
        played = results.sum(1) > 0
        points = results[played] @ np.array([0.0, 0.5, 1.0])
        share = float(points.mean())
        own = Clusters.of(clusters.examples[played], clusters.raters[played])
        error = clustered.clustered_error((points - share) / len(points), own)
        low, high = (np.nan if x is None else x for x in error.share_limits(share)[:2])
        found.append((share, low, high, *results.sum(0)[::-1]))
    names = ("share", "share_low", "share_high", "wins", "ties", "losses")
    return dict(zip(names, np.array(found, dtype=float).T, strict=True))


def _no_strength(outcomes: _Outcomes, names: list[str]) -> str:
    """Return why strengths have no finite value (Ford 1957); empty if they have."""
    from scipy.sparse.csgraph import connected_components

    beaten = np.zeros((len(names), len(names)))
    first, second = outcomes.ends.T
    np.add.at(beaten, (first, second), outcomes.won[:, 0] + outcomes.won[:, 1])
    np.add.at(beaten, (second, first), outcomes.won[:, 2] + outcomes.won[:, 1])
    if connected_components(beaten, directed=False)[0] > 1:
        return "some methods were never compared with the others, not even through a third one"
    if outcomes.won[:, [0, 2]].sum() == 0:
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


def _outcome_chances(outcomes: _Outcomes, values: Array) -> Array:
    """Return log chances (n, 3) of each verdict's outcomes at strengths and the tie's (m + 1,)."""
    a, b = values[outcomes.ends[:, 0]], values[outcomes.ends[:, 1]]
    ties = outcomes.won[:, 1].sum() > 0
    middle = (a + b) / 2 + values[-1] if ties else np.full_like(a, NO_TIES_LOG_ODDS)
    logs = np.stack([a, middle, b], 1)
    return logs - np.logaddexp.reduce(logs, 1)[:, None]


def _outcome_slopes(outcomes: _Outcomes, size: int) -> Array:
    """Return how log odds of first, tie and second (n, 3, m + 1) rise with each value."""
    rows = np.arange(len(outcomes.ends))
    slopes = np.zeros((len(rows), 3, size + 1))
    for end, outcome in ((0, 0), (1, 2)):
        slopes[rows, outcome, outcomes.ends[:, end]] += 1.0
        slopes[rows, 1, outcomes.ends[:, end]] += 0.5
    slopes[:, 1, -1] = 1.0
    return slopes


def _fit_strengths(outcomes: _Outcomes, size: int) -> Array:
    """Fit strengths (m,), their mean at zero, and log odds of a tie by maximum likelihood."""
    from scipy.optimize import minimize

    slopes = _outcome_slopes(outcomes, size)

    def loss(values: Array) -> tuple[float, Array]:
        """Return the negative log likelihood and its gradient."""
        logs = _outcome_chances(outcomes, values)
        centred = values[:-1].mean()  # strengths count only against one another
        gradient = -np.einsum("nk,nkm->m", outcomes.won - np.exp(logs), slopes)
        gradient[:-1] += centred
        return float(-(outcomes.won * logs).sum() + size * centred**2 / 2), gradient

    bounds = [(-MAX_LOG_ODDS, MAX_LOG_ODDS)] * (size + 1)
    fit = minimize(loss, np.zeros(size + 1), jac=True, method="L-BFGS-B", bounds=bounds)
    values: Array = fit.x
    values[:-1] -= values[:-1].mean()
    return values


def _strength_limits(outcomes: _Outcomes, values: Array, clusters: Clusters) -> dict[str, Array]:
    """Return 95 % limits of strengths; none where they lie further out than data can say.

    Each verdict's part in a strength is its slope of the likelihood over the information in all.
    """
    size = len(values) - 1
    slopes = _outcome_slopes(outcomes, size)
    chances = np.exp(_outcome_chances(outcomes, values))  # (n, 3)
    centred = slopes - np.einsum("nk,nkm->nm", chances, slopes)[:, None]
    information = np.einsum("nk,nka,nkb->ab", chances, centred, centred)
    scores = np.einsum("nk,nkm->nm", outcomes.won - chances, slopes)
    parts = scores @ np.linalg.pinv(information)
    low, high = np.full(size, np.nan), np.full(size, np.nan)
    edge = MAX_LOG_ODDS / 2
    for method in range(size):
        error = clustered.clustered_error(parts[:, method], clusters)
        below, above, _ = error.mean_limits(float(values[method]), (-np.inf, np.inf))
        if below is not None and above is not None:
            low[method] = below if below >= -edge else np.nan
            high[method] = above if above <= edge else np.nan
    return {"low": low, "high": high}
