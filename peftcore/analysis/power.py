"""How small a difference can be seen with so many seeds and items, and how many it would take.

From the variance components of a paired difference, for a two-sided test at 5 % that finds the
difference four times in five. With seeds alone this is the power of the paired t test. Verdicts
allow for skewed seeds and for seeds in two groups too, which takes some power where seeds are few:
in simulation such a difference is seen in 61 to 69 % with 4 or 5 seeds, 72 to 74 % with 8, and 78
to 81 % with 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from scipy import optimize, special

from peftcore.analysis.inference import Components

LEVEL, TARGET = 0.05, 0.8
MOST_SEEDS, MOST_ITEMS = 1000, 1_000_000
# Of a difference in shares of right answers, where no earlier run says more: seeds differ by 5
# points, items by 20, and single answers by 45 (standard deviations).
ASSUMED = Components(seed=0.05**2, item=0.2**2, rest=0.45**2)


def chance_to_see(difference: float, components: Components, seeds: int, items: int) -> float:
    """Return the power: the probability that a test finds a true difference."""
    error, freedom = _error_and_freedom(components, seeds, items)
    if error == 0:
        return 1.0 if difference else LEVEL
    limit, shift = float(special.stdtrit(freedom, 1 - LEVEL / 2)), abs(difference) / error
    above = 1 - special.nctdtr(freedom, shift, limit)
    below = special.nctdtr(freedom, shift, -limit)
    # Far from zero scipy's noncentral t has no value below; there the chance is none.
    return float(above + (0.0 if math.isnan(below) else below))


def smallest_difference(components: Components, seeds: int, items: int) -> float | None:
    """Return the smallest difference that is seen four times in five; None for a single seed."""
    if seeds < 2 or items < 2:
        return None
    error, _ = _error_and_freedom(components, seeds, items)
    if error == 0:
        return 0.0
    missing = lambda factor: chance_to_see(factor * error, components, seeds, items) - TARGET
    top = 4.0
    while missing(top) < 0:
        top *= 2
    return float(optimize.brentq(missing, 0.0, top, xtol=1e-6)) * error


def seeds_needed(components: Components, difference: float, items: int) -> int | None:
    """Return the fewest seeds, on so many items, that see a difference; None if none do."""
    enough = lambda seeds: chance_to_see(difference, components, seeds, items) >= TARGET
    return _fewest(enough, 2, MOST_SEEDS)


def items_needed(components: Components, difference: float, seeds: int) -> int | None:
    """Return the fewest items, with so many seeds, that show a difference; None if none do."""
    if seeds < 2:
        return None
    enough = lambda items: chance_to_see(difference, components, seeds, items) >= TARGET
    return _fewest(enough, 2, MOST_ITEMS)


def power_in_words(
    components: Components, seeds: int, items: int, difference: float, scale: float
) -> str:
    """Say what can be seen, and what `difference` would take; `scale` turns units to points."""
    seen = smallest_difference(components, seeds, items)
    if seen is None:
        return "With one seed no difference can be seen: train at least two."
    words = f"With {seeds} seeds and {items} items a difference of {scale * seen:.1f} points can "
    words += "be seen (about four times in five)"
    if seen <= difference:
        return f"{words}."
    wanted = f"{scale * difference:g} points"
    more_seeds = seeds_needed(components, difference, items)
    more_items = items_needed(components, difference, seeds)
    needed = ((more_seeds, "seeds"), (more_items, "items"))
    ways = [f"{count:,} {noun}" for count, noun in needed if count is not None]
    if not ways:
        return f"{words}; for {wanted} it takes both more seeds and more items."
    return f"{words}; for {wanted} take {' or '.join(ways)}."


def _error_and_freedom(components: Components, seeds: int, items: int) -> tuple[float, float]:
    """Return the expected standard error of a mean and its degrees of freedom (Satterthwaite)."""
    by_seed = items * components.seed + components.rest
    by_item = seeds * components.item + components.rest
    rest = components.rest
    terms = [
        (by_seed, seeds - 1.0, by_seed > rest),
        (by_item, items - 1.0, by_item > rest),
        (rest, (seeds - 1.0) * (items - 1.0), (by_seed > rest) == (by_item > rest)),
    ]
    total = max(0.0, by_seed - rest) + max(0.0, by_item - rest) + rest
    below = sum(square**2 / free for square, free, counts in terms if counts and free > 0)
    return components.error(seeds, items), total**2 / below if below > 0 else seeds - 1.0


def _fewest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Return the smallest number from which something is enough, by bisection."""
    high = least
    while not enough(high):
        high *= 2
        if high > most:
            return None
    low = max(least - 1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def mean_components(parts: Sequence[Components]) -> Components:
    """Return the mean of the variance components of several differences."""
    return Components(
        *(fmean(getattr(p, name) for p in parts) for name in ("seed", "item", "rest"))
    )
