"""Whom an interval speaks of: one switch for every page, kept in the address, and its caption.

"This task" also counts what other test examples would change and is the default of every claim;
"these examples" counts only other seeds. What they mean is in `peftcore.analysis.inference`.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from app.figures.compare import find_measure
from app.ui import url_state
from peftcore.analysis.inference import POPULATIONS, Estimate, Population

PARAM = "population"  # in the address of every page, so that a link from one to another keeps it
HELP = (
    "This task: what other seeds and other test examples would give. "
    "These examples: what other seeds would give on the very examples that were answered."
)


def pick_population(key: str) -> Population:
    """Offer both populations, the task first; the choice stands in the address."""
    on_change = url_state.sync_with_url(
        "Population", key, POPULATIONS, name=PARAM, format_option=str.capitalize
    )
    chosen: Population | None = st.segmented_control(
        "Intervals are about",
        POPULATIONS,
        required=True,
        format_func=str.capitalize,
        key=key,
        on_change=on_change,
        help=HELP,
    )
    return chosen or POPULATIONS[0]


def population_caption(
    population: Population, seeds: int | Iterable[int], items: int | Iterable[int]
) -> str:
    """Say in a sentence whom 95 % intervals speak of, and how many seeds and items they rest on.

    seeds and items are numbers, or those of several runs; items that are not known stay away.
    """
    counted = _count(seeds, "seed")
    if items:
        counted += f" on {_count(items, 'test example')}"
    if population == "this task":
        return (
            "95 % intervals are about this task: other samples of training examples, other "
            f"starts and other test examples, from {counted}."
        )
    return (
        "95 % intervals are about these test examples only: other samples of training examples "
        f"and other starts, from {counted}."
    )


def estimates_caption(population: Population, estimates: Iterable[tuple[str, Estimate]]) -> str:
    """Say whom intervals of (metric, estimate) speak of, and which metrics not."""
    known = [(metric, each) for metric, each in estimates if each.seeds]
    asked = [each for _, each in known if each.population == population]
    caption = population_caption(
        population, {each.seeds for each in asked}, {each.items for each in asked if each.items}
    )
    rest = {find_measure(metric).title for metric, each in known if each.population != population}
    if not asked:
        return population_caption("these examples", {each.seeds for _, each in known}, ())
    return f"{caption} {', '.join(sorted(rest))}: about these examples." if rest else caption


def _count(numbers: int | Iterable[int], noun: str) -> str:
    """Return "5 seeds", or "4 to 8 seeds" where runs differ."""
    known = sorted({numbers} if isinstance(numbers, int) else {*numbers}) or [0]
    if known == [1]:
        return f"1 {noun}"
    span = f"{known[0]:,}" if len(known) == 1 else f"{known[0]:,} to {known[-1]:,}"
    return f"{span} {noun}s"
