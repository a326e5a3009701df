"""Questions on which raters can agree, and each verdict as a category of one.

A project on four points has the scale and yes or no, a pairwise one the better text, a Likert one
each of its dimensions separately: a mean over dimensions would let opposite views cancel out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from peftcore.errors import unknown_name
from peftcore.rating.scales import DIMENSIONS, STEPS, VERDICTS, Mode, step_score

SCALE, TWO_CLASSES = "scale", "yes or no"
OUTCOMES = ("first", "tie", "second")
QUESTIONS_BY_MODE: dict[Mode, dict[str, str]] = {  # question → in words, the first is shown first
    "single": {TWO_CLASSES: "Yes or no, as FEB", SCALE: "Four points"},
    "pairwise": {SCALE: "Which text is better"},
    "likert": DIMENSIONS,
}


def pairwise_outcomes(verdicts: pd.DataFrame) -> pd.Series:
    """Convert sides as raters saw them to which of the item's texts won."""
    as_shown = verdicts["verdict"].map({"left": "first", "right": "second", "tie": "tie"})
    swapped = verdicts["verdict"].map({"left": "second", "right": "first", "tie": "tie"})
    return swapped.where(verdicts["flipped"].astype(bool), as_shown).astype(object)


def verdict_categories(
    verdicts: pd.DataFrame, mode: Mode, question: str
) -> tuple[pd.Series, list[str]]:
    """Convert rows of `tables.verdict_table` to categories of a question, also in order."""
    if question not in QUESTIONS_BY_MODE[mode]:
        raise unknown_name("question", question, QUESTIONS_BY_MODE[mode])
    if mode == "pairwise":
        return pairwise_outcomes(verdicts), list(OUTCOMES)
    if mode == "likert":
        steps = [str(int(step)) if pd.notna(step) else None for step in verdicts[question]]
        return pd.Series(steps, index=verdicts.index, dtype=object), [str(step) for step in STEPS]
    if question == TWO_CLASSES:
        return verdicts["verdict"].str.removeprefix("weak "), ["yes", "no"]
    return verdicts["verdict"], list(VERDICTS)


def verdict_spread(verdicts: pd.DataFrame, mode: Mode, dimension: str = "") -> pd.DataFrame:
    """Return items by how much verdicts differ: columns item, spread, verdicts, about.

    spread is in [0, 1], for items with two verdicts or more, the widest first. On dimensions it is
    that of the one named, or the widest, which is named in `about`.
    """
    if dimension and dimension not in DIMENSIONS:
        raise unknown_name("dimension", dimension, DIMENSIONS)
    values = {"": verdicts["score"].astype(float)} if mode == "single" else {}
    if mode == "pairwise":
        values[""] = (
            pairwise_outcomes(verdicts).map({"first": 1.0, "tie": 0.5, "second": 0.0}).astype(float)
        )
    if mode == "likert":
        names = [dimension] if dimension else list(DIMENSIONS)
        values = {name: step_score(verdicts[name].astype(float)) for name in names}
    per_item = pd.DataFrame(values).groupby(verdicts["item"]).agg(np.ptp)
    table = pd.DataFrame(
        {"spread": per_item.max(axis=1), "verdicts": verdicts.groupby("item").size()}
    )
    table["about"] = per_item.idxmax(axis=1) if len(per_item) else ""
    table = table[table["verdicts"] > 1].rename_axis("item").reset_index()
    return table.sort_values("spread", ascending=False, kind="stable", ignore_index=True)
