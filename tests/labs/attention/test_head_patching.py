"""Single heads exchanged: the model's own change nothing, all of a prefix are the other model."""

import numpy as np
import pytest
import torch
from support.adapters import random_adapted

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.labs.attention import head_patching
from peftcore.labs.attention.head_patching import patch_heads
from peftcore.labs.attention.value_weights import output_modules
from peftcore.labs.attention.why_answer import find_word
from peftcore.models.batching import ExampleBatcher

EXAMPLE = Example("1", "a cat sat there", "yes because", "yes")


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama"])
def test_all_heads_of_a_prefix_are_the_other_model(tiny, family):
    """A prefix works through what heads add and nothing else."""
    base = tiny(family)
    pair = unadapted_model(base), random_adapted(base, "prefix_tuning", vertices=1)
    seen = []
    for direction in ("given", "taken"):
        found = patch_heads(pair, EXAMPLE, 1, direction, lambda done, of: seen.append((done, of)))
        assert found.gap < 1e-3
        assert found.all_heads == pytest.approx(found.end, abs=1e-3)
        for kind, odds in found.odds.items():
            assert odds.shape == (2, base.structure.heads)
            assert found.flips(kind).shape == odds.shape
            assert not np.allclose(odds, found.start, atol=1e-4)
    assert seen[-1][0] == seen[-1][1]


def test_own_heads_change_nothing(tiny):
    plain = unadapted_model(tiny("llama"))
    found = patch_heads((plain, plain), EXAMPLE)
    assert found.odds["decoder"] == pytest.approx(found.start, abs=1e-5)
    assert not found.flips("decoder").any()


def test_one_head_is_its_share_of_what_the_output_matrix_reads(tiny):
    """By hand: the second head's numbers of the last layer, put in by a hook of the test."""
    base = tiny("gpt2")
    pair = unadapted_model(base), random_adapted(base, "lora", vertices=1)
    found = patch_heads(pair, EXAMPLE)
    block = base.structure.attention_blocks[-1].path
    path, width = output_modules(base)[block], base.structure.head_width
    own = slice(width, 2 * width)
    batch = ExampleBatcher(base, ()).batch([EXAMPLE])
    plain, adapted = pair[0], pair[1].one_seed(0)
    logits = {"before": plain.logits(batch, plain.centroid())[0]}
    record = adapted.record_attention(batch, adapted.centroid(), [block])[block]
    logits["after"] = adapted.logits(batch, adapted.centroid())[0]

    def put(module, args):
        heads = args[0].clone()
        heads[0, :, own] = record.output[0, 1]
        return (heads,)

    handle = plain.model.get_submodule(path).register_forward_pre_hook(put)
    with torch.no_grad():
        changed = plain.logits(batch, plain.centroid())[0]
    handle.remove()
    looked_at = find_word(logits)
    logs = changed[looked_at.position].log_softmax(-1)[looked_at.word].exp()
    assert found.odds["decoder"][-1, 1] == pytest.approx(
        float(torch.log(logs / (1 - logs))), abs=1e-4
    )


def test_the_seconds_are_those_of_all_passes_and_same_heads_need_none(tiny, monkeypatch):
    clock = iter([10.0, 10.5, 20.0, 20.5])
    monkeypatch.setattr(head_patching.time, "perf_counter", lambda: next(clock))
    base = tiny("llama")
    plain = unadapted_model(base)
    assert head_patching.expected_seconds((plain, plain), EXAMPLE) == 0.5  # all heads at once
    late = random_adapted(base, "lora", vertices=1, first_layer=1)
    rows = base.structure.heads + 1  # those of the second layer of two
    passes = -(-rows // head_patching.ROWS_AT_ONCE)
    assert head_patching.expected_seconds((plain, late), EXAMPLE) == passes * 0.5
    found = patch_heads((plain, late), EXAMPLE)
    assert (found.odds["decoder"][0] == found.start).all()
    assert not np.allclose(found.odds["decoder"][1], found.start)
