"""Model families are found by the type that a configuration names."""

import re

import pytest
from support.bases import FAMILIES as TESTED

from peftcore.errors import BadInput
from peftcore.models.architectures import FAMILIES, find_architecture, supported_families


@pytest.mark.parametrize(
    ("name", "same"), [("mt5", "t5"), ("mistral", "llama"), ("qwen2", "llama"), ("umt5", "t5")]
)
def test_families_built_alike_share_an_entry(name, same):
    assert find_architecture(name) is find_architecture(same)


def test_a_family_works_or_says_why_not():
    for family in FAMILIES.values():
        assert bool(family.architecture) != bool(family.refused), family.name
    assert {"t5", "bert", "roberta", "gpt2", "llama"} <= set(supported_families())


def test_a_known_family_is_refused_by_name_of_the_base_with_the_reason_and_what_works():
    with pytest.raises(BadInput) as refused:
        find_architecture("albert", "mine")
    message = str(refused.value)
    assert message.startswith("base 'mine': the family ALBERT (albert) is not supported, ")
    assert message.endswith(", ".join(supported_families()))


def test_an_unknown_family_gets_those_there_are():
    with pytest.raises(BadInput, match=r"no model family 'gpt-2'; did you mean 'gpt2'"):
        find_architecture("gpt-2")


@pytest.mark.parametrize("family", TESTED)
def test_every_pattern_of_attention_matches_modules_of_the_family(tiny, family):
    base = tiny(family)
    names = [name for name, _ in base.model.named_modules()]
    bare = [name.removeprefix("transformer.").removeprefix("model.") for name in names]
    for pattern in find_architecture(base.model.config.model_type).attention_modules.values():
        assert any(re.fullmatch(pattern, name) for name in (*names, *bare)), pattern
