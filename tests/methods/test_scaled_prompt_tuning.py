import pytest
import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.models.batching import ExampleBatcher
from peftcore.training.planning import build_spec


def test_with_every_scale_at_one_it_is_prompt_tuning(tiny):
    base = tiny("t5")
    spt, plain = random_adapted(base, "spt"), random_adapted(base, "prompt_tuning")
    spt.tensors["scale"].data.fill_(1.0)
    plain.tensors["tokens"].data.copy_(spt.tensors["tokens"])
    batch = ExampleBatcher(base, ()).batch(EXAMPLES * 2)
    assert torch.equal(spt.losses(batch, spt.centroid()), plain.losses(batch, plain.centroid()))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("share", ["token", "one", "feature"])
def test_folding_the_scales_into_the_prompt_changes_no_logit(tiny, share, shift, normalised):
    base, ablation = tiny("gpt2"), {"share": share, "shift": shift, "normalised": normalised}
    spt = random_adapted(base, "spt", vertices=1, **ablation)
    folded = random_adapted(base, "prompt_tuning", vertices=1)
    folded.tensors["tokens"].data = spt.adapter.effective_tensors(spt.tensors)["tokens"].detach()
    batch = ExampleBatcher(base, ()).batch(EXAMPLES * 2)
    assert torch.equal(spt.logits(batch, spt.centroid()), folded.logits(batch, folded.centroid()))


def test_what_shares_a_scale_decides_their_number(tiny):
    shape = lambda share: random_adapted(tiny("t5"), "spt", share=share).tensors["scale"].shape[2:]
    assert shape("token") == (4, 1)
    assert shape("one") == (1, 1)
    assert shape("feature") == (1, 16)


@pytest.mark.parametrize(
    ("train", "trained"),
    [("both", {"tokens", "scale"}), ("scale", {"scale"}), ("prompt", {"tokens"})],
)
def test_only_the_chosen_half_is_trained(tiny, train, trained):
    assert set(random_adapted(tiny("t5"), "spt", train=train).trainable_tensors) == trained


def test_a_shift_moves_all_that_shares_its_scale_and_is_trained_with_it(tiny):
    base = tiny("t5")
    spt = random_adapted(base, "spt", shift=True)
    assert spt.tensors["shift"].shape == spt.tensors["scale"].shape
    assert {"scale", "shift"} <= set(spt.trainable_tensors)
    assert "shift" not in random_adapted(base, "spt", shift=True, train="prompt").trainable_tensors
    moved = spt.adapter.effective_tensors(spt.tensors)["tokens"]
    still = spt.tensors["tokens"] * spt.tensors["scale"]
    shift = spt.tensors["shift"] * base.embeddings.std()
    torch.testing.assert_close(moved - still, shift.expand_as(still), rtol=1e-4, atol=1e-4)


def test_runs_without_a_shift_keep_their_ids():
    spec = build_spec("tiny-t5", "miniworld_nli", "spt")
    assert "shift" not in spec.canonical_values()["settings"]
    assert build_spec("tiny-t5", "miniworld_nli", "spt", {"shift": True}).id != spec.id


def test_behind_a_layer_norm_only_the_scale_decides_a_tokens_length(tiny):
    base = tiny("t5")
    spt = random_adapted(base, "spt", normalised=True)
    rows = spt.adapter.effective_tensors(spt.tensors)["tokens"]
    length = rows.square().mean(-1).sqrt() / base.embeddings.std()
    torch.testing.assert_close(length, spt.tensors["scale"][..., 0].abs(), rtol=1e-4, atol=1e-4)
    spt.tensors["tokens"].data.mul_(3.0)
    torch.testing.assert_close(spt.adapter.effective_tensors(spt.tensors)["tokens"], rows)


def test_it_starts_where_prompt_tuning_starts(tiny):
    draws = [
        METHODS[m](tiny("t5"), METHODS[m].Config(), SeededInitializer([5], 1))
        for m in ("spt", "prompt_tuning")
    ]
    assert torch.equal(draws[0].tensors["tokens"], draws[1].tensors["tokens"])
    assert (draws[0].tensors["scale"] == 1).all()


def test_it_trains_one_number_per_token_more_than_prompt_tuning(tiny):
    count = lambda m: sum(
        t.numel()
        for t in METHODS[m](
            tiny("t5"), METHODS[m].Config(length=50), SeededInitializer([0], 1)
        ).tensors.values()
    )
    assert count("spt") - count("prompt_tuning") == 50
