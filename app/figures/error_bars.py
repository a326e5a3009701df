"""Error bars of intervals, which need not lie equally far on both sides of a mean."""

from __future__ import annotations

from typing import Any

import pandas as pd

from app.figures.theme import with_opacity


def interval_bars(rows: pd.DataFrame, colour: str, mean: str = "mean") -> dict[str, Any]:
    """Error bars from the columns low and high around `mean`; none where limits are missing.

    Limits need not lie equally far from the mean: they end where values do, and reach further on
    the side of skewed seeds.
    """
    mean_values = rows[mean].astype(float)
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["high"].astype(float) - mean_values).fillna(0).tolist(),
        "arrayminus": (mean_values - rows["low"].astype(float)).fillna(0).tolist(),
        "color": with_opacity(colour, 0.6),
        "thickness": 2,
        "width": 6,
    }
