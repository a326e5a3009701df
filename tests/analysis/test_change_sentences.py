"""Changes over seeds in words."""

import pytest

from peftcore.analysis.change_sentences import change_in_words
from peftcore.analysis.comparison import interval, paired_difference


@pytest.mark.parametrize(
    ("values", "lowest_first", "start"),
    [
        ([0.1, 0.11, 0.12, 0.1, 0.13], False, "ahead: +0.112 (95 % interval +0."),
        ([0.1, 0.11, 0.12, 0.1, 0.13], True, "behind: +0.112"),
        ([0.1, -0.1, 0.05, -0.06], False, "cannot tell: −0.002 (95 % interval −0."),
        ([0.001, 0.002, 0.0, 0.001], False, "equal within 0.02: +0.001"),
        ([0.9, 0.01, 0.02, 0.01, 0.015], False, "cannot tell: +0.191, two groups of seeds"),
        ([0.1], False, "cannot tell: +0.100, one seed, 1 seed"),
    ],
)
def test_a_change_is_said_as_a_verdict(values, lowest_first, start):
    words = change_in_words(interval(values), ".3f", 0.02, lowest_first)
    assert words.startswith(start)
    assert words.rstrip(")").endswith(("seeds", "1 seed"))


def test_two_seeds_in_no_common_run_are_not_measured():
    assert change_in_words(paired_difference({1: 0.2}, {2: 0.3}), ".2f", 0.1) == "not measured"
