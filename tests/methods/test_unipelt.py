import pytest
import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.adapters.base import METHODS
from peftcore.models.batching import ExampleBatcher

SHUT = -200.0  # a bias at which a sigmoid is zero


def losses(adapted):
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES)
    return adapted.losses(batch, adapted.centroid())


def set_gates(adapted, bias, parts):
    """Set the gates of these parts, keys of tensors, to open (200) or shut everywhere."""
    for name, tensor in adapted.tensors.items():
        kind, _, rest = name.partition(":")
        if kind in ("gate", "gate_bias") and any(rest.startswith(part) for part in parts):
            tensor.data = torch.full_like(tensor, bias if kind == "gate_bias" else 0.0)
        if kind == "prefix_gate" and "prefix" in parts:
            tensor.data = torch.full_like(tensor, bias)


ALL = ("attention", "cross", "ffn", "prefix")
TWINS = {  # part whose gate is open → the method that it then is
    "prefix": ("prefix_tuning", {"length": 3}),
    "attention": ("lora", {"rank": 2, "alpha": 16.0}),
    "ffn": ("bottleneck", {"width": 5, "behind": ["feed-forward"]}),
}


@pytest.mark.parametrize("part", TWINS)
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_with_one_gate_open_it_is_that_method_alone(tiny, family, part):
    ours = random_adapted(tiny(family), "unipelt", (0,), 1, length=3, rank=2, width=5)
    set_gates(ours, SHUT, ALL)
    set_gates(ours, -SHUT, (part,))
    if part != "prefix":  # a shut prefix is zeros, and still takes its share of attention
        for name in [name for name in ours.tensors if name.startswith(("key:", "value:"))]:
            del ours.tensors[name]
    method, settings = TWINS[part]
    twin = random_adapted(tiny(family), method, (0,), 1, **settings)
    for name, tensor in twin.tensors.items():
        tensor.data = ours.tensors[name].data
    torch.testing.assert_close(losses(ours), losses(twin), rtol=1e-4, atol=1e-5)


def test_a_gate_opens_at_each_position_by_what_is_read_there(tiny):
    ours = random_adapted(tiny("bert"), "unipelt", (0,), 1, width=3)
    (part, *_) = ours.adapter.blocks
    key = f"{part.component}:{part.path}"
    leaf = ours.model.get_submodule(part.path)
    x = torch.randn(2, 4, leaf.in_features, generator=torch.Generator().manual_seed(1))
    plain = leaf(x)
    with ours.active(ours.centroid(), 2, None):
        mine = leaf(x)
    get = lambda kind: ours.tensors[f"{kind}:{key}"][0, 0]
    added = (plain @ get("down") + get("down_bias")).relu() @ get("up") + get("up_bias")
    gate = (plain @ get("gate") + get("gate_bias")).sigmoid()  # (n, t, 1)
    assert gate.std() > 0
    torch.testing.assert_close(mine, plain + gate * added)


def test_gates_are_half_open_before_training_and_count_as_several_ways_in(tiny):
    method = METHODS["unipelt"]
    assert method.injects == "several"
    config = method.Config.make({"length": 7})
    assert (method.virtual_tokens(config), method.prompt_length(config)) == (7, 0)
    fresh = random_adapted(tiny("t5"), "unipelt").adapter
    assert len(fresh.attention_blocks) == len(fresh.base.structure.attention_blocks)
    decoder = random_adapted(tiny("t5"), "unipelt", stacks=["decoder"]).adapter
    assert {block.attention_kind for block in decoder.attention_blocks} == {"decoder", "cross"}
    assert {part.stack for part in (*decoder.products, *decoder.blocks)} == {"decoder"}
