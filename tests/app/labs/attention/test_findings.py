"""Sentences about heads, from patterns worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.labs.attention import findings
from app.labs.attention.selected_head import SelectedHead
from peftcore.analysis import attention as a
from peftcore.analysis.comparison import Interval

WORDS = tuple(a.AttentionToken(word, "content", 0) for word in ("the", "cat"))
PREFIX = (a.AttentionToken("P1", "prefix", 0),)
PLAIN = [[0.5, 0.5], [0.25, 0.75]]


def pattern(*heads, keys=WORDS):
    """One layer of these heads, each with weights (q, k)."""
    return a.AttentionPattern("encoder", ("s",), WORDS, keys, np.array([heads], np.float32))


def selected(after, before=None, head=0, seeds=4):
    subject = SimpleNamespace(
        queries=WORDS,
        run=SimpleNamespace(id="0123", manifest=lambda: {"data_hash": "feedfacefeed"}),
        seeds=seeds,
        seed_number=lambda nth: 7 + nth,
        base="tiny",
    )
    comparison = SimpleNamespace(after=subject, seed=1, decoder_source="")
    return SelectedHead(comparison, after, before, 0, head, 1)


def test_without_another_side_the_spread_of_attention_is_given():
    words, _ = findings.pattern_finding(selected(pattern([[0.5, 0.5], [0.5, 0.5]])))
    assert words == (
        "In layer 1, head 1, a token spreads its attention as widely as over 2.0 tokens alike."
    )


def test_a_prefix_that_only_takes_a_share_is_said_to_leave_the_rest():
    after = pattern([[0.5, 0.25, 0.25], [0.5, 0.125, 0.375]], keys=(*PREFIX, *WORDS))
    words, _ = findings.pattern_finding(selected(after, pattern(PLAIN)))
    assert words == (
        "Virtual tokens take 50% of this head's attention; the rest is shared out among the text "
        "as before."
    )


def test_a_prefix_in_the_company_of_other_changes_is_said_to_move_the_rest():
    after = pattern([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]], keys=(*PREFIX, *WORDS))
    words, _ = findings.pattern_finding(selected(after, pattern(PLAIN)))
    assert "differently: 38% of it moves" in words


@pytest.mark.parametrize(
    ("head", "words"),
    [(0, "attention stays as it was."), (1, "25.0% of the attention moves to other tokens.")],
)
def test_what_moved_without_virtual_tokens(head, words):
    before, after = pattern(PLAIN, PLAIN), pattern(PLAIN, [[0.75, 0.25], [0.5, 0.5]])
    found, guard = findings.pattern_finding(selected(after, before, head))
    assert found.endswith(words)
    assert "of 2 heads most changed layer 1, head 2\\: 25% of its attention" in guard
    assert "one seed of 4" in guard


def test_the_head_that_changes_most_is_named_whatever_the_sign():
    interval = lambda mean, low=None, high=None: Interval(mean, low, high, 3)
    rows = [
        a.HeadRow(0, 0, interval(0.1), interval(0.3), interval(0.2)),
        a.HeadRow(1, 2, interval(0.9), interval(0.4), interval(-0.5, -0.6, -0.4)),
        a.HeadRow(1, 3, interval(None), interval(None), interval(None)),
    ]
    statistics = a.HeadStatistics("encoder", 20, {"entropy": np.zeros((3, 2, 4))})
    words, guard = findings.statistics_finding(rows, "change", "entropy", statistics)
    assert "most in layer 2, head 3, with -0.50" in words
    assert r"seeds \-0\.60 to \-0\.40 · 20 test examples · 3 seeds" in guard


def test_the_line_below_has_the_command_with_numbers_from_one():
    line = findings.quiet_line(selected(pattern(PLAIN, PLAIN), head=1))
    assert line.endswith("`python -m peftcore attention 0123 --seed 1 --layer 1 --head 2`")
    assert "seed 8" in line
    assert "data feedface" in line
