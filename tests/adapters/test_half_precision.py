"""Frozen matrices in half precision are converted once, and every number stays what it was."""

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.bases import FAMILIES

from peftcore.adapters import half_precision
from peftcore.models.batching import ExampleBatcher


def losses_and_gradients(adapted):
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES * 2)
    with torch.autocast("cpu", torch.bfloat16):
        losses = adapted.losses(batch, adapted.centroid())
    tensors = [t for t in adapted.trainable_tensors.values() if t.requires_grad]
    return losses, torch.autograd.grad(losses.sum(), tensors)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_matrices_converted_at_every_call(tiny, family, monkeypatch):
    found, gradients = losses_and_gradients(random_adapted(tiny(family), "lora"))
    monkeypatch.setattr(half_precision, "keep_converted", lambda model: None)
    wanted, plain_gradients = losses_and_gradients(random_adapted(tiny(family), "lora"))
    assert torch.equal(found, wanted)
    for one, other in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(one, other, atol=0.02 * float(other.abs().max()), rtol=0.1)


def test_a_matrix_is_converted_once_until_it_changes():
    weight = torch.nn.Parameter(torch.ones(3, 2), requires_grad=False)
    with torch.inference_mode():
        first = half_precision.converted(weight, torch.bfloat16)
    assert not first.is_inference()  # a later backward pass may keep it
    assert half_precision.converted(weight, torch.bfloat16) is first
    weight.add_(1.0)
    assert half_precision.converted(weight, torch.bfloat16)[0, 0] == 2.0


def test_single_precision_takes_the_matrix_itself(tiny, monkeypatch):
    adapted = random_adapted(tiny("bert"), "lora")
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES * 2)
    wanted = adapted.losses(batch, adapted.centroid())
    monkeypatch.delattr(half_precision, "converted")
    assert torch.equal(adapted.losses(batch, adapted.centroid()), wanted)
