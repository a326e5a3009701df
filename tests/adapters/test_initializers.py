"""Initial values: of a seed alone, of the shape asked for, drawn from tables without repetition."""

import pytest
import torch

from peftcore.adapters.initializers import SeededInitializer


def test_a_seed_draws_the_same_values_in_any_company():
    together = SeededInitializer([3, 7], 2).normal(4, 5, std=1.0)
    assert together.shape == (2, 2, 4, 5)
    assert torch.equal(together[1], SeededInitializer([7], 2).normal(4, 5, std=1.0)[0])


def test_vertices_draw_values_of_their_own_unless_they_share_them():
    initializer = SeededInitializer([0], 3)
    own, shared = initializer.normal(2, std=1.0), initializer.shared.normal(2, std=1.0)
    assert not torch.equal(own[0, 0], own[0, 1])
    assert shared.shape == (1, 1, 2)


def test_the_standard_deviation_is_the_one_asked_for():
    drawn = SeededInitializer([0], 1).normal(200, 200, std=0.02)
    assert float(drawn.std()) == pytest.approx(0.02, rel=0.02)


def test_rows_of_a_table_come_twice_only_where_it_is_too_short():
    table = torch.arange(5.0)[:, None]
    rows = SeededInitializer([0, 1], 2).sample_rows(table, 5)
    assert all(sorted(one.flatten().tolist()) == [0, 1, 2, 3, 4] for one in rows.flatten(0, 1))
    longer = SeededInitializer([0], 1).sample_rows(table, 7)[0, 0]
    assert longer.shape == (7, 1)
    assert longer.unique().tolist() == [0, 1, 2, 3, 4]


def test_given_values_go_to_every_member_and_can_be_changed_alone():
    values = torch.tensor([1.0, 2.0])
    drawn = SeededInitializer([0, 1], 2).repeat_values(values)
    drawn[0, 0] += 1
    assert values.tolist() == [1, 2]
    assert drawn[1, 1].tolist() == [1, 2]


def test_on_meta_there_are_shapes_and_no_numbers():
    initializer = SeededInitializer([0, 1], 3, "meta")
    for drawn in (initializer.normal(4, std=1.0), initializer.constant(4, value=1.0)):
        assert drawn.shape == (2, 3, 4)
        assert drawn.device.type == "meta"
