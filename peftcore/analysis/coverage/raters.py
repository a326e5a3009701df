"""Simulated people: raters who judge items of two methods, each rater milder or stricter.

Log odds of a good verdict add up from the example, the rater and what only the two share. Where
fewer than ten rate, intervals speak of these raters, and so does the truth.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from peftcore.analysis import agreement, preference
from peftcore.analysis.clustered import FEWEST_RATERS
from peftcore.analysis.coverage.shapes import Case
from peftcore.analysis.prediction_powered import ScoredTexts, powered_mean

Array = NDArray[np.float64]
Quantity = Literal["score", "difference", "leniency", "correlation", "share", "strength"]
EXAMPLE_SPREAD, RATER_SPREAD, BOTH_SPREAD = 1.0, 0.5, 0.5
BETTER = 0.5  # log odds by which the second method is better
METRIC_NOISE = 1.0  # of an automatic score, around the example's log odds
RESAMPLES = 300  # of a correlation
UNRATED = 500  # texts that only a metric scored
MANY = 200_000  # examples behind a truth
CHANCES = 101  # quantiles of a normal effect over which a chance is averaged


def rating_trial(rng: np.random.Generator, case: Case, quantity: Quantity) -> bool | None:
    """Return whether the interval of what verdicts say covers; None where none is printed."""
    raters = rng.normal(0, RATER_SPREAD, case.seeds)
    examples = rng.normal(0, EXAMPLE_SPREAD, case.items)
    rows = _verdicts(rng, raters, examples)
    these = tuple(raters) if case.seeds < FEWEST_RATERS else None
    if quantity == "score":
        scores = preference.score_methods(rows)
        return _covers(scores[scores["method"] == "first"], _mean_chance(0.0, these))
    if quantity == "difference":
        gaps = preference.score_differences(rows, "first")
        return _covers(gaps, _mean_chance(BETTER, these) - _mean_chance(0.0, these))
    if quantity == "leniency":
        effects = preference.rater_effects(rows)
        return _covers(effects[:1], _true_leniency(raters))
    if quantity == "correlation":
        first = rows[rows["method"] == "first"]
        human = first.groupby("example", sort=False)["score"].mean().to_numpy()
        automatic = examples + rng.normal(0, METRIC_NOISE, case.items)
        found = preference.human_metric_correlation(
            human.tolist(), automatic.tolist(), resamples=RESAMPLES, seed=int(rng.integers(2**31))
        )
        return _holds(found.low, found.high, _true_correlation(raters))
    ranking = preference.rank_methods(_comparisons(rng, raters, examples))
    row = ranking.methods[ranking.methods["method"] == "second"]
    if quantity == "share":
        return _covers(row, _mean_chance(BETTER, these), "share_low", "share_high")
    chance = _mean_chance(BETTER, these)
    return _covers(row, float(np.log(chance / (1 - chance))) / 2)  # strengths have mean zero


def powered_trial(rng: np.random.Generator, case: Case) -> bool | None:
    """Return whether the interval of a few ratings and a metric on many texts covers."""
    texts = case.items + UNRATED
    quality = rng.normal(0, EXAMPLE_SPREAD, texts)
    labels = rng.integers(0, 2, texts).astype(str)
    good = (rng.random(texts) < special.expit(quality)).astype(float)
    metric = quality + rng.normal(0, METRIC_NOISE, texts)
    rated = slice(0, case.items)
    rest = slice(case.items, None)
    found = powered_mean(
        ScoredTexts(good[rated], metric[rated], metric[rest], labels[rated], labels[rest])
    ).powered
    truth = float(special.expit(_normal_effects(EXAMPLE_SPREAD)).mean())
    return _holds(found.low, found.high, truth)


def agreement_trial(rng: np.random.Generator, case: Case, measure: str) -> bool | None:
    """Return whether the interval of a measure of agreement covers."""
    raters = rng.normal(0, RATER_SPREAD, case.seeds)
    examples = rng.normal(0, EXAMPLE_SPREAD, case.items)
    rows = _verdicts(rng, raters, examples, methods=("first",))
    rows = rows.assign(verdict=np.where(rows["score"] > 0, "yes", "no"))
    table = agreement.pivot_verdicts(rows, item="item", rater="rater", verdict="verdict")
    if measure == "Cohen's kappa":
        pair = agreement.cohen_kappas(table.iloc[:, :2], ("no", "yes"))
        return _covers(pair, _true_agreement("Fleiss' kappa", tuple(raters[:2]), 2, True))
    [found] = agreement.agreement_statistics(table, ("no", "yes"), measures=(measure,))
    keeps = case.seeds < FEWEST_RATERS or measure == "Share of unanimous items"
    truth = _true_agreement(measure, tuple(raters) if keeps else (), case.seeds, keeps)
    return _holds(found.low, found.high, truth)


def _covers(rows: pd.DataFrame, truth: float, low: str = "low", high: str = "high") -> bool | None:
    """Return whether the limits of a table's only row hold the truth."""
    return _holds(rows[low].iloc[0], rows[high].iloc[0], truth)


