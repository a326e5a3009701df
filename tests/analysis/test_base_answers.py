"""The untouched base as a reference: its score, limits over items, and the sentence about it."""

import dataclasses

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from peftcore.analysis import base_answers
from peftcore.analysis.inference import SeedItemTable
from peftcore.runs.zero_shot import ZeroShot


def measured(right, asked_right=0, n=20, **more):
    """A base right on the first of n examples, asked in its own words and in those of runs."""
    labels = ["yes", "no"] * (n // 2)
    swapped = ["no" if label == "yes" else "yes" for label in labels]
    values = {
        "base": "small",
        "task": "t",
        "asked_words": {"yes": "entailment", "no": "contradiction"},
        "mapped_words": {"yes": "true", "no": "false"},
        "tried": 4,
        "chosen_on": 32,
        "examples": [str(i) for i in range(n)],
        "labels": labels,
        "asked": labels[:asked_right] + swapped[asked_right:],
        "mapped": labels[:right] + swapped[right:],
    }
    return ZeroShot(**(values | more))


def test_a_share_has_wilson_s_limits():
    found = base_answers.reference_of(measured(15, 10), "accuracy")
    assert (found.mean, found.asked_mean, found.items) == (0.75, 0.5, 20)
    expected = proportion_confint(15, 20, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)


def test_all_right_is_not_certain():
    found = base_answers.reference_of(measured(20, 20), "accuracy")
    assert found.high == 1.0
    assert 0.8 < found.low < 0.9


def test_it_says_in_which_words_and_how_they_were_chosen():
    words = base_answers.reference_of(measured(15, 10), "accuracy").in_words(".2f")
    assert "true / false, the best of 4 sets on 32 training examples" in words
    assert words.endswith("among the words of these runs, 0.50.")
    same = measured(15, 15, mapped_words={"yes": "entailment", "no": "contradiction"})
    assert "of the words entailment / contradiction it finds likeliest" in (
        base_answers.reference_of(same, "accuracy").in_words(".2f")
    )


def test_a_metric_of_texts_has_no_reference():
    assert base_answers.reference_of(measured(15), "explanation_chrf") is None
    assert base_answers.reference_of(None, "accuracy") is None


def test_the_best_base_comes_first():
    found = base_answers.references_of(
        [measured(5), measured(19, base="large"), measured(10)], "accuracy"
    )
    assert [each.mean for each in found] == [0.95, 0.5, 0.25]
    assert found[0].title == "large untouched"


def test_values_that_are_no_shares_have_t_limits_within_their_range():
    """Four items of one seed: the mean, and three degrees of freedom."""
    values = np.array([0.2, 0.4, 0.6, 1.0])
    table = SeedItemTable((0,), tuple("abcd"), values[None, :, None])
    low, high = base_answers.item_limits(table, (0.0, 1.0))
    reach = 3.182446 * values.std(ddof=1) / 2
    assert low == pytest.approx(0.55 - reach, abs=1e-5)
    assert high == 1.0  # where shares end
    alone = dataclasses.replace(table, strata=np.arange(4))
    assert base_answers.item_limits(alone, (0.0, 1.0)) == (0.0, 1.0)  # nothing is known
