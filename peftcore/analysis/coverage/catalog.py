"""Every interval that the app can print: whom it speaks of, where it is shown, what simulates it.

What is not simulated here is not printed; `NOT_PRINTED` says what stands in its place.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from peftcore.analysis.coverage import answers, raters, seeds
from peftcore.analysis.coverage.shapes import SHAPES, Case

Trial = Callable[[np.random.Generator, Case], bool | None]
SEED_COUNTS = (4, 5, 8, 20, 60)
ITEM_COUNTS = (50, 200, 500)
THIS_TASK = "other seeds and other test examples"
THESE_EXAMPLES = "other seeds on the same test examples"
THESE_SEEDS = "other seeds"
PEOPLE = "other examples, from 10 raters on also other raters"


@dataclass(frozen=True)
class PrintedInterval:
    """One interval: its name, whom it speaks of, where it is shown, the function, its simulation.

    `share` is the part of a command's draws that this simulation takes; slow ones take fewer.
    """

    name: str
    population: str
    shown: str
    function: str
    trial: Trial
    cases: tuple[Case, ...]
    share: float = 1.0


def _seed_cases(spreads: dict[str, tuple[float, ...]], items: tuple[int, ...]) -> tuple[Case, ...]:
    """Return cases of every shape of seeds, count of seeds, and count of items."""
    return tuple(
        Case(shape, count, n, spread, balanced=balanced)
        for shape in SHAPES
        for spread in spreads.get(shape, ())
        for count, n, balanced in itertools.product(SEED_COUNTS, items, (False, True))
        if not balanced or n == items[0]  # as many of each label, with the fewest items
    )


ANSWER_CASES = _seed_cases(
    {"normal": (0.1, 0.8), "skewed": (0.3, 0.8), "two groups": (0.3,)}, ITEM_COUNTS
)
CORPUS_CASES = _seed_cases({"normal": (0.3,), "skewed": (0.3,), "two groups": (0.3,)}, (100, 300))
NUMBER_CASES = tuple(
    Case(shape, count, spread=1.0)
    for shape in SHAPES
    for count in (2, 3, *SEED_COUNTS)
    if shape != "two groups" or count > 3
)
RATER_CASES = tuple(Case("normal", *counts) for counts in ((3, 50), (5, 150), (10, 50), (12, 150)))
PAIR_CASES = tuple(Case("normal", 2, n) for n in (50, 150))


RATED: tuple[tuple[raters.Quantity, str, str, str], ...] = (
    ("score", "score by people", PEOPLE, "preference.score_methods"),
    ("difference", "difference of such scores", PEOPLE, "preference.score_differences"),
    ("leniency", "leniency of a rater", "other examples", "preference.rater_effects"),
    (
        "correlation",
        "correlation of people and metric",
        "other examples",
        "preference.human_metric_correlation",
    ),
    ("share", "share of wins", PEOPLE, "preference.rank_methods"),
    ("strength", "strength of a method", PEOPLE, "preference.rank_methods"),
)

INTERVALS: tuple[PrintedInterval, ...] = (
    PrintedInterval(
        "score, mean over items",
        THIS_TASK,
        "Compare, Runs, Components",
        "inference.estimate",
        answers.accuracy_trial,
        ANSWER_CASES,
    ),
    PrintedInterval(
        "score, mean over items",
        THESE_EXAMPLES,
        "Compare, Runs, Components",
        "inference.estimate",
        functools.partial(answers.accuracy_trial, population="these examples"),
        ANSWER_CASES,
    ),
    PrintedInterval(
        "paired difference of scores",
        THIS_TASK,
        "Compare (verdicts)",
        "inference.estimate_difference",
        answers.difference_trial,
        ANSWER_CASES,
    ),
    PrintedInterval(
        "paired difference of scores",
        THESE_EXAMPLES,
        "Compare (verdicts)",
        "inference.estimate_difference",
        functools.partial(answers.difference_trial, population="these examples"),
        ANSWER_CASES,
    ),
    *(
        PrintedInterval(
            title,
            THIS_TASK,
            "Compare, Runs, Components",
            "inference.estimate",
            functools.partial(answers.corpus_trial, metric=metric),
            CORPUS_CASES,
        )
        for metric, title in {
            "f1": "macro F1",
            "matthews": "Matthews correlation",
            "bleu": "BLEU (chrF and TER alike)",
            "ratio": "ratio of means",
        }.items()
    ),
    PrintedInterval(
        "number of each seed: loss, exact match, measure",
        THESE_SEEDS,
        "curves, Landscape, Scaling, Attention, Atoms, Images, Toys, sweeps, `runs --json`",
        "comparison.interval",
        seeds.mean_trial,
        NUMBER_CASES,
    ),
    PrintedInterval(
        "paired difference of such numbers",
        THESE_SEEDS,
        "Atoms (orders), Components, Scaling (transfer), Attention (change)",
        "comparison.paired_difference",
        seeds.paired_trial,
        NUMBER_CASES,
    ),
    PrintedInterval(
        "paired difference to a run that hardly varies",
        THESE_SEEDS,
        "Compare, Components, Scaling",
        "comparison.paired_difference",
        seeds.still_trial,
        NUMBER_CASES,
    ),
    PrintedInterval(
        "rank correlation of flatness and score, from 12 runs",
        "other runs",
        "Landscape",
        "flatness.rank_correlation",
        seeds.rank_trial,
        tuple(Case("normal", runs) for runs in (12, 20, 40)),
    ),
    PrintedInterval(
        "share of sentence pairs",
        "other pairs",
        "Models",
        "likelihood.wilson_interval",
        seeds.share_trial,
        tuple(Case("normal", 1, n) for n in ITEM_COUNTS),
        2.0,
    ),
    PrintedInterval(
        "distance to words, band of random exchanges",
        "equal distributions",
        "Scaling",
        "scaling.permutation_test",
        seeds.exchange_trial,
        (Case("normal", 1),),
    ),
    *(
        PrintedInterval(
            title,
            population,
            "Ratings, Compare" if quantity == "score" else "Ratings",
            function,
            functools.partial(raters.rating_trial, quantity=quantity),
            RATER_CASES,
            0.5,
        )
        for quantity, title, population, function in RATED
    ),
    *(
        PrintedInterval(
            measure,
            "other examples" if measure == "Share of unanimous items" else PEOPLE,
            "Ratings",
            "agreement.agreement_statistics",
            functools.partial(raters.agreement_trial, measure=measure),
            RATER_CASES,
            0.5,
        )
        for measure in (
            "Share of unanimous items",
            "Uniform kappa (Randolph)",
            "Fleiss' kappa",
            "Krippendorff's alpha, nominal",
            "Krippendorff's alpha, ordinal",
        )
    ),
    PrintedInterval(
        "Cohen's kappa",
        "other examples",
        "Ratings",
        "agreement.cohen_kappas",
        functools.partial(raters.agreement_trial, measure="Cohen's kappa"),
        PAIR_CASES,
        0.5,
    ),
    PrintedInterval(
        "score by people and a metric",
        "other texts, these raters",
        "Ratings",
        "prediction_powered.powered_mean",
        raters.powered_trial,
        tuple(Case("normal", 1, n) for n in (30, 100)),
    ),
)

NOT_PRINTED = {
    "mean of fewer than 20 seeds that fall into two groups": "how many lie above the gap",
    "difference of two runs, the seeds of one in two groups": "how many lie above the gap",
    "difference of scores by people without any spread": "the difference, and that it has none",
    "standard deviation over seeds (chi-square, 70 to 90 %)": "lowest and highest seed",
    "rank correlation over fewer than 12 runs": "the correlation alone",
    "how steadily images follow atoms (bootstrap of a few seeds)": "range with one seed left out",
    "verdicts of fewer than 10 raters, for other raters": "an interval about these raters",
}
