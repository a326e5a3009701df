"""Attention inside the library's modules is led to our function, and back."""

import copy

import pytest
from support.families import build_family

from peftcore.models.base_model import restore_library_modules
from peftcore.models.own_attention import REACHED


@pytest.mark.parametrize("name", ["gpt_neo", "mpnet"])
def test_modules_change_their_class_and_get_it_back(name):
    base = build_family(name)
    classes = {type(module) for module in base.model.modules()}
    assert classes & set(REACHED.values())
    assert not classes & REACHED.keys()
    theirs = restore_library_modules(copy.deepcopy(base.model))
    classes = {type(module) for module in theirs.modules()}
    assert classes & REACHED.keys()
    assert not classes & set(REACHED.values())


def test_a_bias_by_distance_is_trained_for_each_row_of_its_own():
    """MPNet has it in the encoder, and not in the first block as T5."""
    weights = build_family("mpnet").structure.select_weights(["attention.relative"])
    assert [weight.name for weight in weights] == ["encoder.relative_attention_bias.weight"]
