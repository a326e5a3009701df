"""What scores by people say, in words: which method is ahead, and that a handful tells nothing.

Page, command line and report take their sentences from here. Differences are in points of 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from peftcore.analysis.clustered import FEWEST_RATERS
from peftcore.analysis.verdicts import DEFAULT_MARGIN


def population_in_words(examples: int, raters: int) -> str:
    """Say whom an interval speaks of, and by how many it is known."""
    about = count(examples, "example")
    if raters == 1:
        return f"other examples, from {about}; one rater says nothing about other people"
    if raters < FEWEST_RATERS:
        return f"other examples and these {raters} raters, from {about}"
    return f"other examples and raters, from {about} and {raters} raters"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it takes one."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def best_in_words(
    table: pd.DataFrame, differences: pd.DataFrame, names: Mapping[str, str], by: str = "source"
) -> str:
    """Say which score is best, whether it is ahead of the next, and by how much.

    table: rows of `score_methods`, best first. differences: those of `score_differences` to the
    second, which a single row does not need. Nobody is best by a tie, nor by one example each.
    """
    best = table.iloc[0]
    name, mean = names[best[by]], f"{best['mean']:.2f}"
    if len(table) < 2:
        return f"{name} scores {mean}{_limits(best)}; {_rests_on(best)}."
    second = table.iloc[1]
    other = names[second[by]]
    difference = differences.set_index(by).loc[best[by]]
    size = _difference_in_words(difference)
    if difference["verdict"] == "ahead":
        return f"{name}, {mean}{_limits(best)}, is ahead of the second, {other}, by {size}."
    if difference["verdict"] == "equal":
        margin = f"{100 * DEFAULT_MARGIN:g}"
        return f"{name} and {other} are equal within {margin} points: {size}."
    if difference["difference"] == 0:
        tied = [names[row[by]] for _, row in table.iterrows() if row["mean"] == best["mean"]]
        who = f"{', '.join(tied[:-1])} and {tied[-1]}"
        return f"{who} have the same score, {mean}: cannot tell which is better; {_rests_on(best)}."
    return (
        f"{name} has the highest mean, {mean}, but these verdicts cannot tell it from {other}: "
        f"{size}{_correction(difference, len(differences))}."
    )


def _correction(difference: pd.Series, comparisons: int) -> str:
    """Say what Holm's correction makes of an interval that lies beside zero."""
    if pd.isna(difference["low"]) or difference["low"] * difference["high"] <= 0:
        return ""
    return f", p {difference['holm']:.2g} corrected for {count(comparisons, 'comparison')}"


def _rests_on(row: pd.Series) -> str:
    """Say how many items and raters a score comes from."""
    return f"{count(int(row['items']), 'item')}, {count(int(row['raters']), 'rater')}"


def _limits(row: pd.Series) -> str:
    """Return the limits of a score in words, or nothing where there are none."""
    if pd.isna(row["low"]):
        return ""
    return f" (95 % interval {row['low']:.2f} to {row['high']:.2f})"


def _difference_in_words(row: Mapping[str, Any]) -> str:
    """Return a difference in points with its limits, or why it has none."""
    size = round(100 * row["difference"])
    points = f"{size:+d}" if size else "0"
    if pd.isna(row["low"]):
        return f"{points} points; {row['reason']}"
    low, high = (f"{100 * row[end]:+.0f}" for end in ("low", "high"))
    return f"{points} points (95 % interval {low} to {high})"