def _holds(low: float | None, high: float | None, truth: float) -> bool | None:
    """Return whether limits hold the truth, None where one is missing."""
    if low is None or high is None or np.isnan(low) or np.isnan(high):
        return None
    return bool(low <= truth <= high)


def _verdicts(
    rng: np.random.Generator,
    raters: Array,
    examples: Array,
    methods: tuple[str, ...] = ("first", "second"),
) -> pd.DataFrame:
    """Draw one verdict of every rater (r,) on every method's item of every example (e,)."""
    frames = []
    for number, method in enumerate(methods):
        odds = examples[:, None] + raters + BETTER * number
        odds = odds + rng.normal(0, BOTH_SPREAD, odds.shape)
        good = (rng.random(odds.shape) < special.expit(odds)).astype(float)
        example, rater = (index.ravel() for index in np.indices(odds.shape))
        names = [f"{method} {each}" for each in example]
        frames.append(
            pd.DataFrame(
                {"method": method, "item": names, "example": example.astype(str)}
                | {"rater": rater.astype(str), "score": good.ravel(), "seconds": 1.0}
            )
        )
    return pd.concat(frames, ignore_index=True)


def _comparisons(rng: np.random.Generator, raters: Array, examples: Array) -> pd.DataFrame:
    """Draw which of two texts every rater prefers on every example, without ties."""
    rows = _verdicts(rng, raters, examples, methods=("first", "second"))
    rows = rows[rows["method"] == "second"]
    outcome = np.where(rows["score"] > 0, "second", "first")
    return rows.assign(first="first", second="second", outcome=outcome)


def _normal_effects(spread: float) -> Array:
    """Return quantiles (q,) of a normal effect, over which chances are averaged."""
    return spread * special.ndtri((np.arange(CHANCES) + 0.5) / CHANCES)


def _chance(odds: Array) -> Array:
    """Return the chance (…) of a good verdict at log odds (…) of example and rater."""
    return special.expit(odds[..., None] + _normal_effects(BOTH_SPREAD)).mean(-1)


@functools.lru_cache(maxsize=4096)
def _mean_chance(better: float, raters: tuple[float, ...] | None) -> float:
    """Return the chance of a good verdict over examples, and all raters unless some are given."""
    people = _normal_effects(RATER_SPREAD) if raters is None else np.array(raters)
    odds = _normal_effects(EXAMPLE_SPREAD)[:, None] + people + better
    return float(_chance(odds).mean())


def _true_leniency(raters: Array) -> float:
    """Return how much milder the first rater is than the others, over both methods."""
    means = np.array(
        [np.mean([_mean_chance(b, (float(r),)) for b in (0.0, BETTER)]) for r in raters]
    )
    return float(means[0] - means[1:].mean())


def _true_correlation(raters: Array) -> float:
    """Return the rank correlation of mean verdicts and metric over many examples."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    examples = rng.normal(0, EXAMPLE_SPREAD, MANY // 10)
    odds = examples[:, None] + raters + rng.normal(0, BOTH_SPREAD, (len(examples), len(raters)))
    human = (rng.random(odds.shape) < special.expit(odds)).mean(1)
    automatic = examples + rng.normal(0, METRIC_NOISE, len(examples))
    return float(spearmanr(human, automatic).statistic)


@functools.lru_cache(maxsize=4096)
def _true_agreement(measure: str, these: tuple[float, ...], count: int, keeps: bool) -> float:
    """Return a measure of agreement over many examples: of these raters, or any so many."""
    examples = _normal_effects(EXAMPLE_SPREAD)
    raters = np.array(these) if keeps else _normal_effects(RATER_SPREAD)
    good = _chance(examples[:, None] + raters)  # (e, r)
    if measure == "Share of unanimous items":
        return float((good.prod(1) + (1 - good).prod(1)).mean())
    sums, squares = good.sum(1), (good**2).sum(1)
    pairs = len(raters) * (len(raters) - 1)
    both = (sums**2 - squares) / pairs  # chance that two different raters say yes
    neither = 1 - 2 * sums / len(raters) + both
    observed, yes = float((both + neither).mean()), float(good.mean())
    chance = 0.5 if measure == "Uniform kappa (Randolph)" else yes**2 + (1 - yes) ** 2
    if count == 2 and measure == "Fleiss' kappa":  # as Cohen: each rater's own shares
        one, other = good.mean(0)
        chance = float(one * other + (1 - one) * (1 - other))
    return (observed - chance) / (1 - chance)
