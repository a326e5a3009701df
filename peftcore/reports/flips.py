"""Items on which two runs differ: right with one and wrong with the other, by seed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Flips:
    """Counts of what becomes of each answer from a first to a second run, by seed and item.

    items: one row per example, with columns example, lost (seeds in which it was right with the
    first and wrong with the second), won (the other way round) and seeds; most lost first.
    """

    both_right: int
    both_wrong: int
    lost: int
    won: int
    seeds: int
    items: pd.DataFrame

    @property
    def answers(self) -> int:
        """Return how many answers were compared."""
        return self.both_right + self.both_wrong + self.lost + self.won


def count_flips(first: pd.DataFrame, second: pd.DataFrame) -> Flips | None:
    """Count what changes from the answers of one run to those of another (`Run.answers`).

    None where answers are not right or wrong, or no seed and item is shared.
    """
    sides = [_outcomes(answers) for answers in (first, second)]
    joint = sides[0].merge(sides[1], on=["seed", "example"], suffixes=("_first", "_second"))
    if joint.empty:
        return None
    before, after = joint["correct_first"], joint["correct_second"]
    joint = joint.assign(lost=before & ~after, won=~before & after)
    items = joint.groupby("example", sort=False).agg(
        lost=("lost", "sum"), won=("won", "sum"), seeds=("seed", "size")
    )
    items = items.sort_values(["lost", "won"], ascending=[False, True], kind="stable")
    return Flips(
        int((before & after).sum()),
        int((~before & ~after).sum()),
        int(joint["lost"].sum()),
        int(joint["won"].sum()),
        joint["seed"].nunique(),
        items.reset_index(),
    )


def _outcomes(answers: pd.DataFrame) -> pd.DataFrame:
    """Return seed, example and whether the answer is right, where that is known."""
    known = answers.dropna(subset=["correct"])[["seed", "example", "correct"]]
    known = known.drop_duplicates(["seed", "example"], keep="last")
    return known.assign(correct=known["correct"].astype(bool))
