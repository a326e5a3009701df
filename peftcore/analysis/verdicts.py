"""Verdicts on pairs of runs: ahead, behind, equal within a margin, or cannot tell.

"Ahead" and "behind" need a difference that is significant, "equal" one that is significantly
within the margin on both sides (two one-sided tests, Schuirmann 1987); where neither holds, the
data cannot tell, and the verdict is that. Holm's correction counts all pairs that are shown, once
for the tests of a difference and once for those of equality.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy import special

from peftcore.analysis import few_seeds
from peftcore.analysis.inference import (
    ANY_VALUE,
    Estimate,
    Population,
    SeedItemTable,
    estimate_difference,
)

Verdict = Literal["ahead", "behind", "equal", "cannot tell"]
LEVEL = 0.05
DEFAULT_MARGIN = 0.02  # of the metric's range: two points of 100
VERDICT_COLUMNS = [
    *("first", "second", "difference", "low", "high", "error", "p", "holm"),
    *("equal_p", "equal_holm", "verdict", "seeds", "items", "reason"),
]


@dataclass(frozen=True)
class PValues:
    """p of no difference, and p of a difference of at least the margin; None without an error."""

    different: float | None
    equal: float | None


def p_values(found: Estimate, margin: float) -> PValues:
    """Test an estimated difference against zero (two-sided) and against the margin (both sides).

    margin: the largest difference that counts as none, in the metric's unit, above zero.
    """
    if not margin > 0:
        raise ValueError(f"a margin of {margin}; it must be above zero")
    if found.mean is None or found.error is None or found.freedom is None:
        return PValues(None, None)
    if found.error == 0:  # every seed and item agrees; without spread nothing can be chance
        return PValues(float(found.mean == 0), float(abs(found.mean) >= margin))
    different = 2 * min(_tails(found, 0.0))
    equal = max(_tails(found, -margin)[0], _tails(found, margin)[1])
    return PValues(min(different, 1.0), equal)


def _tails(found: Estimate, truth: float) -> tuple[float, float]:
    """Return p of a mean this far above a truth, and of one this far below.

    Both judge skewness as limits do: a truth outside them has a p below 0.025.
    """
    assert found.mean is not None
    assert found.error is not None
    assert found.freedom is not None
    error = few_seeds.without_skew((found.mean - truth) / found.error, found.skewness)
    above, below = special.stdtr(found.freedom, (-error, error))
    return float(above), float(below)


def choose_verdict(
    difference: float | None,
    different_p: float | None,
    equal_p: float | None,
    lowest_first: bool = False,
) -> Verdict:
    """Return the verdict on a second run against the first, from corrected p values.

    A difference within the margin for sure is "equal" even if it is significant: it is too
    small to matter. `lowest_first` is for metrics that are better when lower.
    """
    if equal_p is not None and equal_p < LEVEL:
        return "equal"
    if difference is None or different_p is None or different_p >= LEVEL:
        return "cannot tell"
    return "ahead" if (difference > 0) != lowest_first else "behind"


def limits_verdict(
    low: float | None, high: float | None, margin: float, lowest_first: bool = False
) -> Verdict:
    """Return the verdict that the 95 % limits of a difference allow; none without limits."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "cannot tell"
    if -margin < low and high < margin:
        return "equal"
    if low <= 0 <= high:
        return "cannot tell"
    return "ahead" if (low > 0) != lowest_first else "behind"


def pair_verdicts(
    tables: Mapping[str, SeedItemTable],
    margin: float,
    population: Population = "this task",
    *,
    within: tuple[float, float] = ANY_VALUE,
    lowest_first: bool = False,
    pairs: Iterable[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Judge second against first for every pair of runs, or for the given ones; VERDICT_COLUMNS.

    within: smallest and largest difference that there can be, where limits end.
    """
    chosen = list(itertools.combinations(tables, 2)) if pairs is None else list(pairs)
    found = [
        estimate_difference(tables[one], tables[other], population, within) for one, other in chosen
    ]
    tests = [p_values(each, margin) for each in found]
    different = holm([each.different for each in tests])
    equal = holm([each.equal for each in tests])
    rows = []
    for (one, other), each, test, p, equal_p in zip(
        chosen, found, tests, different, equal, strict=True
    ):
        verdict = choose_verdict(each.mean, p, equal_p, lowest_first)
        limits = (each.mean, each.low, each.high, each.error, test.different, p)
        counts = (each.seeds, each.items, each.reason)
        rows.append((one, other, *limits, test.equal, equal_p, verdict, *counts))
    frame = pd.DataFrame(rows, columns=VERDICT_COLUMNS)
    numbers = ["difference", "low", "high", "error", "p", "holm", "equal_p", "equal_holm"]
    return frame.astype(dict.fromkeys(numbers, float))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Correct p values after Holm (1979), in the given order; missing ones stay missing."""
    known = [i for i, p in enumerate(ps) if p is not None and not math.isnan(p)]
    corrected: list[float | None] = [None] * len(ps)
    so_far = 0.0
    for rank, i in enumerate(sorted(known, key=lambda i: ps[i] or 0.0)):
        so_far = max(so_far, min(1.0, (ps[i] or 0.0) * (len(known) - rank)))
        corrected[i] = so_far
    return corrected
