import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", ["llama", "t5"])
def test_a_decoder_prefix_equals_the_peft_packages_given_the_same_numbers(family):
    """The package moves content positions by the prefix length, which ours does not: Llama is asked
    with moved positions, and T5 with its relative position bias off."""
    peft = pytest.importorskip("peft")
    base, twin = build_tiny(family), build_tiny(family)
    kind, moved = "CAUSAL_LM", {"position_ids": torch.arange(4, 9).expand(2, -1)}
    if family == "t5":
        kind, moved = "SEQ_2_SEQ_LM", {}
        for model in (base.model, twin.model):
            bias = model.decoder.block[0].layer[0].SelfAttention.relative_attention_bias
            bias.weight.data.zero_()
    config = peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=4)
    theirs = peft.get_peft_model(twin.model, config).eval()
    ours = random_adapted(base, "prefix_tuning", (0,), 1, places=["decoder"])
    cache = theirs.get_prompt(batch_size=1)
    layers = (cache.self_attention_cache if family == "t5" else cache).layers
    for site in ours.adapter.attention_blocks():
        ours.tensors[f"key:{site.path}"].data = layers[site.layer].keys[None].detach()
        ours.tensors[f"value:{site.path}"].data = layers[site.layer].values[None].detach()
    ids = torch.tensor([[7, 9, 11, 8, 6], [8, 12, 20, 21, 9]])
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if family == "t5":
        given["decoder_input_ids"] = ids.flip(1)
    with ours.active(ours.centroid(), 2, None):
        mine = ours.model(**given, **moved).logits
    torch.testing.assert_close(mine, theirs(**given).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", ["encoder", "decoder", "cross"])
def test_every_place_of_an_encoder_decoder_takes_a_prefix_of_its_own(tiny, place):
    plain = random_adapted(tiny("t5"), "prefix_tuning", places=["encoder", "decoder", "cross"])
    ours = random_adapted(tiny("t5"), "prefix_tuning", places=[place])
    assert {site.attention_kind for site in ours.adapter.attention_blocks()} == {place}
    assert len(plain.tensors) == 3 * len(ours.tensors)
    batch = ExampleBatcher(tiny("t5"), ()).batch(EXAMPLES * 2)
    changed = ours.losses(batch, ours.centroid())
    bare = ours.losses(batch, ours.centroid(), {})
    assert not torch.allclose(changed, bare)


def test_the_prefix_widens_recorded_attention_by_its_length(tiny):
    ours = random_adapted(tiny("t5"), "prefix_tuning", (0,), 1)
    batch = ExampleBatcher(tiny("t5"), ()).batch(EXAMPLES)
    sites = [site.path for site in tiny("t5").structure.attention_blocks]
    records = ours.record_attention(batch, ours.centroid(), sites)
    assert set(records) == set(sites)
    for record in records.values():
        assert record.prefix_length == 4
        assert record.weights.shape[-1] == record.key.shape[2]
        torch.testing.assert_close(record.weights.sum(-1), torch.ones_like(record.weights[..., 0]))


def test_content_attention_is_only_rescaled_where_inputs_are_the_same(tiny):
    """arXiv:2310.19698: dividing by one minus the prefix share gives the pattern without prefix."""
    ours = random_adapted(tiny("t5"), "prefix_tuning", (0,), 1, places=["encoder"])
    batch = ExampleBatcher(tiny("t5"), ()).batch(EXAMPLES)
    site = "encoder.block.0.layer.0.SelfAttention"
    after = ours.record_attention(batch, ours.centroid(), [site])[site].weights
    plain = random_adapted(tiny("t5"), "prompt_tuning", (0,), 1)
    plain.adapter.soft_tokens = lambda mix, n: None
    before = plain.record_attention(batch, plain.centroid(), [site])[site].weights
    content = after[..., 4:] / after[..., 4:].sum(-1, keepdim=True)
    torch.testing.assert_close(content, before, rtol=1e-3, atol=1e-5)


def test_a_perceptron_is_shared_by_the_vertices_and_dropped_from_the_effective_prefix(tiny):
    ours = random_adapted(tiny("t5"), "prefix_tuning", perceptron=5)
    assert ours.tensors["embedding"].shape[:2] == (2, 3)
    assert ours.tensors["down"].shape[:2] == (2, 1)
    keys = ours.adapter.effective_tensors(ours.tensors)
    assert keys["key:encoder.block.0.layer.0.SelfAttention"].shape == (2, 3, 2, 4, 8)
    batch = ExampleBatcher(tiny("t5"), ()).batch(EXAMPLES * 2)
    ours.losses(batch, ours.centroid()).sum().backward()
    assert all(t.grad.abs().sum() > 0 for t in ours.tensors.values())


def test_places_the_base_does_not_have_are_refused_by_name(tiny):
    with pytest.raises(BadInput, match="no cross attention; places must name one of: encoder"):
        random_adapted(tiny("bert"), "prefix_tuning", places=["cross"])
