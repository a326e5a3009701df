"""States of layers, taken out of a pass and put into another."""

import torch

from peftcore.labs.attention.inner_passes import put_in_place


def test_states_are_exchanged_from_the_right():
    out, states = torch.zeros(4, 1), torch.arange(1.0, 3.0)[:, None]
    assert put_in_place(out, states)[:, 0].tolist() == [0, 0, 1, 2]
    assert put_in_place(torch.zeros(1, 1), states)[:, 0].tolist() == [2]
