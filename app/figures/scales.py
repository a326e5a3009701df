"""Colour scales and digits that follow the data: most values decide, a few outliers do not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

SHARE = 0.99  # of the values that a scale covers
OUTLIER_FACTOR = 1.5  # a largest value within this factor of them is no outlier, and covered too
SIGNIFICANT_DIGITS = 2  # of the largest value, in cells
MAX_DECIMALS = 5


@dataclass(frozen=True)
class ColourLimit:
    """Where a scale from zero ends; a signed one goes as far to the other side."""

    top: float
    beyond: float = 0.0  # share of the values that lie beyond it and look like it

    def bar_ticks(self, signed: bool, middle: float = 0) -> dict[str, Any]:
        """Ticks of a colour bar whose ends stand for all that lies beyond them; else plotly's.

        `middle` is the value from which sizes were measured.
        """
        if not self.beyond:
            return {}
        low, high = middle - self.top, middle + self.top
        values, texts = [middle, high], [f"{middle:g}", f"≥ {high:.2g}"]
        if signed:
            values, texts = [low, *values], [f"≤ {low:.2g}".replace("-", "−"), *texts]
        return {"tickvals": values, "ticktext": texts}


def colour_limit(*arrays: np.ndarray) -> ColourLimit:
    """Return the limit that all these arrays (…) share; zeros and missing values do not count.

    It lies at the 99th percentile of the sizes, or at the largest where that is not much more.
    """
    parts = [np.abs(array[np.isfinite(array)]).ravel() for array in arrays]
    sizes = np.concatenate([np.zeros(0), *(part[part > 0] for part in parts)])
    if not sizes.size:
        return ColourLimit(1.0)
    most, largest = float(np.quantile(sizes, SHARE)), float(sizes.max())
    if largest <= OUTLIER_FACTOR * most:
        return ColourLimit(largest)
    return ColourLimit(most, float((sizes > most).mean()))


def cell_format(values: np.ndarray, signed: bool = False) -> str:
    """Return the format in which the largest of the values (…) has two digits worth reading."""
    sizes = np.abs(values[np.isfinite(values)])
    largest = float(sizes.max(initial=0))
    if not largest:
        return ".0f"
    sign = "+" if signed else ""
    decimals = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(largest))
    return f"{sign}.{max(decimals, 2)}f" if decimals <= MAX_DECIMALS else f"{sign}.0e"
