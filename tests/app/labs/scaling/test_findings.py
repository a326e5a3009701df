"""Sentences about scales, gaps and gains, from their numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from app.labs.scaling import findings
from peftcore.analysis.comparison import paired_difference
from peftcore.labs.scaling.ablations import TransferGain

SUBJECT = SimpleNamespace(
    chart_title="Scaled prompt tuning, miniworld",
    run=SimpleNamespace(spec=SimpleNamespace(population=SimpleNamespace(seeds=3))),
)


def test_scales_are_counted_by_whether_they_lengthen():
    words, guard = findings.scales_finding(SUBJECT, np.array([-1.5, 0.5, 0.25, 2.0]))
    assert words == (
        "Scales end between 0.25 and 2.00: 50% of the soft tokens get longer, the others shorter."
    )
    assert "one seed of 3 · 4 soft tokens" in guard


def test_scales_of_one_are_no_finding_about_lengths():
    words, _ = findings.scales_finding(SUBJECT, np.ones(4))
    assert words.startswith("Every scale is one")


def test_the_gap_is_the_mean_over_seeds():
    gap = lambda ratio: SimpleNamespace(norm_ratio=ratio)
    gaps = [SimpleNamespace(before=gap(8.0), after=gap(2.0))]
    gaps += [SimpleNamespace(before=gap(4.0), after=gap(1.0))]
    words, guard = findings.gap_finding(SUBJECT, gaps)
    assert "6 without scales, 1.5 with them" in words
    assert guard.endswith("mean of 2 seeds")


def gain(source, target, started):
    without = {0: 0.5, 1: 0.52, 2: 0.48, 3: 0.5}
    difference = paired_difference(without, {seed: was + started for seed, was in without.items()})
    return TransferGain(source, target, 0.5, 0.5 + started, difference)


def test_the_largest_gain_is_named_with_how_many_it_was_chosen_from():
    titles = {"a": "First", "b": "Second"}
    same = gain("a", "a", 0.9)  # a task from itself is no transfer
    found = findings.transfer_guard([same, gain("a", "b", 0.2), gain("b", "a", 0.1)], titles)
    assert found.startswith(r"Most from First to Second\: \+0\.200")
    assert "largest of 2 gains" in found
    assert findings.transfer_guard([same], titles).startswith("No task has been trained")


def test_half_of_the_steps_are_described_by_medians():
    factors = [np.array([1.0, 2.0, 30.0]), np.array([0.1, 0.5, 0.9])]
    words, _ = findings.step_finding(SUBJECT, factors)
    assert "more than 2 times as long across" in words
    assert "more than 0.5 times as long along" in words


@pytest.mark.parametrize(("metric", "best"), [("accuracy", "10"), ("broken", "5")])
def test_the_best_setting_is_the_lowest_where_lower_is_better(metric, best):
    scores = pd.DataFrame(
        {"length": ["5", "5", "10", "10"], "seed": [0, 1, 0, 1], metric: [0.4, 0.5, 0.8, 0.9]}
    )
    words, guard = findings.scores_finding(scores, "length", metric)
    assert f"“{best}” is best" in words
    assert guard == "2 settings, 2 seeds each"
