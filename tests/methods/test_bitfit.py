import pytest
from support.adapters import untrained_adapted

from peftcore.errors import BadInput


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_all_biases_and_nothing_else_are_trained(tiny, family):
    base = tiny(family)
    made = untrained_adapted(base, "bitfit").adapter.tensors
    biases = [p for name, p in base.model.named_parameters() if name.endswith(".bias")]
    assert biases
    assert sum(t.numel() for t in made.values()) == sum(p.numel() for p in biases)
    assert all(name.endswith(".bias") for name in made)


@pytest.mark.parametrize("family", ["t5", "llama"])
def test_a_base_without_biases_is_refused_with_what_to_take_instead(tiny, family):
    with pytest.raises(BadInput, match=r"has no bias vectors.*SparseFit with components layernorm"):
        untrained_adapted(tiny(family), "bitfit")


def test_biases_of_some_components_can_be_chosen(tiny):
    made = untrained_adapted(
        tiny("bert"), "bitfit", components=["attention.query", "ffn"]
    ).adapter.tensors
    assert len(made) == 2 * 3
    with pytest.raises(BadInput, match=r"no biases in its embeddings; .*all, layernorm"):
        untrained_adapted(tiny("bert"), "bitfit", components=["embeddings"])
