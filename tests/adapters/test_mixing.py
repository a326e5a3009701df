"""Members mixed at the coordinates of each row; numbers worked out by hand."""

import pytest
import torch

from peftcore.adapters.mixing import MemberMixture, layer_key
from peftcore.models.structure import OutputColumns

TENSORS = {
    "w:encoder.block.0.q": torch.tensor([[[[1.0], [0.0]], [[3.0], [2.0]]]]),  # (1, 2, i, o)
    "head": torch.tensor([[[10.0], [20.0]]]),  # (1, 2, 1)
}
COORDS = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])  # (1, 2, 2): a vertex, and nearer the other


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("key:encoder.block.0.layer.1.q", "encoder.block.0"),
        ("up:attention.query:decoder.block.11.q", "decoder.block.11"),
        ("head_bias", "head"),
        ("prompt", ""),
    ],
)
def test_the_share_of_a_tensor_is_its_layer_the_head_or_the_rest(name, key):
    assert layer_key(name) == key


def test_a_row_uses_the_mean_of_the_members_at_its_own_point():
    mix = MemberMixture(TENSORS, COORDS)
    assert mix("head", 2).tolist() == [[10.0], [17.5]]
    assert mix("w:encoder.block.0.q", 2).tolist() == [[[1.0], [0.0]], [[2.5], [1.5]]]


def test_beams_repeat_every_row():
    assert MemberMixture(TENSORS, COORDS)("head", 4).flatten().tolist() == [10, 10, 17.5, 17.5]


def test_every_layer_may_have_points_of_its_own():
    coords = torch.stack([COORDS, COORDS.flip(2)])
    mix = MemberMixture(TENSORS, coords, ["encoder.block.0", "head"])
    assert mix("head", 2).flatten().tolist() == [20.0, 12.5]
    assert mix("w:encoder.block.0.q", 2)[0].flatten().tolist() == [1.0, 0.0]


def test_each_row_is_multiplied_by_its_own_matrix():
    mix = MemberMixture(TENSORS, COORDS)
    x = torch.tensor([[[1.0, 1.0]], [[2.0, 0.0]]])  # (n, t, i)
    product = mix.linear_output(x, "w:encoder.block.0.q")
    assert product.tolist() == [[[1.0]], [[5.0]]]
    out = torch.ones(2, 1, 1)
    added = mix.add_linear_output(out, x, "w:encoder.block.0.q", scale=2.0)
    assert torch.equal(added, out + 2 * product)


def test_a_change_of_some_columns_leaves_the_others():
    padded = MemberMixture.pad_columns(torch.ones(1, 2), OutputColumns(1, 3), 4)
    assert padded.tolist() == [[0, 1, 1, 0]]
    per_head = MemberMixture.pad_columns(torch.tensor([[1, 2]]), OutputColumns(1, 2, groups=2), 6)
    assert per_head.tolist() == [[0, 1, 0, 0, 2, 0]]


def test_notes_are_kept_only_if_somebody_asks():
    mix = MemberMixture(TENSORS, COORDS)
    mix.note("x", torch.ones(1))
    assert mix.notes is None
    mix.notes = {}
    mix.note("x", torch.ones(1))
    assert mix.notes["x"].tolist() == [1.0]
