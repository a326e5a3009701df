"""Sizes and directions of changed matrices, against values that are known beforehand."""

import numpy as np
import pytest

from peftcore.analysis import weight_changes


def test_a_change_of_equal_directions_has_their_number_as_stable_rank():
    directions = weight_changes.find_directions(np.diag([3.0, 3.0, 3.0, 0.0]))
    assert directions.rank == 3
    assert directions.stable_rank == pytest.approx(3)


def test_one_strong_direction_is_a_stable_rank_of_little_more_than_one():
    directions = weight_changes.find_directions(np.diag([10.0, 1.0]))
    assert directions.rank == 2
    assert directions.stable_rank == pytest.approx(1.01)


def test_no_change_has_no_directions():
    directions = weight_changes.find_directions(np.zeros((3, 2)))
    assert (directions.rank, directions.stable_rank) == (0, 0.0)


def test_directions_make_the_change_again():
    change = np.random.default_rng(0).normal(size=(5, 3))
    found = weight_changes.find_directions(change)
    assert np.allclose(found.outputs * found.values @ found.inputs.T, change)


def test_the_same_space_has_similarity_one_in_whatever_basis():
    rng = np.random.default_rng(1)
    space = np.linalg.qr(rng.normal(size=(9, 3)))[0]
    turned = space @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert weight_changes.subspace_similarity(space, turned, 3) == pytest.approx(1)


def test_spaces_at_right_angles_share_nothing():
    whole = np.eye(6)
    assert weight_changes.subspace_similarity(whole[:, :3], whole[:, 3:], 3) == 0
    shared = weight_changes.subspace_similarity(whole[:, :2], whole[:, 1:3], 2)
    assert shared == pytest.approx(0.5)


def test_random_spaces_are_as_alike_as_chance_says():
    rng = np.random.default_rng(2)
    draw = lambda: np.linalg.qr(rng.normal(size=(24, 4)))[0]
    found = [weight_changes.subspace_similarity(draw(), draw(), 4) for _ in range(200)]
    assert np.mean(found) == pytest.approx(weight_changes.chance_similarity(24, 4), abs=0.02)


def test_a_new_strong_direction_is_far_from_all_of_the_base():
    """A base of three directions in four dimensions; the fourth is added, strongest of all."""
    base = np.diag([4.0, 3.0, 2.0, 0.0])[:, :3]
    own = weight_changes.find_directions(base)
    tuned = np.column_stack([base, [0, 0, 0, 9.0]])
    strongest = weight_changes.find_directions(tuned).outputs[:, :2]
    cosines = weight_changes.best_cosines(own.outputs, strongest)
    assert cosines == pytest.approx([0, 1], abs=1e-12)


def test_size_is_relative_to_the_base():
    assert weight_changes.relative_size(np.full(4, 0.5), np.ones(4)) == pytest.approx(0.5)
    assert np.isnan(weight_changes.relative_size(np.ones(2), np.zeros(2)))
