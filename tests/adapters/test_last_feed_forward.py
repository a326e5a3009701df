"""The last feed-forward on the positions that are read: the same losses, fewer positions."""

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.families import build_family

from peftcore.adapters import last_feed_forward
from peftcore.models.batching import ExampleBatcher


def losses_and_gradients(adapted, batch):
    losses = adapted.losses(batch, adapted.centroid())
    tensors = [t for t in adapted.trainable_tensors.values() if t.requires_grad]
    return losses, torch.autograd.grad(losses.sum(), tensors)


BUILT = ("gemma2", "phi3", "gpt_neox", "opt")  # norms behind it, fused, beside attention, none


def base_of(family, tiny):
    return build_family(family) if family in BUILT else tiny(family)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", *BUILT])
@pytest.mark.parametrize("method", ["lora", "prompt_tuning", "prefix_tuning", "atoms"])
def test_losses_and_gradients_are_those_of_all_positions(tiny, family, method, monkeypatch):
    adapted = random_adapted(base_of(family, tiny), method)
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES * 2)
    found, gradients = losses_and_gradients(adapted, batch)
    monkeypatch.setattr(last_feed_forward, "READ_POSITIONS", Unset())
    wanted, all_gradients = losses_and_gradients(adapted, batch)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
    for one, other in zip(gradients, all_gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


class Unset:
    """A number of read positions that nobody sets."""

    def get(self):
        return None

    def set(self, count):
        return None

    def reset(self, token):
        return None


@pytest.mark.parametrize(
    ("family", "path"),
    [
        ("llama", "model.layers.1.mlp"),
        ("gpt2", "transformer.h.1.mlp"),
        ("gpt_neox", "gpt_neox.layers.1.mlp"),
        ("gemma2", "model.layers.1.mlp"),
        ("bert", "encoder.layer.1"),
        ("opt", None),
        ("t5", None),
    ],
)
def test_a_feed_forward_in_a_module_of_its_own_is_found(tiny, family, path):
    adapted = random_adapted(base_of(family, tiny), "lora")
    assert last_feed_forward.find_module(adapted.adapter) == path


def test_one_that_an_adapter_enters_is_left_alone_unless_it_works_by_position(tiny):
    place = lambda family, method, **settings: last_feed_forward.find_module(
        random_adapted(tiny(family), method, components=["ffn"], **settings).adapter
    )
    assert place("llama", "vera") is None
    assert place("llama", "vera", last_layer=0) == "model.layers.1.mlp"
    assert place("llama", "lora") == "model.layers.1.mlp"
    assert place("bert", "atoms") == "encoder.layer.1"
    assert place("bert", "atoms", l1=0.5) is None  # which counts what every position gets


def test_a_head_that_reads_all_tokens_gets_all_of_them(tiny):
    adapted = random_adapted(tiny("bert"), "lora")
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES * 2)
    seen = []
    module = adapted.model.get_submodule("encoder.layer.1.output.dense")
    module.register_forward_hook(lambda _, args, out: seen.append(out.shape[1]))
    adapted.losses(batch, adapted.centroid())
    adapted.towers = True
    assert adapted._read_positions(batch) is None
    assert seen == [1]


def test_only_what_predicts_a_target_passes_through_it(tiny):
    adapted = random_adapted(tiny("llama"), "lora")
    batch = ExampleBatcher(adapted.base, ()).batch(EXAMPLES * 2)
    seen = []
    module = adapted.model.get_submodule("model.layers.1.mlp.down_proj")
    module.register_forward_hook(lambda _, args, out: seen.append(out.shape[1]))
    adapted.losses(batch, adapted.centroid())
    adapted.notes(batch, adapted.centroid())  # what looks inside sees every position
    assert seen == [batch.targets.shape[1] + 1, batch.input_ids.shape[1]]
    assert seen[0] < seen[1]
