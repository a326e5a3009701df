"""What a hook hands to an adapter: rows and positions apart, and rows of a table."""

import torch
from torch import nn

from peftcore.adapters.mixing import ACTIVE_MIXTURE, MemberMixture
from peftcore.adapters.module_hooks import add_output_hook, module_input


class Plus:
    """Adds one to the outputs of its target and remembers their shape."""

    def transform_output(self, path, x, out, mix):
        self.shapes = tuple(x.shape), tuple(out.shape)
        return out + 1


class CountedTable(nn.Embedding):
    """Counts positions by itself, two further, as BART's does."""

    offset = 2


def test_rows_and_positions_in_one_axis_are_told_apart_and_joined_again():
    model, plus = nn.Sequential(nn.Linear(2, 3)), Plus()
    x = torch.randn(6, 2)
    plain = model(x)
    add_output_hook(model, plus, "0")
    assert torch.equal(model(x), plain), "nothing is active"
    token = ACTIVE_MIXTURE.set(MemberMixture({}, torch.ones(2, 1, 1)))
    try:
        assert torch.equal(model(x), plain + 1)
        assert plus.shapes == ((2, 3, 2), (2, 3, 3))
        model(torch.randn(2, 5, 2))
        assert plus.shapes == ((2, 5, 2), (2, 5, 3))
    finally:
        ACTIVE_MIXTURE.reset(token)


def test_a_hook_can_be_told_where_not_to_be_active():
    model = nn.Sequential(nn.Linear(2, 3))
    add_output_hook(model, Plus(), "0", lambda: False)
    token = ACTIVE_MIXTURE.set(MemberMixture({}, torch.ones(1, 1, 1)))
    try:
        assert torch.equal(model(torch.zeros(1, 1, 2))[0, 0], model[0].bias)
    finally:
        ACTIVE_MIXTURE.reset(token)


def test_a_table_that_counts_by_itself_is_asked_which_rows_it_reads():
    words = torch.zeros(2, 3, dtype=torch.long)
    table = CountedTable(9, 4)
    assert module_input(table, (words,), {}).tolist() == [[2, 3, 4]] * 2
    at = {"position_ids": torch.tensor([5])}
    assert module_input(table, (words,), at).tolist() == [[7]] * 2
    assert module_input(nn.Embedding(9, 4), (words,), at) is words
