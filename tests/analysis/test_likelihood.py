"""Judgements of pairs and perplexity out of log-likelihoods."""

import math

import numpy as np
import pytest

from peftcore.analysis import likelihood


def test_accuracy_counts_pairs_and_half_of_ties():
    found = likelihood.pair_accuracy(
        np.array([-1.0, -2.0, -3.0, -4.0]), np.array([-2.0, -1, -3, -5])
    )
    assert (found.accuracy, found.n) == (0.625, 4)
    assert 0 < found.low < 0.625 < found.high < 1


@pytest.mark.parametrize(("share", "n"), [(0.0, 3), (1.0, 3), (0.5, 1)])
def test_limits_stay_within_a_share(share, n):
    low, high = likelihood.wilson_interval(share, n)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 0.5  # few pairs say little, even if all agree


def test_limits_are_those_of_the_textbook():
    low, high = likelihood.wilson_interval(0.8, 134)
    assert (round(low, 3), round(high, 3)) == (0.724, 0.859)


def test_perplexity_of_a_uniform_guess_is_the_size_of_the_vocabulary():
    tokens = np.array([3, 5])
    found = likelihood.perplexity(-tokens * math.log(64), tokens, words=4)
    assert found.per_token == pytest.approx(64)
    assert found.per_word == pytest.approx(64**2)
    assert (found.tokens, found.words, found.n) == (8, 4, 2)
