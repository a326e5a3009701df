"""Parts of a base by component and stack; what is not there is passed over or refused."""

import pytest

from peftcore.errors import BadInput
from peftcore.models import target_modules


def paths(base, components, stacks=("encoder", "decoder")):
    return [part.path for part in target_modules.select_target_slices(base, components, stacks)]


def test_parts_of_a_stack_are_those_below_it(tiny):
    found = paths(tiny("t5"), ["attention.query"], ("decoder",))
    assert found == [f"decoder.block.{n}.layer.0.SelfAttention.q" for n in (0, 1)]


def test_a_base_of_one_stack_has_its_parts_whatever_stack_is_named(tiny):
    assert len(paths(tiny("bert"), ["attention.query"], ("decoder",))) == 2


def test_components_a_base_does_not_have_are_passed_over_if_others_are_there(tiny):
    base = tiny("bert")
    wanted = ["attention.query", "cross.query"]
    assert paths(base, wanted) == paths(base, ["attention.query"])


def test_no_part_at_all_is_refused_with_those_there_are(tiny):
    with pytest.raises(BadInput, match=r"has no cross.query .* one of: .*attention.query"):
        paths(tiny("bert"), ["cross.query"])


def test_a_part_named_twice_is_one(tiny):
    base = tiny("t5")
    assert paths(base, ["attention.query"] * 2) == paths(base, ["attention.query"])


@pytest.mark.parametrize(("family", "name"), [("t5", "wo"), ("llama", "down_proj")])
def test_the_last_matrix_of_a_block_writes_to_the_residual_stream(tiny, family, name):
    base = tiny(family)
    last = [part.path.rpartition(".")[2] for part in target_modules.ffn_output_slices(base)]
    assert set(last) == {name}
    assert len(last) == len(target_modules.ffn_slices_by_block(base))


@pytest.mark.parametrize(
    ("first", "last", "found"), [(0, None, [0, 1]), (1, None, [1]), (0, 0, [0])]
)
def test_a_range_of_layers_keeps_the_parts_within(tiny, first, last, found):
    layers = target_modules.LayerRange(first_layer=first, last_layer=last)
    parts = target_modules.select_target_slices(
        tiny("llama"), ["attention.query"], ["decoder"], layers
    )
    assert [part.layer for part in parts] == found


def test_layers_a_base_does_not_have_are_refused_with_how_many_it_has(tiny):
    layers = target_modules.LayerRange(first_layer=7)
    with pytest.raises(BadInput, match=r"from layer 7 on; it has 2 layers"):
        target_modules.select_target_slices(tiny("llama"), ["attention.query"], ["decoder"], layers)
