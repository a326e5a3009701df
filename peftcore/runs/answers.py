"""The table of a run's answers, one row for each seed and example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from peftcore.data.task import Answer, Example


def answers_table(rows: Sequence[Example], answers: Sequence[Answer], seed: int) -> pd.DataFrame:
    """Return one seed's answers with the columns that runs keep."""
    return pd.DataFrame(
        {
            "seed": seed,
            "example": [row.id for row in rows],
            "source": [row.source for row in rows],
            "target": [row.target for row in rows],
            "references": [list(row.references) for row in rows],
            "label": pd.array([row.label for row in rows], dtype="string"),
            "text": [answer.text for answer in answers],
            "predicted": pd.array([answer.label for answer in answers], dtype="string"),
            "explanation": pd.array([answer.explanation for answer in answers], dtype="string"),
            "correct": pd.array(
                [
                    a.label == r.label if r.label is not None else None
                    for a, r in zip(answers, rows, strict=True)
                ],
                dtype="boolean",
            ),
        }
    )
