"""What a run forgot, with an interval that speaks of other seeds and of other texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from peftcore.analysis import inference
from peftcore.analysis.inference import Estimate, Population, SeedItemTable
from peftcore.analysis.resampling import Array
from peftcore.metrics.scores import metric_range
from peftcore.runs.forgetting import LOSS, Forgetting


@dataclass(frozen=True)
class ForgettingEstimate:
    """One measure before and after training, and the change that counts as forgetting.

    before and after: loss in nats per token, or share of pairs. change: with its interval; above
    zero something was forgotten. seeds: the change of each.
    """

    before: float
    after: float
    change: Estimate
    seeds: list[float]


def forgetting_table(found: Forgetting, measure: str, seeds: Sequence[int]) -> SeedItemTable:
    """Return the change of every text or pair for every seed that has a value."""
    before, after = _values(found, measure)
    rises = (after - before) * (1 if measure == LOSS else -1)  # (s, n)
    finite = [bool(np.isfinite(row).all()) for row in rises]
    numbers = tuple(n for n, has_value in zip(seeds, finite, strict=True) if has_value)
    items = tuple(f"{number}" for number in range(len(before)))
    return SeedItemTable(numbers, items, rises[finite][..., None])


def estimate_forgetting(
    found: Forgetting, seeds: Sequence[int], population: Population = "this task"
) -> dict[str, ForgettingEstimate]:
    """Return measure → estimate; "this task" stands for other texts of the same source."""
    estimates = {}
    for measure, values in found.seed_values().items():
        before, after = _values(found, measure)
        table = forgetting_table(found, measure, seeds)
        estimates[measure] = ForgettingEstimate(
            fmean(before.tolist()),
            float(np.nanmean(after)) if np.isfinite(after).any() else float("nan"),
            inference.estimate(table, population, metric_range(measure)),
            values,
        )
    return estimates


def _values(found: Forgetting, measure: str) -> tuple[Array, Array]:
    """Return the values of a measure before (n,) and after (s, n)."""
    if measure == LOSS:
        return np.array(found.base_loss), np.array(found.loss)
    return np.array(found.base_right), np.array(found.right)
