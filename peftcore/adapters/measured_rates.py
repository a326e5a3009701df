"""Learning rates measured on bases of another size than those that methods were made on.

A method's own rates (`Adapter.learning_rate`) were measured on bases of a few million numbers. Here
stand those of larger ones. All rates of a row are the best of equally many, by dev loss alone:

    python -m peftcore lr-search --base smollm2-135m --task comve --method METHOD --seeds 1 \\
        --shots 48 --steps 24 --set batch=4 --set dev=16 --set evaluate_every=8 \\
        --set first_layer=20 --rates FIVE,RATES

(prompts have no `first_layer`: they enter below the first). A spec keeps the rate it was built
with; nothing here changes a run that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LARGE_BASE = 50_000_000  # numbers in a base from which it counts as large
Losses = Mapping[float, float | None]  # rate → dev loss, None where it never fell below the base's


@dataclass(frozen=True)
class MeasuredRates:
    """Learning rates by method, and where and how they were measured."""

    measured_on: str  # base, task and steps, in words
    kinds: frozenset[str]  # kinds of base that they hold for
    at_least: int  # numbers in the base that they hold from
    losses: Mapping[str, Losses]  # method → what each try came to

    @property
    def rates(self) -> dict[str, float]:
        """Return method → the rate of the lowest dev loss."""
        return {method: best_rate(losses) for method, losses in self.losses.items()}


def best_rate(losses: Losses) -> float:
    """Return the rate of the lowest dev loss; ValueError if no rate learnt."""
    return min((loss, rate) for rate, loss in losses.items() if loss is not None)[1]


# The rows that were measured on the larger bases come first. Methods that a row lacks, and bases
# that no row fits, have the method's own rate.
MEASURED: tuple[MeasuredRates, ...] = (
    MeasuredRates(
        measured_on="smollm2-135m, ComVE, 48 examples, 24 steps of 4, 1 seed, layers 20 to 29",
        kinds=frozenset({"decoder"}),
        at_least=LARGE_BASE,
        losses={
            "lora": {0.0005: 3.18, 0.0015: 2.05, 0.005: 1.82, 0.015: 1.92, 0.05: None},
            "prefix_tuning": {0.005: 3.30, 0.02: 2.37, 0.1: 1.90, 0.3: 1.97, 1.0: 3.17},
            "prompt_tuning": {0.003: 3.74, 0.01: 3.39, 0.03: 2.75, 0.1: 2.18, 0.3: 2.25},
            "spt": {0.003: 3.73, 0.01: 3.38, 0.03: 2.71, 0.1: 2.18, 0.3: 2.33},
            "ia3": {0.005: 2.64, 0.015: 2.05, 0.05: 1.97, 0.15: 2.33, 0.5: 3.55},
            "atoms": {0.0003: 3.50, 0.001: 2.14, 0.003: 1.84, 0.01: 1.87, 0.03: 2.22},
            "sparsefit": {0.00002: 3.60, 0.0001: 3.14, 0.0005: 2.07, 0.002: 1.91, 0.006: 1.91},
        },
    ),
)
# Tries of a variant of a method, whose rate a run on it names; made in the same way.
PREFIX_FROM_TEXT: Losses = {0.005: 3.40, 0.02: 2.39, 0.1: 1.84, 0.3: 1.87, 1.0: 2.45}


def find_rate(
    method: str, kind: str, parameters: int, table: tuple[MeasuredRates, ...] = MEASURED
) -> float | None:
    """Return the rate measured for a method on bases of this kind and size, None if there is none.

    parameters: the numbers in the base.
    """
    fitting = (
        row.rates[method]
        for row in table
        if kind in row.kinds and parameters >= row.at_least and method in row.losses
    )
    return next(fitting, None)


@dataclass(frozen=True)
class RateSearch:
    """Tries of a rate for one run, which names the best: nobody else's default.

    tries: rate → share of dev labels right and dev loss, at the step that was kept.
    """

    method: str
    vertices: int
    tries: Mapping[float, tuple[float, float]]

    @property
    def best(self) -> float:
        """Return the rate with most dev labels right, the loss breaking ties."""
        return min(self.tries, key=lambda rate: (-self.tries[rate][0], self.tries[rate][1]))


# For the demo runs on miniworld_claims, tiny-t5, as they are but for 200 steps at most and one seed
# (the first): equally many tries for each, a factor of three to both sides of the method's rate.
CLAIMS_BASE, CLAIMS_TASK = "tiny-t5", "miniworld_claims"
CLAIMS_SEARCHES: tuple[RateSearch, ...] = (
    RateSearch("prompt_tuning", 1, {0.3: (1.0, 0.021), 1: (0.9792, 0.0406), 3: (0.9375, 0.0397)}),
    RateSearch("spt", 1, {0.3: (1.0, 0.0237), 1: (0.9792, 0.0315), 3: (0.9375, 0.0423)}),
    RateSearch(
        "prefix_tuning", 1, {0.015: (0.9792, 0.06), 0.05: (0.9792, 0.0163), 0.15: (0.9792, 0.0478)}
    ),
    RateSearch(
        "prefix_tuning",
        3,
        {0.015: (0.0042, 0.1555), 0.05: (0.9792, 0.0147), 0.15: (0.9792, 0.0208)},
    ),
    RateSearch("lora", 1, {0.0015: (1.0, 0.0212), 0.005: (1.0, 0.0208), 0.015: (1.0, 1.0569)}),
    RateSearch("atoms", 1, {0.003: (1.0, 0.0056), 0.01: (1.0, 0.0071), 0.03: (0.9792, 0.3586)}),
)


def find_search(
    base: str, task: str, method: str, vertices: int, rate: float | None
) -> RateSearch | None:
    """Return the search that a run's rate is from; None if it is from none that is kept here."""
    if (base, task) != (CLAIMS_BASE, CLAIMS_TASK):
        return None
    found = (s for s in CLAIMS_SEARCHES if (s.method, s.vertices) == (method, vertices))
    return next((each for each in found if each.best == rate), None)
