import torch

from peftcore.methods.common.soft_threshold import root_mean_square, shrink

POSITIONS = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def wanting(*tensors):
    return tuple(tensor.clone().requires_grad_() for tensor in tensors)


def test_the_soft_threshold_moves_towards_zero_and_cuts_off():
    values = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 2.0])
    assert shrink(values, torch.tensor([1.0])).tolist() == [-2.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_the_spread_is_the_root_mean_square():
    assert root_mean_square(torch.tensor([[3.0, 4.0, 0.0, 0.0]])).tolist() == [[2.5]]


def test_the_ways_back_are_those_of_finite_differences():
    limit = root_mean_square(POSITIONS).detach()
    for order in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert order(root_mean_square, wanting(POSITIONS))
        assert order(shrink, wanting(POSITIONS, limit))


def test_positions_of_zeros_send_nothing_back():
    (x,) = wanting(torch.zeros(2, 4))
    root_mean_square(x).sum().backward()
    assert x.grad.tolist() == torch.zeros(2, 4).tolist()


def test_the_ways_back_keep_the_precision_they_came_in():
    (x,) = wanting(POSITIONS.bfloat16())
    shrink(x, root_mean_square(x)).sum().backward()
    assert x.grad.dtype == torch.bfloat16
