"""What a constant answer reaches when counting digits: the baseline of the histogram task."""

from __future__ import annotations

import math

from peftcore.labs.toys.recipes import DIGITS


def constant_answer(length: int) -> float:
    """Return the share of inputs that the best constant answer gets right when counting.

    Exact, over all inputs with the weights they are drawn with.  The answer to an input lists how
    often each digit occurs, so one constant list fits every input whose list is that one.
    """
    best, total_weight = 0.0, 0.0
    half = length // 2
    for sizes in _partitions(length, length, DIGITS):
        digits = math.perm(DIGITS, len(sizes))
        for same in set(sizes):
            digits //= math.factorial(sizes.count(same))
        orderings = math.factorial(length)
        for size in sizes:
            orderings //= math.factorial(size)
        weight = digits * orderings * (0.5 if len(sizes) > half else 1.0)
        total_weight += weight
        # The list is constant only if every digit occurs equally often; otherwise it depends on
        # where the digits stand, and every arrangement of the list is a different answer.
        arrangements = math.factorial(length)
        for size in set(sizes):
            arrangements //= math.factorial(size * sizes.count(size))
        best = max(best, weight / arrangements)
    return best / total_weight


def _partitions(total: int, largest: int, max_parts: int) -> list[tuple[int, ...]]:
    """List the ways to write a number as a sum of at most `parts` numbers up to `largest`."""
    if total == 0:
        return [()]
    if max_parts == 0:
        return []
    return [
        (first, *rest)
        for first in range(min(total, largest), 0, -1)
        for rest in _partitions(total - first, first, max_parts - 1)
    ]
