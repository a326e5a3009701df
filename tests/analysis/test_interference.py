"""Predicted interference, against changes made for it."""

import numpy as np
import pytest

from peftcore.analysis.interference import cosine, sign_conflicts


def test_a_change_agrees_with_itself_and_not_with_its_opposite():
    change = np.random.default_rng(0).normal(size=(6, 5))
    assert cosine(change, 3 * change) == pytest.approx(1)
    assert cosine(change, -change) == pytest.approx(-1)
    assert sign_conflicts(change, 3 * change) == 0
    assert sign_conflicts(change, -change) == 1


def test_unrelated_changes_differ_in_half_of_their_signs():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 300, 300))
    assert cosine(first, second) == pytest.approx(0, abs=0.02)
    assert sign_conflicts(first, second) == pytest.approx(0.5, abs=0.03)


def test_only_entries_that_are_strong_in_both_count():
    first = np.array([5.0, -5.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    second = np.array([5.0, 5.0, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1])
    assert sign_conflicts(first, second) == 0.5


def test_nothing_has_no_angle_and_no_sign():
    assert np.isnan(cosine(np.zeros(3), np.ones(3)))
    assert np.isnan(sign_conflicts(np.zeros(3), np.ones(3)))
