"""The tree of what trains: nothing is lost, and each part stands where it belongs."""

import pytest
from support.adapters import untrained_adapted

from peftcore.adapters.base import METHODS
from peftcore.adapters.trained_parts import list_trained_parts, planned_parts
from peftcore.errors import BadInput


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_parts_sum_to_what_one_seed_trains(tiny, family, method):
    try:
        adapted = untrained_adapted(tiny(family), method, seeds=(0, 1))
    except BadInput:
        return  # the method does not suit this kind of base
    parts = list_trained_parts(adapted.adapter, adapted.tensors)
    assert sum(part.count for part in parts) == adapted.trainable_count
    assert {part.stack for part in parts} <= {
        *("encoder", "decoder", "input", "head"),
        *("embeddings", "embeddings + head"),
    }


def test_lora_stands_in_its_layers(tiny):
    parts = planned_parts(tiny("t5"), "lora", {"rank": 3})
    assert {(part.stack, part.layer) for part in parts} == {("decoder", 0), ("decoder", 1)}
    assert {part.tensor for part in parts} == {"down", "up"}
    query = [part for part in parts if part.component == "attention.query"]
    assert [part.count for part in query] == [16 * 3] * 4


def test_a_prefix_stands_in_its_kind_of_attention(tiny):
    parts = planned_parts(tiny("t5"), "prefix_tuning", {"length": 2})
    assert {(part.stack, part.component) for part in parts} == {
        ("encoder", "attention"),
        ("decoder", "attention"),
        ("decoder", "cross"),
    }
