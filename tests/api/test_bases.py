"""Base models for notebooks: by name, or in memory."""

import pytest
from support.bases import build_tiny

from peftcore.api.bases import list_bases, load_base
from peftcore.errors import BadInput


def test_bases_that_ship_are_listed_with_their_kinds():
    kinds = list_bases()["kind"]
    assert kinds["tiny-t5"] == "encoder-decoder"
    assert kinds["tiny-bert"] == "encoder"


def test_a_model_in_memory_is_named_by_its_weights():
    one, same, other = (build_tiny("gpt2", seed) for seed in (0, 0, 1))
    names = [load_base(b.model, b.tokenizer, name="mine").name for b in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("mine-") for name in names)


def test_a_model_in_memory_needs_its_tokenizer_and_a_stored_one_none():
    base = build_tiny("gpt2")
    with pytest.raises(BadInput, match="needs its tokenizer"):
        load_base(base.model)
    with pytest.raises(BadInput, match="for a model in memory"):
        load_base("tiny-t5", base.tokenizer)
