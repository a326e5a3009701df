"""Pareto fronts that are not certain: how probable it is that a run is on the front.

Seeds and items are resampled with replacement, the same for every run and both values, so that
what runs share drops out. A bootstrap of few seeds is too narrow by √(S / (S − 1)), which is made
up for; costs that are one number per run stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from peftcore.analysis.inference import Population, SeedItemTable
from peftcore.analysis.resampling import Array, draw_counts

DRAWS = 1000


def draw_means(
    tables: Mapping[str, SeedItemTable],
    population: Population = "this task",
    draws: int = DRAWS,
    number: int = 0,
) -> dict[str, Array]:
    """Return for each run its mean in every draw, (b,); runs with equal items share their draws."""
    weights: dict[Hashable, Array] = {}
    found = {}
    for run, table in tables.items():
        values = table.influence()  # (s, i)
        seeds, items = values.shape
        if seeds not in weights:
            rng = np.random.default_rng([number, seeds])
            weights[seeds] = draw_counts(seeds, draws, rng) / seeds
        means = weights[seeds] @ values  # (b, i)
        if population == "this task" and items > 1:
            if table.items not in weights:
                rng = np.random.default_rng([number, seeds, items])
                weights[table.items] = draw_counts(items, draws, rng) / items
            drawn = (means * weights[table.items]).sum(1)
        else:
            drawn = means.mean(1)
        middle = float(values.mean())
        found[run] = middle + (drawn - middle) * math.sqrt(seeds / max(seeds - 1, 1))
    return found


def chances_on_front(gains: Array, costs: Array) -> Array:
    """Return for each run (r,) the share of draws in which no other dominates it.

    gains: (b, r), larger is better. costs: (b, r) or (r,), smaller is better. Runs without a value
    are never on the front.
    """
    costs = np.broadcast_to(costs, gains.shape)
    known = np.isfinite(gains) & np.isfinite(costs)
    up, down = np.where(known, gains, -np.inf), np.where(known, costs, np.inf)
    as_good = (up[:, None, :] >= up[:, :, None]) & (down[:, None, :] <= down[:, :, None])
    better = (up[:, None, :] > up[:, :, None]) | (down[:, None, :] < down[:, :, None])
    return (known & ~(as_good & better).any(2)).mean(0)


def stack(drawn: Mapping[str, Array], runs: Sequence[str]) -> Array:
    """Return draws (b, r) in the order of runs; a run without draws has no values."""
    count = max((len(each) for each in drawn.values()), default=1)
    gap = np.full(count, np.nan)
    return np.stack([drawn.get(run, gap) for run in runs], axis=1)
