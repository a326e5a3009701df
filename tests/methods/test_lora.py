import pytest
import torch
from support.adapters import EXAMPLES, model_inputs, outputs_before_training, random_adapted
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher


@pytest.mark.parametrize(
    ("family", "modules"),
    [("t5", ["q", "v"]), ("bert", ["query", "value"]), ("llama", ["q_proj", "v_proj"])],
)
@pytest.mark.filterwarnings("ignore")
def test_outputs_equal_the_peft_packages_given_the_same_numbers(family, modules):
    peft = pytest.importorskip("peft")
    base = build_tiny(family)
    ours = random_adapted(base, "lora", (0,), 1, rank=3, alpha=5.0, stacks=["encoder", "decoder"])
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    twin = build_tiny(family)
    theirs = peft.get_peft_model(
        twin.model, peft.LoraConfig(r=3, lora_alpha=5, target_modules=modules)
    )
    filled = 0
    for name, module in theirs.named_modules():
        for part in ours.adapter.parts:
            if name == f"base_model.model.{part.path}":
                key = f"{part.component}:{part.path}"
                module.lora_A["default"].weight.data = ours.tensors[f"down:{key}"][0, 0].mT.data
                module.lora_B["default"].weight.data = ours.tensors[f"up:{key}"][0, 0].mT.data
                filled += 1
    assert filled == len(ours.adapter.parts)
    given = model_inputs(base, batch)
    with ours.active(ours.centroid(), 3, None):
        mine = ours.model(**given)[0]
    seen = batch.attention_mask.bool()
    torch.testing.assert_close(mine[seen], theirs.eval()(**given)[0][seen], rtol=1e-4, atol=1e-5)


def test_training_starts_at_the_base_model(tiny):
    before, plain = outputs_before_training(tiny("gpt2"), "lora")
    assert torch.equal(before, plain)


def test_gpt2_query_and_value_leave_the_key_columns_alone(tiny):
    adapted = random_adapted(tiny("gpt2"), "lora", (0,), 1)
    leaf = adapted.model.transformer.h[0].attn.c_attn
    x = torch.randn(3, 4, 16)
    plain = leaf(x)
    with adapted.active(adapted.centroid(), 3, None):
        moved = (leaf(x) - plain).abs().amax((0, 1))
    assert torch.equal(moved[16:32], torch.zeros(16))
    assert (moved[:16] > 0).all()
    assert (moved[32:] > 0).all()


def test_a_component_the_base_lacks_is_named_with_those_it_has(tiny):
    with pytest.raises(
        BadInput, match=r"no cross.query in its .*; components must name one of: attention.query"
    ):
        random_adapted(tiny("bert"), "lora", components=["cross.query"])


def test_a_stack_can_be_left_alone_where_there_are_two(tiny):
    adapted = random_adapted(tiny("t5"), "lora")  # the decoder is the default
    assert {part.path.split(".")[0] for part in adapted.adapter.parts} == {"decoder"}
    assert random_adapted(tiny("bert"), "lora", stacks=["decoder"]).adapter.parts
    with pytest.raises(BadInput, match=r"no cross.query in its encoder"):
        random_adapted(tiny("t5"), "lora", stacks=["encoder"], components=["cross.query"])


def test_a_component_named_twice_gets_one_product(tiny):
    once, twice = (
        random_adapted(tiny("bert"), "lora", components=["attention.query"] * count)
        for count in (1, 2)
    )
    assert once.adapter.parts == twice.adapter.parts
