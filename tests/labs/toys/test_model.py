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


def test_lora_of_attention_too_adds_its_output():
    chosen = find_recipe("04").shape
    lora = model.init_lora(chosen, [0], attention=True)
    assert sum(t[0].numel() for t in lora.values()) == 2 * 12 * chosen.width
    assert lora["0.out.a"].shape == (1, chosen.width, 1)


def test_of_several_starts_the_one_with_the_lowest_loss_is_kept():
    base = model.init_model(SMALL, [3, 5])
    stage = Stage(kind="prefix", task="ascending", steps=4, rate=1e-1, starts=3)
    made = training.train_stage(SMALL, stage, [3, 5], base)
    one_by_one = []
    for seed in (0, 1):
        alone = {name: tensor[seed : seed + 1] for name, tensor in base.items()}
        start = {n: t[3 * seed : 3 * seed + 3] for n, t in drawn(stage, base).items()}
        assert not torch.equal(start["prefix"][0], start["prefix"][1])
        one_by_one.append(training.train_stage(SMALL, stage, [(3, 5)[seed]], alone))
    for seed, alone in enumerate(one_by_one):
        best = min(range(3), key=made.start_losses[seed].__getitem__)
        assert made.losses[-1][1][seed] == made.start_losses[seed][best]  # reported at every step
        torch.testing.assert_close(
            torch.tensor(alone.start_losses[0]),
            torch.tensor(made.start_losses[seed]),
            rtol=1e-3,
            atol=1e-3,
        )
    assert made.numbers == SMALL.layers * SMALL.pads * SMALL.width
    assert [step for step, _ in made.right] == [1, 2, 3, 4]


def drawn(stage, base):
    return training.initial_tensors(SMALL, stage, [3, 5], base)


def test_a_falling_rate_ends_at_nothing():
    base = model.init_model(SMALL, [0])
    stage = Stage(kind="prefix", task="ascending", steps=1, rate=1e-2, falling=True)
    steps = lambda n: training.train_stage(
        SMALL, stage.model_copy(update={"steps": n}), [0], base
    ).tensors["prefix"]
    start = drawn_one(stage, base)
    first, whole = (steps(1) - start).abs().max(), (steps(4) - start).abs().max()
    # AdamW moves by about the rate at a step: 1 + 3/4 + 1/2 + 1/4 of it in four.
    assert 0.9e-2 < first < 1.1e-2
    assert whole < 2.6e-2


def drawn_one(stage, base):
    return training.initial_tensors(SMALL, stage, [0], base)["prefix"]


def test_attention_of_a_toy_sums_to_one_and_never_looks_ahead():
    made = model.init_model(SMALL, [0, 1])
    seen = training.attention_weights(SMALL, "pretrain", made, None, torch.tensor([1, 2, 3, 1, 2]))
    assert [tuple(weights.shape) for weights in seen] == [(2, 5, 7), (2, 3, 7)]
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(2, 5))
    assert seen[0][:, 0, 3:].sum() == 0
