import torch
from test_contracts import EXAMPLES, dress

from peftcore.batches import Encoder
from peftcore.draws import Draw
from peftcore.methods.base import METHODS


def test_with_every_scale_at_one_it_is_prompt_tuning(tiny):
    base = tiny("t5")
    spt, plain = dress(base, "spt"), dress(base, "prompt_tuning")
    spt.tensors["scale"].data.fill_(1.0)
    plain.tensors["tokens"].data.copy_(spt.tensors["tokens"])
    batch = Encoder(base, ()).batch(EXAMPLES * 2)
    assert torch.equal(spt.losses(batch, spt.centroid()), plain.losses(batch, plain.centroid()))


def test_folding_the_scales_into_the_prompt_changes_no_logit(tiny):
    base = tiny("gpt2")
    spt, folded = dress(base, "spt", vertices=1), dress(base, "prompt_tuning", vertices=1)
    folded.tensors["tokens"].data = (spt.tensors["tokens"] * spt.tensors["scale"]).detach()
    batch = Encoder(base, ()).batch(EXAMPLES * 2)
    assert torch.equal(spt.logits(batch, spt.centroid()), folded.logits(batch, folded.centroid()))


def test_it_starts_where_prompt_tuning_starts(tiny):
    draws = [
        METHODS[m](tiny("t5"), METHODS[m].Config(), Draw([5], 1)) for m in ("spt", "prompt_tuning")
    ]
    assert torch.equal(draws[0].tensors["tokens"], draws[1].tensors["tokens"])
    assert (draws[0].tensors["scale"] == 1).all()


def test_it_trains_one_number_per_token_more_than_prompt_tuning(tiny):
    count = lambda m: sum(
        t.numel()
        for t in METHODS[m](tiny("t5"), METHODS[m].Config(length=50), Draw([0], 1)).tensors.values()
    )
    assert count("spt") - count("prompt_tuning") == 50
