"""Scores that people gave to explanations, as a report shows them.

`rating.reporting` makes them of a rating project; a report knows nothing of its store.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SCORE_COLUMNS = ["source", "mean", "low", "high", "items", "raters", "verdicts"]
AGREEMENT_COLUMNS = ["question", "measure", "value", "low", "high", "reason"]


@dataclass(frozen=True)
class RatedProject:
    """Scores of one rating project and how far its raters agree.

    scores: SCORE_COLUMNS, best first; source is a run's id, a method or "gold". measure: what a
    score is, in words. agreement: AGREEMENT_COLUMNS. simulated: no person was among the raters.
    """

    id: str
    name: str
    measure: str
    scores: pd.DataFrame
    agreement: pd.DataFrame
    raters: int
    simulated: bool
    note: str = ""
