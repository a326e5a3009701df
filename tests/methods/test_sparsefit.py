import copy

import pytest
import torch
from support.adapters import EXAMPLES, train, train_by_hand, untrained_adapted

from peftcore.errors import BadInput
from peftcore.methods.common.weight_deltas import merged_parameters
from peftcore.models.batching import ExampleBatcher


def test_it_equals_training_the_parameters_that_the_published_patterns_match(tiny):
    """The rule of the official code: a gradient for every parameter whose name matches."""
    base = tiny("t5")
    ours = untrained_adapted(base, "sparsefit")
    batch = ExampleBatcher(base, ()).batch(EXAMPLES)
    model = copy.deepcopy(base.model)
    named = {
        name: parameter.requires_grad_()
        for name, parameter in model.named_parameters()
        if "SelfAttention.q" in name or "layer_norm" in name
    }
    train_by_hand(model, named.values(), batch)
    train(ours, list(ours.tensors.values()), batch)
    merged = merged_parameters(ours.adapter, {name: t[0, 0] for name, t in ours.tensors.items()})
    assert merged.keys() == named.keys()
    for name, values in merged.items():
        torch.testing.assert_close(values, named[name].data, rtol=1e-4, atol=1e-4)
        assert (values - base.model.get_parameter(name)).abs().max() > 0.01


def test_settings_choose_components_stacks_and_layers(tiny):
    made = untrained_adapted(
        tiny("t5"), "sparsefit", components=["cross.key"], stacks=["decoder"], first_layer=1
    )
    assert list(made.tensors) == ["delta:decoder.block.1.layer.1.EncDecAttention.k.weight"]


def test_gpt2_query_alone_leaves_the_other_columns_of_the_matrix(tiny):
    base = tiny("gpt2")
    ours = untrained_adapted(base, "sparsefit", components=["attention.query"])
    for tensor in ours.adapter.tensors.values():
        tensor.data += 1
    merged = merged_parameters(ours.adapter, {name: t[0, 0] for name, t in ours.tensors.items()})
    for name, values in merged.items():
        moved = values - base.model.get_parameter(name)
        torch.testing.assert_close(moved[..., :16], torch.ones_like(moved[..., :16]))
        assert not moved[..., 16:].any()


def test_what_the_base_does_not_have_is_refused_with_what_it_has(tiny):
    with pytest.raises(BadInput, match=r"no cross in layers 0 to 1 .*components all, layernorm"):
        untrained_adapted(tiny("bert"), "sparsefit", components=["cross"])
    with pytest.raises(BadInput, match=r"in layers 7 to 1 .* it has layers 0 to 1"):
        untrained_adapted(tiny("t5"), "sparsefit", first_layer=7)
    with pytest.raises(BadInput, match="components"):
        untrained_adapted(tiny("t5"), "sparsefit", components=["querry"])
