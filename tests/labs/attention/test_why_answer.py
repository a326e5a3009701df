"""Readings of layers, exchanged layers and left-out tokens, each against what must hold."""

import numpy as np
import pytest
import torch
from support.adapters import random_adapted

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.attention import why_answer
from peftcore.labs.attention.inner_passes import LayerStates
from peftcore.models.batching import ExampleBatcher

EXAMPLE = Example("1", "a cat sat there", "yes because it did.", "yes")
WRITERS = ("t5", "gpt2", "llama")
METHODS = ("lora", "prefix_tuning", "prompt_tuning")


def pair(base, method):
    """The base as it is, and with a random adapter."""
    return unadapted_model(base), random_adapted(base, method, vertices=1)


def own_logits(model, seed=0):
    """What a model writes without any probe, (t', words)."""
    room = model.adapter.prompt_length(model.adapter.config)
    batch = ExampleBatcher(model.base, (), room).batch([EXAMPLE] * model.seeds)
    with torch.no_grad():
        return model.logits(batch, model.centroid())[seed].float()


@pytest.mark.parametrize("family", WRITERS)
@pytest.mark.parametrize("method", METHODS)
def test_the_last_layer_reads_as_the_model_writes(tiny, family, method):
    before, after = pair(tiny(family), method)
    lens = why_answer.read_lens(before, after, EXAMPLE, 1)
    for side, model, seed in (("before", before, 0), ("after", after, 1)):
        logits = own_logits(model, seed)
        target = LayerStates(model, seed).adapted
        assert target.seeds == 1
        ids = ExampleBatcher(model.base, ()).batch([EXAMPLE]).targets[0]
        expected = logits.softmax(-1).gather(-1, ids[:, None])[:, 0].numpy()
        assert lens.readings[side].probability[-1] == pytest.approx(expected, abs=1e-5)
    assert lens.readings["after"].probability.shape == (2, len(lens.targets))


@pytest.mark.parametrize("family", WRITERS)
@pytest.mark.parametrize("method", METHODS)
def test_all_layers_exchanged_are_the_other_model(tiny, family, method):
    """And none is: an exchange with one's own states changes nothing."""
    base = tiny(family)
    before, after = pair(base, method)
    found = why_answer.patch_layers(before, after, EXAMPLE)
    assert found.gap < 1e-4
    assert found.given[-1] == pytest.approx(found.after, abs=1e-4)
    assert found.taken[-1] == pytest.approx(found.before, abs=1e-4)
    assert len(found.given) == len(found.layers) + 1
    assert found.given_words[-1] == found.word
    assert found.taken_words[-1] == found.other_word
    same = why_answer.patch_layers(before, before, EXAMPLE)
    assert same.given == pytest.approx(same.before, abs=1e-5)
    assert not same.differs


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_the_last_layer_alone_decides(tiny, family):
    """After it come only the final norm and the head, which the adapter leaves alone."""
    found = why_answer.patch_layers(*pair(tiny(family), "lora"), EXAMPLE)
    assert found.given[-2] == pytest.approx(found.after, abs=1e-4)


@pytest.mark.parametrize("family", WRITERS)
def test_what_a_token_adds_is_the_text_less_the_text_without_it(tiny, family):
    base = tiny(family)
    before, after = pair(base, "lora")
    found = why_answer.leave_out(before, after, EXAMPLE)
    texts = [token for token in found.tokens if token.strip("·")]
    assert texts[0].strip("·") == "a"
    rest = Example("2", EXAMPLE.source[1:], EXAMPLE.target)
    batch = ExampleBatcher(base, ()).batch([rest])
    with torch.no_grad():
        logs = before.logits(batch, before.centroid())[0].float().log_softmax(-1)
    without = logs.gather(-1, batch.targets[0][:, None])[:, 0].numpy()
    expected = found.whole["before"] - without
    assert found.added["before"][0] == pytest.approx(expected, abs=1e-4)
    assert found.added["after"].shape == (len(found.tokens), len(found.targets))
    assert found.by_token("after") == pytest.approx(found.added["after"].sum(1))
    assert not np.allclose(found.together["after"], found.added["after"].sum(0))


def test_states_are_as_alike_as_they_can_be_below_the_first_change(tiny):
    before, after = (
        unadapted_model(tiny("llama")),
        random_adapted(tiny("llama"), "lora", vertices=1, first_layer=1),
    )
    lens = why_answer.read_lens(before, after, EXAMPLE)
    (_, _, cosine, cka), (_, _, changed, _) = lens.similarity
    assert cosine == pytest.approx(1, abs=1e-6)
    assert cka == pytest.approx(1, abs=1e-6)
    assert changed < 0.9999


def test_an_encoder_writes_nothing(tiny):
    with pytest.raises(BadInput, match="cannot write"):
        why_answer.read_lens(*pair(tiny("bert"), "lora"), EXAMPLE)


def test_a_text_of_nothing_leaves_nothing_out(tiny):
    with pytest.raises(BadInput, match="left out"):
        why_answer.leave_out(*pair(tiny("t5"), "lora"), Example("3", "", "yes"))
