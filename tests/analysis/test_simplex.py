import numpy as np
import pandas as pd
import pytest

from peftcore.analysis import simplex


def test_a_lattice_of_two_steps_has_the_corners_and_the_middles_of_the_sides():
    points = {tuple(p) for p in simplex.triangle_lattice(2)}
    corners = {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    assert points == corners | {(0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)}


def test_a_lattice_reaches_beyond_every_side_and_sums_to_one():
    points = simplex.triangle_lattice(3, beyond=1)
    assert len(points) == 7 * 8 // 2  # a triangle of side 3 + 3 steps
    np.testing.assert_allclose(points.sum(1), 1)
    assert points.min() == pytest.approx(-1 / 3)
    assert np.abs(points - 1 / 3).max(1).min() < 1e-12  # the middle is among them
    assert len(simplex.triangle_lattice(20)) == 231


def test_a_face_with_the_centroid_as_a_corner():
    weights = simplex.face_to_vertex_weights(
        np.array([[0, 0, 1], [0.5, 0.5, 0]]), ("0", "3", "c"), 4
    )
    np.testing.assert_allclose(weights, [[0.25] * 4, [0.5, 0, 0, 0.5]])


def test_corners_lie_on_an_upright_triangle_of_side_one():
    np.testing.assert_allclose(
        simplex.triangle_coords(np.eye(3)), [[0, 0], [1, 0], [0.5, 3**0.5 / 2]]
    )


def test_faces_and_edges_by_name():
    assert simplex.faces(2) == []
    assert simplex.faces(4)[-1] == ("1", "2", "3")
    assert len(simplex.faces(12)) == 220
    assert simplex.edges(2) == [("0", "1"), ("c", "0"), ("c", "1")]
    assert simplex.edges(1) == []


def test_a_cut_goes_from_one_point_to_another_and_beyond():
    t, weights = simplex.line_points(np.array([1.0, 0]), np.array([0.0, 1]), 2, beyond=1)
    np.testing.assert_allclose(t, [-0.5, 0, 0.5, 1, 1.5])
    np.testing.assert_allclose(weights[:, 1], t)


def test_the_barrier_is_the_rise_above_the_straight_line():
    t = np.array([-0.5, 0, 0.25, 0.5, 1, 1.5])
    # The line from 1 to 3 is 1.5 at a quarter and 2 half-way; what lies beyond does not count.
    assert simplex.barrier(t, np.array([9.0, 1, 1.5, 2.7, 3, 9])) == pytest.approx(0.7)
    assert simplex.barrier(t, np.array([0.0, 1, 0, 0, 3, 0])) == 0


def test_faces_worth_looking_at():
    middles = {("0", "1", "2"): 1.0, ("0", "1", "3"): 3.0, ("0", "2", "3"): 1.5}
    found = simplex.suggest_faces([2.0, 1.0, 0.0, 3.0], middles)
    assert [(o.reason, o.face) for o in found] == [
        ("best", ("0", "1", "2")),  # corners' mean 1: no bend
        ("worst", ("0", "1", "3")),  # corners' mean 2: bends by 1
        ("most curved", ("0", "1", "3")),  # corners' mean 5/3: bends by 1/6
    ]
    assert simplex.suggest_faces([1.0, 2.0], {}) == []


def corners_and_gram(corners):
    corners = np.array(corners, dtype=float)
    return corners, corners @ corners.T


def test_the_plane_through_three_corners_keeps_distances():
    corners, gram = corners_and_gram([[1, 1, 0, 0], [4, 1, 0, 0], [1, 5, 0, 0]])
    plane = simplex.plane_through(gram)
    at = plane.project(gram, np.eye(3))
    np.testing.assert_allclose(at, [[0, 0], [3, 0], [0, 4]], atol=1e-12)
    np.testing.assert_allclose(plane.weights(at), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(plane.weights(np.array([[1.5, 2]])) @ corners, [[2.5, 3, 0, 0]])


def test_three_corners_on_a_line_span_no_plane():
    _, gram = corners_and_gram([[0, 0], [1, 1], [2, 2]])
    with pytest.raises(ValueError, match="on a line"):
        simplex.plane_through(gram)
    with pytest.raises(ValueError, match="on a line"):
        simplex.main_plane(gram)


def test_the_main_plane_finds_the_directions_of_largest_spread():
    # Spread 2·9 along the first axis, 2·4 along the second, 2·1 along the third.
    points = [[3, 0, 0], [-3, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 1], [0, 0, -1]]
    corners, gram = corners_and_gram(points)
    plane = simplex.main_plane(gram)
    np.testing.assert_allclose(plane.shares, [18 / 28, 8 / 28])
    at = plane.project(gram, np.eye(6))
    np.testing.assert_allclose(np.abs(at[0]), [3, 0], atol=1e-9)
    np.testing.assert_allclose(np.abs(at[2]), [0, 2], atol=1e-9)
    np.testing.assert_allclose(at[4], [0, 0], atol=1e-9)
    for direction in (plane.first @ corners, plane.second @ corners):
        np.testing.assert_allclose(np.linalg.norm(direction), 1)
    np.testing.assert_allclose(plane.weights(at).sum(1), 1)


def test_a_window_surrounds_its_points():
    grid = simplex.plane_grid(np.array([[0.0, 0], [2, 4]]), 3, margin=0.5)
    assert len(grid) == 16
    np.testing.assert_allclose([grid.min(0), grid.max(0)], [[-1, -2], [3, 6]])


def test_a_raster_of_a_flat_slope_is_the_slope():
    at = simplex.triangle_coords(simplex.triangle_lattice(4))
    x, y, z = simplex.raster(at, 2 * at[:, 0] - at[:, 1] + 5, size=21)
    inside = np.isfinite(z)
    wanted = 2 * x[None, :] - y[:, None] + 5
    np.testing.assert_allclose(z[inside], wanted[inside], atol=1e-6)
    assert 0.4 < inside.mean() < 0.6  # a triangle fills half of its box
    assert np.isnan(z[-1, 0])


def test_a_raster_needs_three_points_that_are_not_in_line():
    line = np.array([[0.0, 0], [1, 1], [2, 2]])
    assert simplex.raster(line, np.ones(3))[2].size == 0
    assert simplex.raster(line[:2], np.ones(2))[2].size == 0
    square = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    assert simplex.raster(square, np.array([1, np.nan, np.nan, np.nan]))[2].size == 0


def test_triangles_lie_between_neighbours_and_never_in_line():
    at = simplex.triangle_coords(simplex.triangle_lattice(4))
    found = simplex.triangles(at)
    assert len(found) == 16  # a triangle of side four is sixteen of side one
    sides = np.linalg.norm(at[found] - at[np.roll(found, 1, 1)], axis=-1)
    np.testing.assert_allclose(sides, 1 / 4)
    assert simplex.triangles(np.array([[0.0, 0], [1, 1], [2, 2], [3, 3]])).shape == (0, 3)
    assert simplex.triangles(np.empty((0, 2))).shape == (0, 3)


def test_a_triangle_is_cut_in_four_at_the_middles_of_its_sides():
    points = np.array([[0.0, 0, 0], [2, 0, 2], [0, 2, 4], [2, 2, 6]])
    fine, corners = simplex.subdivide_triangles(points, np.array([[0, 1, 2], [1, 3, 2]]))
    assert (len(fine), len(corners)) == (4 + 5, 8)  # the side they share has one middle
    assert [1, 1, 3] in fine.tolist()
    a, b, c = (fine[corners[:, k], :2] for k in range(3))
    areas = np.abs(np.linalg.det(np.stack([b - a, c - a], 1))) / 2
    np.testing.assert_allclose(areas, 0.5)


def test_the_lowest_point_that_is_known():
    table = pd.DataFrame({"loss": [3.0, None, 1.0, 2.0]})
    assert simplex.lowest_row(table) == 2
    assert simplex.lowest_row(table, highest=True) == 0
    assert simplex.lowest_row(table.iloc[1:2]) is None


def test_a_curve_leaves_and_arrives_at_its_ends():
    np.testing.assert_allclose(
        simplex.bezier_weights(np.array([0, 0.5, 1])), [[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]]
    )
