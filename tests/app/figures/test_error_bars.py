"""Error bars reach to the limits of their interval, however far on each side."""

import math

import pandas as pd
import pytest

from app.figures.error_bars import interval_bars


def test_bars_end_at_the_limits_and_are_left_out_where_there_are_none():
    rows = pd.DataFrame({"mean": [0.5, 0.4], "low": [0.2, math.nan], "high": [0.6, None]})
    bars = interval_bars(rows, "#123456")
    assert bars["array"] == pytest.approx([0.1, 0.0])
    assert bars["arrayminus"] == pytest.approx([0.3, 0.0])
    assert bars["symmetric"] is False
