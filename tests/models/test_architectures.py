"""Model families are found by the type that a configuration names."""

import re

import pytest
from support.bases import FAMILIES

from peftcore.errors import BadInput
from peftcore.models.architectures import ARCHITECTURES, SAME_ARCHITECTURE, find_architecture


@pytest.mark.parametrize(("name", "same"), SAME_ARCHITECTURE.items())
def test_families_built_alike_share_an_entry(name, same):
    assert find_architecture(name) is ARCHITECTURES[same]


def test_an_unknown_family_gets_those_there_are():
    with pytest.raises(BadInput, match=r"no model family 'gpt-2'; did you mean 'gpt2'"):
        find_architecture("gpt-2")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pattern_of_attention_matches_modules_of_the_family(tiny, family):
    base = tiny(family)
    names = [name for name, _ in base.model.named_modules()]
    bare = [name.removeprefix("transformer.").removeprefix("model.") for name in names]
    for pattern in find_architecture(base.model.config.model_type).attention_modules.values():
        assert any(re.fullmatch(pattern, name) for name in (*names, *bare)), pattern
