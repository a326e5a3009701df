"""What each key adds: summed over heads and keys it is what the block's own output matrix gave."""

import numpy as np
import pytest
import torch
from support.adapters import random_adapted

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.labs.attention.capture import capture_attention
from peftcore.labs.attention.value_weights import capture_value_weights, output_modules
from peftcore.models.batching import ExampleBatcher

EXAMPLE = Example("1", "a cat sat there", "yes because", "yes")


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama", "bert"])
@pytest.mark.parametrize("method", ["lora", "prefix_tuning"])
def test_parts_sum_to_the_output_and_shares_to_one(tiny, family, method):
    adapted = random_adapted(tiny(family), method, vertices=1)
    weights = capture_attention(adapted, EXAMPLE, 1)
    for kind, pattern in capture_value_weights(adapted, EXAMPLE, 1).items():
        assert pattern.value_gap < 1e-4
        assert pattern.weights.sum(-1) == pytest.approx(1, abs=1e-4)
        assert pattern.keys == weights[kind].keys
        assert not pattern.weights[weights[kind].weights == 0].any()
        assert not np.allclose(pattern.weights, weights[kind].weights, atol=1e-3)


def test_lengths_are_those_of_the_library_by_hand(tiny):
    """GPT-2: weight times value times the head's rows of c_proj, head by head."""
    base = tiny("gpt2")
    plain = unadapted_model(base)
    (pattern,) = capture_value_weights(plain, EXAMPLE).values()
    batch = ExampleBatcher(base, ()).batch([EXAMPLE])
    path = base.structure.attention_blocks[1].path
    record = plain.record_attention(batch, plain.centroid(), [path])[path]
    matrix = base.model.get_submodule(output_modules(base)[path]).weight  # (h · e, d)
    width = base.structure.head_width
    for head in range(base.structure.heads):
        moved = record.value[0, head] @ matrix[head * width : (head + 1) * width]
        lengths = record.weights[0, head, -1] * moved.norm(dim=-1)
        expected = (lengths / lengths.sum()).detach().numpy()
        assert pattern.weights[1, head, -1] == pytest.approx(expected, abs=1e-5)


def test_an_adapter_of_the_output_matrix_counts(tiny):
    base = tiny("llama")
    adapted = random_adapted(base, "lora", vertices=1, components=("attention.output",))
    first = capture_value_weights(adapted, EXAMPLE)["decoder"]
    plain = capture_value_weights(unadapted_model(base), EXAMPLE)["decoder"]
    weights = capture_attention(adapted, EXAMPLE)["decoder"].weights[0]
    own = capture_attention(unadapted_model(base), EXAMPLE)["decoder"].weights[0]
    assert np.allclose(weights, own, atol=1e-5)  # of the first layer, before any change
    assert not np.allclose(first.weights[0], plain.weights[0], atol=1e-3)


def test_every_block_has_its_matrix(tiny):
    for family in ("t5", "bert", "gpt2", "llama"):
        base = tiny(family)
        paths = output_modules(base)
        assert len(set(paths.values())) == len(base.structure.attention_blocks)
        for path in paths.values():
            assert isinstance(base.model.get_submodule(path), torch.nn.Module)
