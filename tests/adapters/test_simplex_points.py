import torch
from hypothesis import given
from hypothesis import strategies as st

from peftcore.adapters.simplex_points import random_points, vertex_coords


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 10**6), st.integers(0, 10**6))
def test_points_lie_on_the_simplex_and_depend_on_their_own_seed_only(v, rows, seed, salt):
    points = random_points([seed, seed + 1], rows, v, salt)
    assert points.shape == (2, rows, v)
    assert (points >= 0).all()
    torch.testing.assert_close(points.sum(-1), torch.ones(2, rows))
    assert torch.equal(random_points([seed + 1], rows, v, salt)[0], points[1])


def test_moments_of_the_flat_dirichlet():
    """Mean 1/n and variance (n-1)/(n²(n+1)): 0.019841 for six corners."""
    points = random_points([0], 200_000, 6, 1)[0]
    torch.testing.assert_close(points.mean(0), torch.full((6,), 1 / 6), atol=2e-3, rtol=0)
    torch.testing.assert_close(points.var(0), torch.full((6,), 0.019841), atol=5e-4, rtol=0)


def test_a_vertex_is_one_hot():
    assert vertex_coords(2, 1, 3).tolist() == [[[0, 1, 0]]] * 2


def test_layers_draw_points_of_their_own_with_the_same_moments():
    points = random_points([0, 1], 20_000, 3, 5, layers=4)
    assert points.shape == (4, 2, 20_000, 3)
    torch.testing.assert_close(points.mean(2), torch.full((4, 2, 3), 1 / 3), atol=1e-2, rtol=0)
    first, second = points[0, 0, :, 0], points[1, 0, :, 0]
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.03
