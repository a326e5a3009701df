"""The goals of the benchmarks: what each file should show, and whether its worst row does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """A limit on one number of a benchmark's rows, of which the worst counts.

    value: of a row, None where the goal is not about it.  at_most: else the limit is a least value.
    busy_limit: the limit beside a process that computes all the time; None without such a goal.
    """

    benchmark: str
    text: str
    limit: float
    value: Callable[[Mapping[str, Any]], float | None]
    at_most: bool = False
    unit: str = "×"
    busy_limit: float | None = None

    def worst(self, rows: Rows) -> tuple[float, Mapping[str, Any]] | None:
        """Return the worst value and its row; None if the goal is about none of them."""
        found = [(value, row) for row in rows if (value := self.value(row)) is not None]
        if not found:
            return None
        return (max if self.at_most else min)(found, key=lambda pair: pair[0])

    def met(self, value: float) -> bool:
        """Return whether a value is within the limit."""
        return value <= self.limit if self.at_most else value >= self.limit


def _when(name: str, **wanted: Any) -> Callable[[Mapping[str, Any]], float | None]:
    """Return the reader of a number, or of its median, in rows with these values."""

    def read(row: Mapping[str, Any]) -> float | None:
        """Return the number; None in another row."""
        if any(row.get(key) != value for key, value in wanted.items()) or name not in row:
            return None
        value = row[name]
        return float(value["median"] if isinstance(value, Mapping) else value)

    return read


def _click(row: Mapping[str, Any]) -> float | None:
    """Return the milliseconds of an action that is not the first of its kind."""
    first = any(words in row["action"] for words in ("first paint", "first time", "the floor"))
    return None if first else float(row["median_ms"])


def _first_paint(benchmark: str, circumstances: str = "") -> Goal:
    """Return the goal of how soon a new server shows its first page."""
    action = "first paint of a new server"
    value = _when("median_ms", action=action)
    return Goal(benchmark, action + circumstances, 3000.0, value, at_most=True, unit=" ms")


GOALS = (
    Goal(
        "seeds",
        "16 seeds in one pass against the peft package, wall time",
        3.0,
        _when("ratio_vs_peft", seeds=16, base="tiny-t5"),
        busy_limit=2.0,
    ),
    Goal(
        "seeds",
        "16 seeds in one pass against the peft package, processor time",
        1.8,
        _when("processor_ratio_vs_peft", seeds=16, base="tiny-t5"),
    ),
    Goal("deep", "training of the top layers, whole passes", 1.7, _when("whole", what="training")),
    Goal("deep", "training of the top layers, peft package", 2.2, _when("peft", what="training")),
    Goal("deep", "points of the top layers, whole passes", 2.5, _when("whole", what="66 points")),
    Goal(
        "step",
        "a step against forward and backward of the frozen model",
        1.15,
        _when("times_the_floor"),
        at_most=True,
    ),
    Goal(
        "generate",
        "16 adapters that answer together against one by one",
        2.0,
        _when("times_faster", adapters=16),
    ),
    Goal(
        "landscape",
        "points of a landscape, stacked in half precision, against one by one",
        4.0,
        _when("faster", way="stacked, half precision"),
    ),
    Goal("app", "a click or a switch of pages", 500.0, _click, at_most=True, unit=" ms"),
    _first_paint("app"),
    Goal(
        "store",
        "a switch of pages with 2,000 runs",
        500.0,
        _when("median_ms", action="switch to it, and back home"),
        at_most=True,
        unit=" ms",
    ),
    _first_paint("store", " with 2,000 runs"),
    Goal(
        "store",
        "memory of a server with 20 visitors and 2,000 runs",
        1024.0,
        _when("memory_mib", action="20 visitors at once"),
        at_most=True,
        unit=" MiB",
    ),
    Goal(
        "sweeps",
        "a state for each cell of a sweep",
        1.0,
        _when("ms_a_cell", what="status: a state for each"),
        at_most=True,
        unit=" ms a cell",
    ),
    Goal("compare", "a click on Compare under size", 500.0, _click, at_most=True, unit=" ms"),
)


def goal_rows(read: Callable[[str], Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, ...]]:
    """Yield goal, limit, the worst that was measured and where, and whether it is met.

    read: name of a benchmark → its measurements, none if it was not measured.
    """
    for goal in GOALS:
        rows = [row for measured in read(goal.benchmark) for row in measured["rows"]]
        limit = _limit_in_words(goal)
        worst = goal.worst(rows)
        if worst is None:
            yield goal.text, limit, "", "not measured"
            continue
        value, row = worst
        yield goal.text, limit, _in_words(goal, value, row), _verdict(goal, value)


def busy_cells(read: Callable[[str], Sequence[Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Yield for each goal the worst that was measured beside a busy process, and the verdict."""
    for goal in GOALS:
        worst = goal.worst([row for measured in read(goal.benchmark) for row in measured["rows"]])
        if worst is None:
            yield "", ""
            continue
        words = _in_words(goal, *worst)
        if goal.busy_limit is None:
            yield words, ""
            continue
        of_busy = replace(goal, limit=goal.busy_limit)
        yield words, f"{_verdict(of_busy, worst[0])} ({_limit_in_words(of_busy)})"


def _in_words(goal: Goal, value: float, row: Mapping[str, Any]) -> str:
    """Return a value and where it was measured."""
    names = ("base", "method", "what", "page", "action", "prefixes")
    where = ", ".join(str(row[name]) for name in names if row.get(name))
    form = ".0f" if goal.unit == " ms" else ".2f"
    return f"{value:{form}}{goal.unit} ({where})"


def _limit_in_words(goal: Goal) -> str:
    """Return the limit with its direction and unit."""
    return f"{'≤' if goal.at_most else '≥'} {goal.limit:g}{goal.unit}"


def _verdict(goal: Goal, value: float) -> str:
    """Return whether a value is within the limit, in words."""
    return "met" if goal.met(value) else "not met"
