"""Learning rates measured on bases of another size than those that methods were made on.

A method's own rates (`Adapter.learning_rate`) were measured on bases of a few million numbers. Here
stand those of larger ones. All rates of a row are the best of equally many, by dev loss alone:

    python -m peftcore lr-search --base smollm2-135m --task comve --method METHOD --seeds 1 \\
        --shots 48 --steps 24 --set batch=4 --set dev=16 --set evaluate_every=8 --rates FIVE,RATES

A spec keeps the rate it was built with; nothing here changes a run that exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LARGE_BASE = 50_000_000  # numbers in a base from which it counts as large


@dataclass(frozen=True)
class MeasuredRates:
    """Learning rates by method, and where and how they were measured."""

    measured_on: str  # base, task and steps, in words
    kinds: frozenset[str]  # kinds of base that they hold for
    at_least: int  # numbers in the base that they hold from
    tries: int  # rates tried for each method
    rates: Mapping[str, float]


# The rows that were measured on the larger bases come first. Methods that a row lacks, and bases
# that no row fits, have the method's own rate.
MEASURED: tuple[MeasuredRates, ...] = (
    MeasuredRates(
        measured_on="smollm2-135m, ComVE, 48 examples, 24 steps of 4, 1 seed",
        kinds=frozenset({"decoder"}),
        at_least=LARGE_BASE,
        tries=5,
        rates={"lora": 0.005, "prompt_tuning": 0.1, "spt": 0.1},
    ),
)


def find_rate(
    method: str, kind: str, parameters: int, table: tuple[MeasuredRates, ...] = MEASURED
) -> float | None:
    """Return the rate measured for a method on bases of this kind and size, None if there is none.

    parameters: the numbers in the base.
    """
    fitting = (
        row.rates[method]
        for row in table
        if kind in row.kinds and parameters >= row.at_least and method in row.rates
    )
    return next(fitting, None)
