import pytest
from support.bases import FAMILIES

from peftcore.errors import BadInput


@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_of_the_model_is_in_exactly_one_weight(tiny, family):
    """The tiny encoder comes without a pooler."""
    base = tiny(family)
    assert sum(w.size for w in base.structure.weights) == base.parameter_count
    keys = [w.key for w in base.structure.weights]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_have_the_shape_of_their_parameter_less_the_other_shares(tiny, family):
    base = tiny(family)
    shapes = {name: tuple(p.shape) for name, p in base.model.named_parameters()}
    for weight in base.structure.weights:
        *front, last = shapes[weight.name]
        start, stop = weight.columns or (0, last)
        assert weight.shape == (*front, stop - start)


def names(base, *components, **limits):
    return {w.key for w in base.structure.select_weights(components or ("all",), **limits)}


def test_self_attention_of_t5_has_the_relative_bias_and_leaves_cross_attention_out(tiny):
    found = names(tiny("t5"), "attention")
    assert len(found) == 2 * 2 * 4 + 2  # stacks, layers, matrices; a table for each stack
    assert all("SelfAttention" in name for name in found)
    assert all("EncDecAttention" in name for name in names(tiny("t5"), "cross"))
    assert len(names(tiny("t5"), "cross")) == 2 * 4


def test_layernorm_is_what_the_published_patterns_match(tiny):
    """T5's pattern has the two final norms; Llama's has not, where the final one is `norm`."""
    assert sum("final_layer_norm" in name for name in names(tiny("t5"), "layernorm")) == 2
    assert len(names(tiny("t5"), "layernorm")) == 2 * 2 + 2 * 3 + 2
    assert len(names(tiny("llama"), "layernorm")) == 2 * 2
    assert names(tiny("llama"), "layernorm.final") == {"model.norm.weight"}
    assert len(names(tiny("gpt2"), "layernorm")) == 2 * (2 * 2 + 1)
    assert len(names(tiny("bert"), "layernorm")) == 2 * (2 * 2 + 1)


def test_tied_words_and_head_are_one_weight(tiny):
    assert names(tiny("t5"), "head") == names(tiny("t5"), "embeddings") == {"shared.weight"}
    (shared,) = tiny("t5").structure.select_weights(["head"])
    assert set(shared.module_paths) == {
        "shared",
        "encoder.embed_tokens",
        "decoder.embed_tokens",
        "lm_head",
    }
    assert names(tiny("llama"), "head") == {"lm_head.weight"}
    assert names(tiny("llama"), "embeddings") == {"model.embed_tokens.weight"}


def test_gpt2_keeps_three_components_in_one_matrix(tiny):
    query = tiny("gpt2").structure.select_weights(["attention.query"])
    assert [w.columns for w in query] == [(0, 16)] * 4  # weight and bias in two layers
    assert {w.shape for w in query} == {(16, 16), (16,)}
    assert {w.columns for w in tiny("gpt2").structure.select_weights(["attention.value"])} == {
        (32, 48)
    }


def test_bias_cuts_across_components(tiny):
    found = names(tiny("bert"), "bias")
    assert all(name.endswith(".bias") for name in found)
    assert found & names(tiny("bert"), "layernorm")
    assert not names(tiny("t5"), "bias")


def test_a_stack_is_chosen_without_what_both_share(tiny):
    found = names(tiny("t5"), stacks=("encoder",))
    assert found
    assert all(name.startswith("encoder.") for name in found)
    assert "shared.weight" in names(tiny("t5"))
    assert "shared.weight" in names(tiny("t5"), "all", "head", stacks=("encoder",))
    assert names(tiny("bert"), stacks=("decoder",)) == names(tiny("bert"))  # it has but one


def test_layers_are_chosen_with_the_norms_next_to_them(tiny):
    upper = names(tiny("gpt2"), "layernorm", first=1)
    lower = names(tiny("gpt2"), "layernorm", last=0)
    assert upper | lower == names(tiny("gpt2"), "layernorm")
    assert not upper & lower
    assert "transformer.ln_f.weight" in upper
    assert not names(tiny("gpt2"), first=1) & names(tiny("gpt2"), "embeddings")
    with pytest.raises(BadInput, match="must not lie before the first; got 2 to 1"):
        tiny("gpt2").structure.select_weights(first=2, last=1)


def test_a_base_says_by_what_its_weights_can_be_chosen(tiny):
    assert "bias" not in tiny("t5").structure.choices
    assert "head" not in tiny("bert").structure.choices
    assert {"cross", "attention.relative"} <= set(tiny("t5").structure.choices)
