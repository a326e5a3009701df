"""Measures of soft prompts, against values worked out by hand."""

import numpy as np
import pytest

from peftcore.analysis import scaling


def rows(*values):
    return np.array(values, dtype=float)


def test_length_of_a_row():
    assert scaling.row_norms(rows([3, 4], [0, 2])).tolist() == [5.0, 2.0]


def test_scale_of_a_token_is_recovered_with_its_sign():
    before = rows([1, 2], [3, 0], [1, 1])
    assert scaling.best_scales(before, before * rows([2], [-0.5], [0])).tolist() == [2.0, -0.5, 0.0]


def test_scale_of_a_feature_vector_is_the_best_single_number():
    # minimise (2 − s)² + (4 − s)²: s = 3
    assert scaling.best_scales(rows([1, 1]), rows([2, 4])).tolist() == [3.0]


def test_a_token_of_zeros_has_no_scale():
    assert np.isnan(scaling.best_scales(rows([0, 0]), rows([1, 1]))).all()


def test_distance_of_means():
    assert scaling.mean_distance(rows([0, 0], [2, 0]), rows([4, 4])) == 5.0


def test_energy_distance_of_four_points():
    # x in {0, 2}, y in {3, 5}: 2 · 3 − 1 − 1, where means are over all pairs, own ones included
    assert scaling.energy_distance(rows([0], [2]), rows([3], [5])) == pytest.approx(4.0)


def test_kernel_distance_of_two_points():
    # one pair, so the median distance is its own: 1 + 1 − 2 exp(−1/2)
    found = scaling.kernel_distance(rows([0, 0]), rows([3, 4]))
    assert found == pytest.approx(2 - 2 * np.exp(-0.5))


@pytest.mark.parametrize("distance", [scaling.energy_distance, scaling.kernel_distance])
def test_equal_samples_are_at_no_distance(distance):
    sample = np.random.default_rng(0).normal(size=(6, 3))
    assert distance(sample, sample[::-1]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["energy", "kernel"])
def test_exchange_of_rows_knows_apart_from_alike(kind):
    rng = np.random.default_rng(1)
    words = rng.normal(size=(40, 5))
    alike = scaling.permutation_test(rng.normal(size=(10, 5)), words, kind, permutations=199)
    far = scaling.permutation_test(rng.normal(size=(10, 5)) + 3, words, kind, permutations=199)
    assert alike.p > 0.05
    assert alike.low <= alike.value <= alike.high
    assert far.p == 1 / 200
    assert far.value > far.high


def test_exchange_counts_every_assignment_that_reaches_the_value():
    # two against two on a line: of six assignments the two extreme ones reach the value
    found = scaling.permutation_test(rows([0], [1]), rows([10], [11]), "energy", permutations=3000)
    assert found.value == pytest.approx(2 * 10 - 0.5 - 0.5)
    assert found.p == pytest.approx(1 / 3, abs=0.03)


def test_nearest_words_by_direction_whatever_their_length():
    table = rows([10, 0], [0, 1], [1, 1])
    places, cosines = scaling.nearest_rows(rows([2, 1.9], [0, 5]), table, 2)
    assert places.tolist() == [[2, 0], [1, 2]]
    assert cosines[1].tolist() == pytest.approx([1.0, 2**-0.5])


def test_a_vocabulary_gone_through_in_parts_has_the_same_nearest_words(monkeypatch):
    rng = np.random.default_rng(0)
    prompt, table = rng.standard_normal((4, 3)), rng.standard_normal((50, 3))
    table[40] = table[7] * 2  # as near: the earlier one comes first
    whole = scaling.nearest_rows(prompt, table, 5)
    monkeypatch.setattr(scaling, "TABLE_CHUNK", 6)
    in_parts = scaling.nearest_rows(prompt, table, 5)
    assert whole[0].tolist() == in_parts[0].tolist()
    assert whole[1] == pytest.approx(in_parts[1])
    assert scaling.nearest_rows(table[[7]], table, 2)[0].tolist() == [[7, 40]]


