"""Count how often intervals cover, and write what was found as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from peftcore.analysis.coverage.catalog import INTERVALS, NOT_PRINTED, PrintedInterval
from peftcore.analysis.coverage.shapes import SHAPES, Case
from peftcore.analysis.few_seeds import MANY_SEEDS

DRAWS = 300
LOWEST = 0.93  # of draws with an interval that shall be covered
WIDEST = 0.985  # more of them, with normal seeds, and an interval is needlessly wide
CLOSE = 0.01  # so near to a limit, a case is drawn MORE times as often
MORE = 4
FEWEST = 50  # draws with an interval; fewer are no share


@dataclass(frozen=True)
class Coverage:
    """Counts of the draws of a case: all, with an interval, and with one that covers."""

    draws: int
    printed: int
    covered: int

    @property
    def share(self) -> float | None:
        """Return the share of printed intervals that cover, None where none was printed."""
        return self.covered / self.printed if self.printed else None


def simulate(printed: PrintedInterval, case: Case, draws: int, number: int = 0) -> Coverage:
    """Draw a case again and again; equal numbers give equal draws."""
    rng = np.random.default_rng(number)
    outcomes = [printed.trial(rng, case) for _ in range(draws)]
    known = [outcome for outcome in outcomes if outcome is not None]
    return Coverage(draws, len(known), sum(known))


def simulate_case(printed: PrintedInterval, case: Case, number: int, draws: int) -> Coverage:
    """Draw a case, of many seeds twice as often, of few more often if it comes close to a limit.

    number: of the case, by which it is drawn.
    """
    many = case.seeds >= MANY_SEEDS
    count = max(2, round(draws * printed.share)) * (2 if many else 1)
    found = simulate(printed, case, count, number)
    if not many and is_close(asdict(found) | asdict(case)):
        found = simulate(printed, case, MORE * count, number)
    return found


def simulate_all(
    draws: int = DRAWS, report: Callable[[str], None] = lambda line: None
) -> list[dict[str, Any]]:
    """Return a row for each interval and case: interval, population, the case, draws and counts."""
    rows = []
    for printed in INTERVALS:
        report(f"{printed.name}: {len(printed.cases)} cases")
        for number, case in enumerate(printed.cases):
            found = simulate_case(printed, case, number, draws)
            names = {"interval": printed.name, "population": printed.population}
            rows.append(names | asdict(case) | asdict(found))
    return rows


def coverage_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of the analysis README from the rows of `simulate_all`."""
    return "\n".join([*_overview(rows), "", *_seeds_table(rows), "", *_not_printed()])


def _overview(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield every interval with its smallest and largest coverage by shape of seeds."""
    yield "| interval | speaks of | shown on | computed by | " + " | ".join(SHAPES) + " |"
    yield "| --- | --- | --- | --- |" + " --- |" * len(SHAPES)
    for printed in INTERVALS:
        own = [row for row in rows if _is_of(row, printed)]
        cells = [_range_text([row for row in own if row["shape"] == shape]) for shape in SHAPES]
        head = (printed.name, printed.population, printed.shown, f"`{printed.function}`")
        yield f"| {' | '.join((*head, *cells))} |"


def _is_of(row: Mapping[str, Any], printed: PrintedInterval) -> bool:
    """Return whether a row is about an interval."""
    return (row["interval"], row["population"]) == (printed.name, printed.population)


def _seeds_table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield coverage by number of seeds, for the intervals that are about seeds."""
    counts = sorted({row["seeds"] for row in rows if row["shape"] == "two groups"})
    yield f"| interval | speaks of | seeds | {' | '.join(f'{n} seeds' for n in counts)} |"
    yield "| --- | --- | --- |" + " --- |" * len(counts)
    for printed in INTERVALS:
        own = [row for row in rows if _is_of(row, printed)]
        shapes = [s for s in SHAPES if any(row["shape"] == s for row in own)]
        if len(shapes) > 1:
            for shape in shapes:
                of_shape = [row for row in own if row["shape"] == shape]
                cells = [_range_text([r for r in of_shape if r["seeds"] == n]) for n in counts]
                yield f"| {' | '.join((printed.name, printed.population, shape, *cells))} |"


def is_below(row: Mapping[str, Any]) -> bool:
    """Return whether a case covers less than it shall, by more than chance in its draws."""
    printed = row["printed"]
    if printed < FEWEST:
        return False
    slack = 1.96 * float(np.sqrt(LOWEST * (1 - LOWEST) / printed))
    return bool(row["covered"] / printed < LOWEST - slack)


def is_wide(row: Mapping[str, Any]) -> bool:
    """Return whether a case of normal seeds covers more than it needs to, by more than chance."""
    printed = row["printed"]
    if row["shape"] != "normal" or printed < FEWEST:
        return False
    slack = 1.96 * float(np.sqrt(WIDEST * (1 - WIDEST) / printed))
    return bool(row["covered"] / printed > WIDEST + slack)


def is_close(row: Mapping[str, Any]) -> bool:
    """Return whether a case's coverage lies near or past a limit, so that more draws decide."""
    share = row["covered"] / row["printed"] if row["printed"] >= FEWEST else 1.0
    wide = row["shape"] == "normal" and share > WIDEST - CLOSE / 2
    return bool(share < LOWEST + CLOSE or wide)


def _range_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the smallest and largest coverage of rows, and how often an interval is printed."""
    shares = [row["covered"] / row["printed"] for row in rows if row["printed"] >= FEWEST]
    if not shares:
        return "–"
    low, high = min(shares), max(shares)
    text = (
        f"{100 * low:.0f}"
        if round(100 * low) == round(100 * high)
        else (f"{100 * low:.0f}–{100 * high:.0f}")
    )
    if any(map(is_below, rows)):
        text = f"**{text}**"
    printed = sum(row["printed"] for row in rows) / sum(row["draws"] for row in rows)
    return text if printed > 0.985 else f"{text}, printed {100 * printed:.0f}"


def _not_printed() -> Iterator[str]:
    """Yield what has no interval, and what stands in its place."""
    yield "| not printed | instead |"
    yield "| --- | --- |"
    for name, instead in NOT_PRINTED.items():
        yield f"| {name} | {instead} |"
