import pytest
import torch
from support.adapters import outputs_before_training, random_adapted
from support.bases import FAMILIES

from peftcore.errors import BadInput

LAST = {  # the matrices of layer 0 that write to the residual stream
    "t5": ["encoder.block.0.layer.0.SelfAttention.o", "encoder.block.0.layer.1.DenseReluDense.wo"],
    "bert": ["encoder.layer.0.attention.output.dense", "encoder.layer.0.output.dense"],
    "gpt2": ["transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_proj"],
    "llama": ["model.layers.0.self_attn.o_proj", "model.layers.0.mlp.down_proj"],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_gets_one_behind_attention_and_one_behind_its_last_matrix(tiny, family):
    leaves = random_adapted(tiny(family), "bottleneck").adapter.target_modules()
    stem = LAST[family][0].partition(".0.")[0]
    assert set(LAST[family]) == {path for path in leaves if path.startswith(f"{stem}.0.")}
    assert len(leaves) == (8 if family == "t5" else 4)


@pytest.mark.parametrize("bend", ["relu", "swish", "tanh"])
def test_a_block_gets_up_of_bent_down_of_its_own_output_added(tiny, bend):
    ours = random_adapted(tiny("gpt2"), "bottleneck", (0,), 1, activation=bend, width=3)
    path = LAST["gpt2"][1]
    leaf = ours.model.get_submodule(path)
    x = torch.randn(2, 4, 64, generator=torch.Generator().manual_seed(1))
    plain = leaf(x)
    with ours.active(ours.centroid(), 2, None):
        mine = leaf(x)
    get = lambda kind: ours.tensors[f"{kind}:ffn:{path}"][0, 0]
    functions = {"relu": torch.relu, "swish": torch.nn.functional.silu, "tanh": torch.tanh}
    inner = functions[bend](plain @ get("down") + get("down_bias"))
    torch.testing.assert_close(mine, plain + inner @ get("up") + get("up_bias"))


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_base_model(tiny, family):
    before, plain = outputs_before_training(tiny(family), "bottleneck")
    assert torch.equal(before, plain)


def test_the_feed_forward_alone_is_half_of_it(tiny):
    both = random_adapted(tiny("llama"), "bottleneck", width=5)
    one = random_adapted(tiny("llama"), "bottleneck", width=5, behind=["feed-forward"])
    count = lambda a: sum(t[0, 0].numel() for n, t in a.tensors.items())
    assert count(both) == 2 * count(one) == 4 * (16 * 5 + 5 + 5 * 16 + 16)


def test_blocks_the_base_does_not_have_are_refused_by_name(tiny):
    with pytest.raises(BadInput, match=r"no cross.output in its .*components must name one of"):
        random_adapted(tiny("bert"), "bottleneck", behind=["cross-attention"])