def test_the_gap_by_every_measure():
    prompt, words = rows([0, 6], [0, 4]), rows([0, 1], [2, 0], [0, 3])
    found = scaling.representation_gap(prompt, words, words, permutations=19)
    assert found.norm_ratio == pytest.approx(5 / 2)
    assert found.cosine == pytest.approx(1.0)
    assert found.energy.value == pytest.approx(scaling.energy_distance(prompt, words))
    assert found.kernel.value == pytest.approx(scaling.kernel_distance(prompt, words))
    shown = {name: measure.value(found) for name, measure in scaling.MEASURES.items()}
    assert shown["mean_distance"] == pytest.approx(np.hypot(2 / 3, 5 - 4 / 3))


def test_distance_travelled_counts_from_the_start():
    path = rows([[0, 0]], [[3, 4]], [[0, 1]])
    assert scaling.distance_from_start(path)[:, 0].tolist() == [0.0, 5.0, 1.0]
    assert scaling.path_distance(path, path[::-1])[:, 0].tolist() == [1.0, 0.0, 1.0]


def test_a_move_is_split_along_and_across_per_step():
    # from (2, 0) by (+3, +4) in 10 steps, then from (5, 4) straight back towards zero in 5
    path = rows([[2, 0]], [[5, 4]], [[2.5, 2]])
    along, across = scaling.length_and_sideways_speeds(path, [0, 10, 15])
    assert along[:, 0].tolist() == pytest.approx([0.3, -np.hypot(2.5, 2) / 5])
    assert across[:, 0].tolist() == pytest.approx([0.4, 0.0])


def test_plain_gradient_descent_on_vector_and_scale_moves_as_the_factors_say():
    rng = np.random.default_rng(2)
    vector, gradient, scale = rng.normal(size=5), rng.normal(size=5), 1.7
    rate, ratio = 1e-6, 0.3
    # the derivative of the vector is s g, that of the scale <g, P>
    after = (vector - rate * scale * gradient) * (scale - rate * ratio * gradient @ vector)
    move = (after - scale * vector) / -rate
    unit = vector / np.linalg.norm(vector)
    across, along = scaling.step_factors(
        np.array([scale]), np.array([np.linalg.norm(vector)]), ratio
    )
    assert move @ unit == pytest.approx(along[0] * (gradient @ unit), rel=1e-4)
    side = gradient - (gradient @ unit) * unit
    assert move - (move @ unit) * unit == pytest.approx(across[0] * side, rel=1e-4)


def test_factors_by_hand():
    scale, length = np.array([2.0, -1.0]), np.array([3.0, 1.0])
    across, along = scaling.step_factors(scale, length, 0.5)
    assert (across.tolist(), along.tolist()) == ([4.0, 1.0], [8.5, 1.5])
    across, along = scaling.step_factors(scale, length, 0.5, "adamw")
    assert (across.tolist(), along.tolist()) == ([2.0, 1.0], [3.5, 1.5])


def test_plane_of_a_flat_cloud_keeps_every_distance():
    cloud = rows([0, 0, 1], [4, 0, 1], [4, 2, 1], [0, 2, 1])
    plane = scaling.principal_plane(cloud)
    places = plane.project(cloud)
    assert np.abs(places) == pytest.approx(np.tile([2.0, 1.0], (4, 1)))
    # variance 16 of 20 lies along the long side
    assert plane.shares == pytest.approx((0.8, 0.2))


def test_spread_over_seeds_is_a_deviation_between_the_lowest_and_the_highest():
    assert scaling.seed_spread([3.0, 1.0, 2.0]) == scaling.SeedSpread(1.0, 1.0, 3.0, 3)
    assert scaling.seed_spread([1.0]) == scaling.SeedSpread(None, None, None, 1)
    assert scaling.seed_spread([1.0, float("nan"), 1.0]).deviation == 0.0
