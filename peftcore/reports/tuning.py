"""How many learning rates each method of a report was tried at, and what the best of k brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peftcore.reports.markup import Cell, Markup, table
from peftcore.reports.styles import RunStyle
from peftcore.reports.text import NO_VALUE, format_value

MOST_TRIES = 6  # columns of the table


@dataclass(frozen=True)
class TriedRates:
    """The tries of one run's method: how many, of what size, and what the best of k brings.

    best: the expected lowest validation loss of the best of 1, 2, … tries; None where all failed.
    """

    run: str
    tries: int
    steps: int
    seeds: int
    best: tuple[float | None, ...]


def tuning_table(tried: Sequence[TriedRates], styles: dict[str, tuple[str, Markup]]) -> str:
    """Tabulate tries and the expected best of k of them; styles: run → name, name with symbol."""
    most = min(MOST_TRIES, max(each.tries for each in tried))
    heads: list[str | Markup] = ["Run", "Rates tried", "Steps", "Seeds"]
    heads += [f"Best of {k}" for k in range(1, most + 1)]
    rows: list[list[Cell | str]] = []
    for each in tried:
        name, label = styles[each.run]
        counts = (each.tries, each.steps, each.seeds)
        row: list[Cell | str] = [Cell(label, name), *(Cell(f"{n:,}", n, "n") for n in counts)]
        best = [*each.best[:most], *[None] * (most - len(each.best))]
        row += [
            Cell(NO_VALUE if loss is None else format_value(loss, ".4f"), loss or "", "n")
            for loss in best
        ]
        rows.append(row)
    caption = (
        "Expected lowest validation loss of the best of k tried learning rates, over all choices "
        "of k. Read methods off at the same k: one that was tried more often looks better."
    )
    return table(heads, rows, caption=caption, sortable=True)


def fewest_in_words(tried: Sequence[TriedRates], names: dict[str, RunStyle]) -> str:
    """Say how many rates each method was tried at."""
    counts = sorted({each.tries for each in tried})
    if len(counts) == 1:
        return f"Learning rates tried for each method: {counts[0]}."
    few = [names[each.run].name for each in tried if each.tries == counts[0]]
    return (
        f"Methods were tried at {counts[0]} to {counts[-1]} learning rates; fewest: "
        f"{', '.join(few)}. What a method tried less often lacks may be tuning."
    )
