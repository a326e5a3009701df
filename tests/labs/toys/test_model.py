"""The tiny transformer: causal, seeds side by side, its adaptations."""

import torch

from peftcore.labs.toys import (
    model,
    training,
)
from peftcore.labs.toys.recipes import Stage, ToyShape, find_recipe

SMALL = ToyShape(layers=2, heads=2, width=16, length=3, pads=2)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_later_positions_do_not_change_earlier_scores():
    tensors = model.init_model(SMALL, [0, 1])
    tokens = torch.randint(8, (2, 4, 5), generator=rng())
    other = tokens.clone()
    other[..., -1] = (other[..., -1] + 1) % 8
    a, b = model.logits(SMALL, tensors, tokens), model.logits(SMALL, tensors, other)
    assert torch.equal(a[:, :, :-1], b[:, :, :-1])
    assert not torch.allclose(a[:, :, -1], b[:, :, -1])


def test_seeds_side_by_side_are_seeds_apart():
    stage = Stage(kind="pretrain", task="mixture", steps=5, rate=1e-3)
    both = training.train_stage(SMALL, stage, [3, 5])
    alone = training.train_stage(SMALL, stage, [5])
    for name, tensor in alone.tensors.items():
        torch.testing.assert_close(both.tensors[name][1:], tensor, atol=2e-4, rtol=1e-2)


def test_a_prefix_that_holds_the_positions_own_states_changes_nothing():
    shape = SMALL.model_copy(update={"layers": 1})
    tensors = model.init_model(shape, [0])
    tokens = torch.randint(8, (1, 4, 5), generator=rng())
    own = (tensors["words"][:, :1] + tensors["places"][:, :2])[:, None]
    a = model.logits(shape, tensors, tokens)
    b = model.logits(shape, tensors, tokens, prefix=own)
    torch.testing.assert_close(a, b)


def test_lora_starts_without_effect_and_counts_as_many_numbers_as_the_prefix():
    chosen = find_recipe("04").shape
    lora, prefix = model.init_lora(chosen, [0]), model.init_prefix(chosen, [0])
    count = [sum(t[0].numel() for t in made.values()) for made in (lora, prefix)]
    assert count == [1920, 1920]
    base = model.init_model(chosen, [0])
    assert all(torch.equal(t, base[n]) for n, t in model.apply_lora(base, lora).items())


def test_attention_of_a_toy_sums_to_one_and_never_looks_ahead():
    made = model.init_model(SMALL, [0, 1])
    seen = training.attention_weights(SMALL, "pretrain", made, None, torch.tensor([1, 2, 3, 1, 2]))
    assert [tuple(weights.shape) for weights in seen] == [(2, 5, 7), (2, 3, 7)]
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(2, 5))
    assert seen[0][:, 0, 3:].sum() == 0
