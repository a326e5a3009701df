"""The result of a group of runs in sentences: who is ahead of whom, and for whom that holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from peftcore.analysis import judgement
from peftcore.analysis.inference import Population
from peftcore.analysis.verdicts import Verdict
from peftcore.metrics.scores import find_measure
from peftcore.reports.groups import RunGroup
from peftcore.reports.text import (
    count,
    format_difference,
    format_limits,
    format_value,
    is_missing,
    list_words,
    plain,
    value_format,
)

POPULATIONS: dict[Population, str] = {
    "this task": "other seeds and other examples of the task",
    "these examples": "other seeds on these very examples",
}
MOST_NAMED = 5  # runs of one verdict that a sentence names
GLYPHS: dict[Verdict, str] = {"ahead": "▲", "behind": "▼", "equal": "=", "cannot tell": "?"}


def headline(group: RunGroup) -> str:
    """Say the result in a few sentences: the best against the second, then against the others."""
    metric = group.metric
    rows = group.estimates(metric).dropna(subset=["mean"])
    if rows.empty:
        return f"No run of {plain(group.title)} has a value of {find_measure(metric).title}."
    names = {run: plain(style.name) for run, style in group.styles.items()}
    words = judgement.headline(group.judgement(metric), names)
    parts = [words.replace(" -", " −").replace("(-", "(−")]
    if len(rows) > 2:
        parts += _against_the_others(group, str(rows["run"].iloc[0]), str(rows["run"].iloc[1]))
        parts.append(judgement.count_in_words(group.judgement(metric)))
    return " ".join([part for part in parts if part]) + _floor(group, rows.iloc[0])


def _against_the_others(group: RunGroup, best: str, second: str) -> Iterator[str]:
    """Say of which other runs the best is ahead, which it equals, where the data cannot tell."""
    frame = group.verdicts(group.metric)
    frame = frame[(frame["first"] == best) & (frame["second"] != second)]  # the nearest first
    by_verdict: dict[str, list[Any]] = {}
    for row in frame.itertuples():
        by_verdict.setdefault(str(row.verdict), []).append(row)
    margin = f"{group.judgement(group.metric).margin:g} points"
    if rows := by_verdict.get("ahead"):
        yield f"It is ahead of {_named(group, rows)}."
    if rows := by_verdict.get("equal"):
        yield f"Within {margin} it equals {_named(group, rows)}."
    if rows := by_verdict.get("cannot tell"):
        yield f"These data cannot tell it from {_named(group, rows)}."


def _named(group: RunGroup, rows: list[Any]) -> str:
    """Name runs, each with its difference to the best; of many only the nearest."""
    if len(rows) > MOST_NAMED:
        return f"{len(rows)} other runs, the nearest {_named(group, rows[:1])}"
    words = []
    for row in rows:
        shown = format_difference(row.difference, group.metric)
        if not is_missing(row.low):
            shown += f", {format_limits(row.low, row.high, group.metric)}"
        words.append(f"{plain(group.name(row.second))} ({shown})")
    return list_words(words)


def _floor(group: RunGroup, best: Any) -> str:
    """Say so where even the best run is not above what guessing scores."""
    for words, level in group.chance_levels().items():
        if best["mean"] <= level:
            shown = format_value(level, value_format(group.metric))
            return f" No run is above {words[:1].lower()}{words[1:]} ({shown})."
    return ""


def basis(group: RunGroup) -> str:
    """Say whom intervals and verdicts speak of, and what they rest on."""
    metric, frame = group.metric, group.verdicts(group.metric)
    rows = group.estimates(metric)
    words = f"Intervals of 95 % for {POPULATIONS[group.population(metric)]}"
    if group.population(metric) != group.options.population:
        words += ", since this metric has no values of single items"
    seeds = sorted(set(rows["seeds"]))
    shown = count(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    words += f"; {shown}"
    if group.has_items(metric):
        words += f", {count(int(rows['items'].max()), 'example')}"
    if len(frame):
        margin = f"{group.judgement(metric).margin:g} points"
        words += f". Verdicts at 5 %, margin of equality {margin}, Holm's correction over "
        words += count(len(frame), "pair")
    return f"{words}. {find_measure(metric).description}"


def verdict_words(verdict: Verdict) -> str:
    """Write a verdict with its sign."""
    return f"{GLYPHS[verdict]} {verdict}"
