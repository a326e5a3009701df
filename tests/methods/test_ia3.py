import pytest
import torch
from support.adapters import EXAMPLES, model_inputs, outputs_before_training, random_adapted
from support.bases import FAMILIES, build_tiny

from peftcore.adapters.initializers import SeededInitializer
from peftcore.errors import BadInput
from peftcore.methods.ia3 import IA3
from peftcore.models.batching import ExampleBatcher

TARGETS = {  # family → leaves the package scales, and those of them scaled where they read
    "t5": (["k", "v", "wo"], ["wo"]),
    "bert": (
        r".*(attention\.self\.(key|value)|layer\.\d+\.output\.dense)",
        r".*layer\.\d+\.output\.dense",
    ),
    "gpt2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"]),
    "llama": (["k_proj", "v_proj", "down_proj"], ["down_proj"]),
}


def fresh(base, **settings):
    return IA3(base, IA3.Config.make(settings), SeededInitializer([0], 1))


def their_scale(ours, path, width):
    """What the package's leaf at this path must hold to do what ours does."""
    own = {}
    for name, tensor in ours.tensors.items():
        if name.startswith("scale:"):
            _, component, where = name.split(":", 2)
            inner = component == "ffn.activation" and path in last_matrices(where)
            if inner or where == path:
                own[component] = tensor[0, 0, 0].detach()
    if width == 48:  # the one matrix of GPT-2: its queries are not scaled
        return torch.cat([torch.ones(16), own["attention.key"], own["attention.value"]])
    (only,) = own.values()
    return only


def last_matrices(activation):
    """Where a last matrix may stand, seen from the non-linear function."""
    parent, _, name = activation.rpartition(".")
    if name == "intermediate_act_fn":
        return {f"{parent.rpartition('.')[0]}.output.dense"}
    return {f"{parent}.{last}" for last in ("wo", "c_proj", "down_proj")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_equal_the_peft_packages_given_the_same_numbers(family):
    peft = pytest.importorskip("peft")
    base, twin = build_tiny(family), build_tiny(family)
    ours = random_adapted(base, "ia3", (0,), 1)
    modules, inner = TARGETS[family]
    theirs = peft.get_peft_model(
        twin.model, peft.IA3Config(target_modules=modules, feedforward_modules=inner)
    )
    filled = 0
    for name, module in theirs.named_modules():
        if not hasattr(module, "ia3_l"):
            continue
        parameter = module.ia3_l["default"]
        scale = their_scale(ours, name.removeprefix("base_model.model."), parameter.numel())
        parameter.data = scale.view(parameter.shape)
        filled += 1
    shared = 2 if family == "gpt2" else 1  # keys and values in one
    keys = sum("attention" in n or "cross" in n for n in ours.tensors)
    assert filled == keys // shared + sum("activation" in n for n in ours.tensors)
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    given = model_inputs(base, batch)
    with ours.active(ours.centroid(), 3, None):
        mine = ours.model(**given)[0]
    plain = base.model(**given)[0]
    seen = batch.attention_mask.bool()
    assert not torch.allclose(mine[seen], plain[seen], atol=1e-3)
    torch.testing.assert_close(mine[seen], theirs.eval()(**given)[0][seen], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_base_model(tiny, family):
    before, plain = outputs_before_training(tiny(family), "ia3")
    assert torch.equal(before, plain)


def test_it_trains_a_number_per_key_value_and_inner_unit(tiny):
    """Two layers of width 16 and inner width 32; the decoder has keys and values twice."""
    count = lambda **settings: sum(
        t.numel() for t in fresh(tiny("t5"), **settings).tensors.values()
    )
    assert count() == 2 * (16 + 16 + 32) + 2 * (2 * (16 + 16) + 32)
    assert count(stacks=["encoder"]) == 2 * (16 + 16 + 32)
    assert count(targets=["feed-forwards"], stacks=["decoder"]) == 2 * 32


def test_a_gated_feed_forward_is_scaled_where_its_last_matrix_reads(tiny):
    base = tiny("llama")
    ours = random_adapted(base, "ia3", (0,), 1, targets=["feed-forwards"])
    block = ours.model.model.layers[0].mlp
    scale = ours.tensors["scale:ffn.activation:model.layers.0.mlp.act_fn"][0, 0, 0]
    x = torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1))
    with ours.active(ours.centroid(), 3, None):
        mine = block(x)
    inner = torch.nn.functional.silu(block.gate_proj(x)) * block.up_proj(x)
    torch.testing.assert_close(mine, block.down_proj(inner * scale))


def test_scaling_nothing_is_refused(tiny):
    with pytest.raises(BadInput, match=r"targets: .*at least 1"):
        fresh(tiny("bert"), targets=[])
