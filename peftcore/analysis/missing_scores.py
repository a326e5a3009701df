"""Seeds whose score is no number: named wherever a mean of the others is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from peftcore.analysis.run_tables import ScoredRun

MOST_NAMED = 6  # seeds


def missing_seeds(run: ScoredRun, metric: str) -> list[int]:
    """List the seeds of a run whose score of a metric is infinite or no number."""
    values = run.scores().get(metric, [])
    numbers = run.spec.population.seed_numbers()
    return [n for n, value in zip(numbers, values, strict=False) if not math.isfinite(value)]


def missing_in_words(
    runs: Sequence[ScoredRun], metrics: Sequence[str], names: Mapping[str, str] | None = None
) -> list[str]:
    """Say of each run which seeds have no number; metrics that lack the same ones share a sentence.

    names: run → what it is called; its id where it is missing.
    """
    sentences = []
    for run in runs:
        lacking: dict[tuple[int, ...], list[str]] = {}
        for metric in metrics:
            lacking.setdefault(tuple(missing_seeds(run, metric)), []).append(metric)
        lacking.pop((), None)
        sentences += [
            _sentence((names or {}).get(run.id, run.id), seeds, which, run)
            for seeds, which in lacking.items()
        ]
    return sentences


def _sentence(name: str, seeds: Sequence[int], metrics: Sequence[str], run: ScoredRun) -> str:
    """Say which seeds of a run have no number in some metrics."""
    of, which = run.spec.population.seeds, ", ".join(metrics)
    if len(seeds) == of:
        return f"{name}: {which} is no number for any of its {of} seeds"
    listed = ", ".join(map(str, seeds[:MOST_NAMED])) + (" …" if len(seeds) > MOST_NAMED else "")
    return (
        f"{name}: {which} is no number for {len(seeds)} of {of} seeds ({listed}), so its mean is "
        "that of the others"
    )
