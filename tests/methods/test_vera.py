import pytest
import torch
from support.adapters import (
    EXAMPLES,
    model_inputs,
    outputs_before_training,
    random_adapted,
    untrained_adapted,
)
from support.bases import FAMILIES, build_tiny

from peftcore.models.batching import ExampleBatcher


@pytest.mark.parametrize(
    ("family", "modules"),
    [("t5", ["q", "v"]), ("bert", ["query", "value"]), ("llama", ["q_proj", "v_proj"])],
)
@pytest.mark.filterwarnings("ignore")
def test_outputs_equal_the_peft_packages_given_the_same_numbers(family, modules):
    peft = pytest.importorskip("peft")
    base = build_tiny(family)
    stacks = ["encoder", "decoder"]
    ours = random_adapted(base, "vera", (0,), 1, rank=3, stacks=stacks)
    twin = build_tiny(family)
    config = peft.VeraConfig(r=3, target_modules=modules, vera_dropout=0.0)
    theirs = peft.get_peft_model(twin.model, config)
    parts = {part.path: part for part in ours.adapter.parts}
    filled = 0
    for name, module in theirs.named_modules():
        part = parts.get(name.removeprefix("base_model.model."))
        if part is None:
            continue
        key, shape = f"{part.component}:{part.path}", f"{part.inputs}x{part.stop - part.start}"
        # Buffers of its own for each module: theirs are one for all shapes, ours one for each.
        own = lambda name: {"default": ours.tensors[f"{name}:{shape}"][0, 0].mT.detach()}  # noqa: B023
        module.vera_A = type(module.vera_A)(own("down"))
        module.vera_B = type(module.vera_B)(own("up"))
        module.vera_lambda_d["default"].data = ours.tensors[f"d:{key}"][0, 0, 0].data
        module.vera_lambda_b["default"].data = ours.tensors[f"b:{key}"][0, 0, 0].data
        filled += 1
    assert filled == len(parts) > 0
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    given = model_inputs(base, batch)
    with ours.active(ours.centroid(), 3, None):
        mine = ours.model(**given)[0]
    seen = batch.attention_mask.bool()
    torch.testing.assert_close(mine[seen], theirs.eval()(**given)[0][seen], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_of_one_shape_share_a_product_that_is_not_trained(tiny, family):
    adapted = untrained_adapted(tiny(family), "vera", rank=5)
    shapes = {(part.inputs, part.stop - part.start) for part in adapted.adapter.parts}
    frozen = adapted.adapter.untrained_names()
    assert frozen == {f"{side}:{i}x{o}" for i, o in shapes for side in ("down", "up")}
    assert not frozen & adapted.trainable_tensors.keys()
    parts = len(adapted.adapter.parts)
    scales = [t for name, t in adapted.tensors.items() if name.startswith(("d:", "b:"))]
    assert len(scales) == 2 * parts


def test_training_starts_at_the_base_model(tiny):
    before, plain = outputs_before_training(tiny("gpt2"), "vera", rank=4)
    assert torch.equal(before, plain)


def test_seeds_draw_random_products_of_their_own_that_vertices_share(tiny):
    adapted = untrained_adapted(tiny("t5"), "vera", seeds=(0, 1), rank=4)
    down = next(t for name, t in adapted.tensors.items() if name.startswith("down:"))
    assert down.shape[:2] == (2, 1)
    assert not torch.equal(down[0], down[1])
