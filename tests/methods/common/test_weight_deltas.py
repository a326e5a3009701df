"""Trained differences equal plain training of a copy of the model, on every family."""

import copy

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted, train, train_by_hand, untrained_adapted
from support.bases import FAMILIES

from peftcore.adapters.simplex_points import random_points
from peftcore.methods.common.weight_deltas import lookup_rows, merged_parameters
from peftcore.models.base_model import freeze
from peftcore.models.batching import ExampleBatcher


def bare(base, head):
    """A copy of the base that is trained itself, without a hook; the same head on top of it."""
    twin = freeze("twin", copy.deepcopy(base.model), base.tokenizer)
    plain = untrained_adapted(twin, "prompt_tuning", length=1)
    plain.adapter.soft_tokens = lambda mix, n: None
    plain.tensors |= {name: tensor.detach().clone() for name, tensor in head.items()}
    return plain


def heads(adapted):
    return {n: t.requires_grad_() for n, t in adapted.tensors.items() if n.startswith("head")}


@pytest.mark.parametrize("family", FAMILIES)
def test_full_fine_tuning_equals_training_a_copy_of_the_model(tiny, family):
    base = tiny(family)
    ours = untrained_adapted(base, "full_fine_tuning")
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    theirs = bare(base, heads(ours))
    theirs.base.model.requires_grad_(True)
    train(ours, list(ours.tensors.values()), batch)
    train(theirs, [*theirs.base.model.parameters(), *heads(theirs).values()], batch)
    moved = ours.losses(batch, ours.centroid())
    torch.testing.assert_close(moved, theirs.losses(batch, theirs.centroid()), rtol=1e-4, atol=1e-4)
    untrained = untrained_adapted(base, "full_fine_tuning").losses(batch, ours.centroid())
    assert (moved - untrained).abs().max() > 0.1
    member = {name: tensor[0, 0] for name, tensor in ours.tensors.items()}
    merged = merged_parameters(ours.adapter, member)
    own = dict(theirs.base.model.named_parameters())
    assert merged.keys() == own.keys()
    for weight in base.structure.weights:
        # A key's bias moves no attention: its gradient is rounding, which Adam blows up.
        if not (weight.is_bias and "attention.key" in weight.components):
            ours_now, theirs_now = (share(t[weight.name], weight) for t in (merged, own))
            torch.testing.assert_close(ours_now, theirs_now, rtol=1e-4, atol=1e-4)


def share(values, weight):
    start, stop = weight.columns or (0, values.shape[-1])
    return values[..., start:stop].detach()


def test_t5_trained_by_hand_gives_the_same_answers(tiny):
    """No code of ours but the batch: the library's model, its logits and torch's loss."""
    base = tiny("t5")
    ours = untrained_adapted(base, "full_fine_tuning")
    batch = ExampleBatcher(base, ()).batch(EXAMPLES)
    model = copy.deepcopy(base.model).requires_grad_(True)
    train_by_hand(model, model.parameters(), batch)
    train(ours, list(ours.tensors.values()), batch)
    theirs = model(batch.input_ids, batch.attention_mask, labels=batch.targets).logits
    torch.testing.assert_close(ours.logits(batch, ours.centroid()), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folded_model_answers_as_the_adapted_one_does(tiny, family):
    assert_folded_answers_the_same(tiny(family))


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_norm_is_scaled_without_its_own_bias(tiny, family):
    model = copy.deepcopy(tiny(family).model)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.bias.data.fill_(0.5)  # zero in random models, where a fault would not show
    assert_folded_answers_the_same(freeze("biased", model, tiny(family).tokenizer))


def assert_folded_answers_the_same(base):
    ours = random_adapted(base, "full_fine_tuning", (0,), 1)
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    theirs = bare(base, heads(ours))
    member = {name: tensor[0, 0] for name, tensor in ours.tensors.items()}
    for name, values in merged_parameters(ours.adapter, member).items():
        theirs.base.model.get_parameter(name).data.copy_(values)
    torch.testing.assert_close(
        ours.losses(batch, ours.centroid()), theirs.losses(batch, theirs.centroid())
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_base(tiny, family):
    base = tiny(family)
    ours = untrained_adapted(base, "full_fine_tuning")
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES)
    theirs = bare(base, heads(ours))
    torch.testing.assert_close(
        ours.losses(batch, ours.centroid()), theirs.losses(batch, theirs.centroid())
    )


class Looked:
    """What `looked_up` needs of a mix."""

    def __init__(self, stacked, coords):
        self.tensors, self.coords = {"table": stacked}, coords

    def coords_for(self, name):
        return self.coords


def test_rows_are_looked_up_in_the_mixture_of_the_tables():
    stacked, coords = torch.randn(2, 3, 5, 4), random_points([0, 1], 2, 3, salt=1)
    ids = torch.randint(5, (8, 6))  # every row twice, as with two beams
    tables = torch.einsum("srv,svwd->srwd", coords, stacked).flatten(0, 1).repeat_interleave(2, 0)
    wanted = torch.stack([table[row] for table, row in zip(tables, ids, strict=True)])
    torch.testing.assert_close(lookup_rows(Looked(stacked, coords), "table", ids), wanted)
    everyone = lookup_rows(Looked(stacked, coords), "table", ids[:1])
    torch.testing.assert_close(everyone, tables[::2][:, ids[0]])
