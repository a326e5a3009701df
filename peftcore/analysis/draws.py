"""How far the training samples of two seeds overlap: intervals say nothing about what they share.

A seed draws k rows of the training split without replacement, all labels equally often where there
are enough (`Task.sample_balanced`), so two seeds share k²/N rows of a label with N rows on average.
"""

from __future__ import annotations

from collections.abc import Sequence

NOTABLE = 0.2  # share from which an overlap is worth a sentence


def balanced_counts(k: int, sizes: Sequence[int]) -> list[int]:
    """Return how many of k rows are drawn from each label, one of each in turn while there are any.

    ValueError if there are fewer than k.
    """
    if k > sum(sizes):
        raise ValueError(f"{k} rows of {sum(sizes)}")
    counts = [0] * len(sizes)
    left = k
    while left:
        for label, size in enumerate(sizes):
            if left and counts[label] < size:
                counts[label] += 1
                left -= 1
    return counts


def expected_overlap(k: int, sizes: Sequence[int]) -> float:
    """Return the share of a seed's k training rows that another seed has too, on average.

    sizes: rows of each label in the training split; of all rows where there are no labels.
    """
    counts = balanced_counts(k, sizes)
    shared = sum(count * count / size for count, size in zip(counts, sizes, strict=True) if size)
    return shared / k
