"""How much each method was tuned: learning rates tried for it, as far as runs are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from peftcore.analysis.comparability import Comparable


def count_rates(runs: Sequence[Comparable], kept: Iterable[Comparable]) -> dict[str, int]:
    """Return run id → number of learning rates tried for its method on its base and task.

    kept: all runs of the store, short ones of a search included. A comparison in which one method
    had more tries than another favours it.
    """
    rates: dict[tuple[str, str, str], set[float | None]] = {}
    for run in (*runs, *kept):
        subject = (run.spec.base, run.spec.task, run.spec.method)
        rates.setdefault(subject, set()).add(run.spec.training.learning_rate)
    return {run.id: len(rates[run.spec.base, run.spec.task, run.spec.method]) for run in runs}


def tries_in_words(tries: Mapping[str, int], names: Mapping[str, str]) -> str:
    """Return in a sentence how many learning rates each run's method had."""
    counts = sorted(set(tries.values()))
    if len(counts) == 1:
        noun = "learning rate" if counts == [1] else "learning rates"
        return f"Each method was tried with {counts[0]} {noun} in the runs that are kept."
    parts = [f"{names[run]} {count}" for run, count in tries.items()]
    return (
        f"Learning rates tried in the runs that are kept: {', '.join(parts)}; "
        "a method with more tries has an advantage."
    )
