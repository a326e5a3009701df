"""Linear CKA and the gap by layer, against values worked out by hand and another formula."""

import numpy as np
import pytest

from peftcore.analysis.layer_similarity import (
    cka_by_layer,
    gaps_by_layer,
    layer_gap,
    linear_cka,
    mean_cosine,
)


def states(seed=0, n=30, d=6):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_with_one_feature_it_is_the_squared_correlation():
    first, second = np.array([[1.0], [2], [3], [4]]), np.array([[1.0], [3], [2], [4]])
    assert linear_cka(first, second) == pytest.approx(0.8**2)


def test_rotations_shifts_and_a_factor_change_nothing():
    x = states()
    rotation, _ = np.linalg.qr(states(1, 6))
    assert linear_cka(x, 3 * x @ rotation + 7) == pytest.approx(1)
    stretched = x * np.array([5, 1, 1, 1, 1, 1])
    assert linear_cka(x, stretched) < 0.9


def test_it_equals_the_alignment_of_centred_gram_matrices():
    x, y = states(2), states(3, d=4)
    centre = np.eye(len(x)) - 1 / len(x)
    grams = [centre @ rows @ rows.T @ centre for rows in (x, y)]
    wanted = np.sum(grams[0] * grams[1]) / np.prod([np.linalg.norm(gram) for gram in grams])
    assert linear_cka(x, y) == pytest.approx(wanted)


def test_states_that_do_not_vary_have_none():
    assert np.isnan(linear_cka(np.ones((5, 3)), states(n=5, d=3)))


def test_states_that_vary_apart_have_no_alignment():
    """Two signs that never go together."""
    assert linear_cka(np.array([[1.0], [1], [-1], [-1]]), np.array([[1.0], [-1], [1], [-1]])) == 0


def test_cosine_is_the_mean_over_positions():
    first = np.array([[1.0, 0], [0, 2.0], [0, 0]])
    second = np.array([[3.0, 0], [1.0, 0], [1.0, 1.0]])
    assert mean_cosine(first, second) == pytest.approx(0.5)  # the third has no direction
    assert np.isnan(mean_cosine(np.zeros((2, 2)), np.ones((2, 2))))


def test_seeds_and_layers_are_compared_each_with_its_own():
    first = np.stack([[states(0), states(1)], [states(2), states(3)]])  # (s, l, n, d)
    second = first.copy()
    second[1, 0] = states(9)
    found = cka_by_layer(first, second)
    assert found.shape == (2, 2)
    assert found[[0, 0, 1], [0, 1, 1]] == pytest.approx(1)
    assert found[1, 0] < 0.7


def test_the_gap_is_in_lengths_of_words():
    words = np.array([[2.0, 0], [2, 0]])
    gap = layer_gap(np.array([[0.0, 4], [0, 4]]), words)
    assert (gap.norm_ratio, gap.distance, gap.cosine) == pytest.approx((2, np.sqrt(20) / 2, 0))
    assert gaps_by_layer(words[None, None], words[None, None])[0][0].distance == 0
