"""Charts of slices."""

import math

import pandas as pd

from app.figures import slices
from peftcore.analysis.slices import SLICE_COLUMNS


def rows():
    found = [
        ("Label", "yes", 40, 0.5, 0.8, 0.3, 0.2, 0.4, 0.001, 0.002, "ahead", ""),
        ("Word", "not", 12, 0.5, 0.6, 0.1, math.nan, math.nan, math.nan, math.nan, "cannot tell",
         "two groups"),
        ("Word", "zebra", 0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan,
         "cannot tell", "no such example"),
    ]  # fmt: skip
    return pd.DataFrame(found, columns=SLICE_COLUMNS)


def test_slices_have_difference_interval_and_sign():
    figure = slices.slice_differences(rows(), "accuracy", 2)
    line, first, second = figure.data
    assert list(line.x) == [20, 40]
    assert first.text == ("▲ +30.0",)
    assert second.text == ("? +10.0",)
    assert figure.layout.yaxis.ticktext == (
        "yes<br><sup>40 examples</sup>",
        "with “not”<br><sup>12 examples</sup>",
    )


def test_slices_in_words():
    words = slices.slice_differences_alt(rows(), "accuracy")
    assert "Label yes, 40 examples: ahead, +30.0 points (+20.0 to +40.0), p 0.002 (Holm)" in words
    assert "zebra, 0 examples: cannot tell, no such example" in words
