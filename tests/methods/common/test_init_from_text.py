import pytest
import torch
from support.bases import FAMILIES

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.errors import BadInput
from peftcore.methods.common import init_from_text

TEXT = "what is it?"  # eleven signs, one token each


def started(base, method, seeds=(0, 1), vertices=2, **settings):
    """An adapted base exactly as training finds it."""
    recipe, draw = METHODS[method], SeededInitializer(seeds, vertices)
    config = recipe.Config.make({"start": "text", "text": TEXT} | settings)
    return AdaptedModel(base, recipe(base, config, draw), draw)


@pytest.mark.parametrize("method", ["prompt_tuning", "spt"])
@pytest.mark.parametrize(("length", "wanted"), [(4, "what"), (14, "what is it?wha")])
def test_a_prompt_starts_as_the_texts_words_repeated_or_cut(tiny, method, length, wanted):
    base = tiny("gpt2")
    tokens = started(base, method, length=length).tensors["tokens"]
    ids = base.tokenizer(wanted, add_special_tokens=False).input_ids
    assert torch.equal(tokens, base.embeddings[ids].expand(2, 2, length, -1))


@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning"])
def test_an_empty_text_is_refused(tiny, method):
    with pytest.raises(BadInput, match="needs a text with at least one token; got ''"):
        started(tiny("t5"), method, length=4, text="")


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_prefix_of_a_text_is_the_base_reading_that_text_first(tiny, family):
    """Rotated keys stand right in front of the content; learned positions begin again after it."""
    base, length = tiny(family), 11
    ours = started(base, "prefix_tuning", (0,), 1, length=length)
    content = torch.tensor([[9, 20, 11, 8, 6]])
    words = torch.cat([init_from_text.token_ids(base, TEXT)[None], content], 1)
    with ours.active(ours.centroid(), 1, None):
        mine = ours.model(input_ids=content, attention_mask=torch.ones_like(content)).logits
    again = torch.cat([torch.arange(length), torch.arange(5)])[None]
    positions = {"position_ids": again} if family == "gpt2" else {}
    theirs = base.model(input_ids=words, attention_mask=torch.ones_like(words), **positions).logits
    torch.testing.assert_close(mine, theirs[:, length:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_attention_gets_the_keys_and_values_it_would_have_made(tiny, family):
    base = tiny(family)
    sites = [site.path for site in base.structure.attention_blocks]
    found = init_from_text.text_keys_and_values(base, TEXT, 5, sites)
    assert set(found) == set(sites)
    for keys, values in found.values():
        shape = (base.structure.kv_heads, 5, base.structure.head_width)
        assert keys.shape == values.shape == shape
        assert not torch.allclose(keys, values)


def test_cross_attention_gets_the_keys_of_the_encoded_text(tiny):
    base = tiny("t5")
    site = "decoder.block.1.layer.1.EncDecAttention"
    keys, _ = init_from_text.text_keys_and_values(base, TEXT, 5, [site])[site]
    states = base.model.encoder(init_from_text.token_ids(base, TEXT)[None]).last_hidden_state
    wanted = base.model.get_submodule(site).k(states)[0, :5].view(5, 2, 8).transpose(0, 1)
    torch.testing.assert_close(keys, wanted)


def test_a_text_shorter_than_the_prefix_is_refused_with_both_lengths(tiny):
    with pytest.raises(BadInput, match=r"prefix of length 12 needs .*'what is it\?' has 11"):
        started(tiny("t5"), "prefix_tuning", length=12)


def test_a_perceptron_cannot_start_from_a_text(tiny):
    with pytest.raises(BadInput, match="set perceptron to 0"):
        started(tiny("t5"), "prefix_tuning", length=4, perceptron=5)


@pytest.mark.parametrize("method", ["prompt_tuning", "spt", "prefix_tuning"])
def test_on_the_meta_device_only_shapes_are_made(tiny, method):
    base, recipe = tiny("llama"), METHODS[method]
    config = recipe.Config(start="text", text=TEXT, length=4)
    made = recipe(base, config, SeededInitializer([0, 1], 2, "meta")).tensors
    real = recipe(base, config, SeededInitializer([0, 1], 2)).tensors
    assert all(t.device.type == "meta" for t in made.values())
    assert {n: t.shape for n, t in made.items()} == {n: t.shape for n, t in real.items()}
