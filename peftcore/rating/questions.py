"""What raters can agree about: the questions of a mode, and each verdict as a category of one.

A project on four points has the scale and yes or no, a pairwise one the better text, a Likert one
each of its dimensions by itself: a mean over dimensions would let opposite views cancel out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from peftcore.errors import unknown
from peftcore.rating.scales import DIMENSIONS, STEPS, VERDICTS, Mode, step_score

SCALE, TWO_CLASSES = "scale", "yes or no"
OUTCOMES = ("first", "tie", "second")
BY_MODE: dict[Mode, dict[str, str]] = {  # question → in words, the first is shown first
    "single": {TWO_CLASSES: "Yes or no, as FEB", SCALE: "Four points"},
    "pairwise": {SCALE: "Which text is better"},
    "likert": DIMENSIONS,
}


def outcomes(said: pd.DataFrame) -> pd.Series:
    """Sides as the raters saw them, turned into which of the item's texts won."""
    straight = said["verdict"].map({"left": "first", "right": "second", "tie": "tie"})
    turned = said["verdict"].map({"left": "second", "right": "first", "tie": "tie"})
    return turned.where(said["flipped"].astype(bool), straight).astype(object)


def categories(said: pd.DataFrame, mode: Mode, question: str) -> tuple[pd.Series, list[str]]:
    """Each row of `tables.verdicts` as a category of a question, and the categories in order."""
    if question not in BY_MODE[mode]:
        raise unknown("question", question, BY_MODE[mode])
    if mode == "pairwise":
        return outcomes(said), list(OUTCOMES)
    if mode == "likert":
        steps = [str(int(step)) if pd.notna(step) else None for step in said[question]]
        return pd.Series(steps, index=said.index, dtype=object), [str(step) for step in STEPS]
    if question == TWO_CLASSES:
        return said["verdict"].str.removeprefix("weak "), ["yes", "no"]
    return said["verdict"], list(VERDICTS)


def spread(said: pd.DataFrame, mode: Mode, dimension: str = "") -> pd.DataFrame:
    """Columns item, spread (0 to 1), verdicts, about; items with two verdicts, the widest first.

    On dimensions the spread is that of the one named, or the widest, which is named in `about`.
    """
    if dimension and dimension not in DIMENSIONS:
        raise unknown("dimension", dimension, DIMENSIONS)
    values = {"": said["score"].astype(float)} if mode == "single" else {}
    if mode == "pairwise":
        values[""] = outcomes(said).map({"first": 1.0, "tie": 0.5, "second": 0.0}).astype(float)
    if mode == "likert":
        names = [dimension] if dimension else list(DIMENSIONS)
        values = {name: step_score(said[name].astype(float)) for name in names}
    each = pd.DataFrame(values).groupby(said["item"]).agg(np.ptp)
    made = pd.DataFrame({"spread": each.max(axis=1), "verdicts": said.groupby("item").size()})
    made["about"] = each.idxmax(axis=1) if len(each) else ""
    made = made[made["verdicts"] > 1].rename_axis("item").reset_index()
    return made.sort_values("spread", ascending=False, kind="stable", ignore_index=True)
