"""Similarity of hidden states, against values that are known beforehand."""

import numpy as np
import pytest

from peftcore.analysis.representations import linear_cka, mean_cosine


def test_a_turn_a_shift_and_a_scale_leave_states_the_same():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(40, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert linear_cka(states, 3 * states @ turn + 7) == pytest.approx(1)


def test_states_that_vary_apart_have_no_alignment():
    """Two signs that never go together."""
    first = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    second = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert linear_cka(first, second) == 0


def test_alignment_of_one_feature_is_its_squared_correlation():
    rng = np.random.default_rng(1)
    first, noise = rng.normal(size=(2, 30, 1))
    second = first + noise
    correlation = np.corrcoef(first[:, 0], second[:, 0])[0, 1]
    assert linear_cka(first, second) == pytest.approx(correlation**2)


def test_a_reference_value_worked_out_by_hand():
    """Three tokens, and their first feature alone: 5 over the norms of both Grams, √10 and 2."""
    first = np.array([[1.0, 0], [0, 1], [-1, -1]])
    second = first[:, :1]
    shared = np.linalg.norm(first.T @ second) ** 2  # (2, 1) -> 5
    expected = shared / (np.sqrt(2**2 + 2**2 + 2 * 1**2) * 2)
    assert shared == pytest.approx(5)
    assert linear_cka(first, second) == pytest.approx(expected)


def test_states_without_variation_have_none():
    assert np.isnan(linear_cka(np.ones((4, 2)), np.eye(4)))


def test_cosine_is_the_mean_over_tokens():
    first = np.array([[1.0, 0], [0, 2.0], [0, 0]])
    second = np.array([[3.0, 0], [1.0, 0], [1.0, 1.0]])
    assert mean_cosine(first, second) == pytest.approx(0.5)  # the third token has no direction
    assert np.isnan(mean_cosine(np.zeros((2, 2)), np.ones((2, 2))))
