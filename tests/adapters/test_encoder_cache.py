"""Encoder states that are computed once."""

import pytest
import torch

from peftcore.adapters import encoder_cache
from peftcore.data.task import Example
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation, Members, RunSpec
from peftcore.training.planning import build_adapted

ROWS = [
    Example("0", "is tea good ?", "yes because tea", "yes", ("is tea good ?",)),
    Example("1", "is the red tea in the box good or bad ?", "no", "no", ("is the tea bad ?",)),
    Example("2", "tea ?", "yes tea", "yes", ("tea ?",)),
]
CASES = [
    ("t5", "lora", {"rank": 2}, True),
    ("t5", "prefix_tuning", {"length": 3, "places": ["decoder", "cross"]}, True),
    ("t5", "prefix_tuning", {"length": 3, "places": ["encoder", "decoder"]}, False),
    ("t5", "prompt_tuning", {"length": 3}, False),
    ("t5", "spt", {"length": 3}, False),
    ("t5", "full_fine_tuning", {}, False),
    ("gpt2", "lora", {"rank": 2}, False),
    ("bert", "linear_probe", {}, True),
    ("bert", "lora", {"rank": 2}, False),
]


def build(base, method, settings, seeds=2):
    labels = ("yes", "no") if base.kind == "encoder" else ()
    spec = RunSpec(
        base="x",
        task="miniworld_nli",
        method=method,
        settings=settings,
        population=Members(seeds=seeds),
    )
    return build_adapted(base, spec), ExampleBatcher(base, labels)


@pytest.mark.parametrize(("kind", "method", "settings", "untouched"), CASES)
def test_only_what_leaves_the_encoder_alone_is_told_so(tiny, kind, method, settings, untouched):
    adapted, encoder = build(tiny(kind), method, settings)
    assert adapted.encoder_untouched is untouched
    wanted = encoder_cache.CachedEncoderBatcher if untouched else ExampleBatcher
    assert type(encoder_cache.choose_batcher(adapted, encoder, None)) is wanted


@pytest.mark.parametrize(("kind", "method", "settings"), [c[:3] for c in CASES if c[3]])
def test_losses_and_gradients_are_those_of_running_the_encoder(tiny, kind, method, settings):
    adapted, encoder = build(tiny(kind), method, settings)
    rows = ROWS * adapted.seeds
    found = []
    for source in (encoder, encoder_cache.CachedEncoderBatcher(adapted.base, encoder, None)):
        losses = adapted.losses(source.batch(rows), adapted.centroid())
        grads = torch.autograd.grad(losses.sum(), list(adapted.trainable_tensors.values()))
        found.append((losses.detach(), *grads))
    for plain, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


def test_each_example_is_run_once_whatever_rides_along(tiny):
    adapted, encoder = build(tiny("t5"), "lora", {"rank": 2})
    reader, seen = encoder_cache.CachedEncoderBatcher(adapted.base, encoder, None), []
    hook = adapted.base.model.encoder.register_forward_hook(
        lambda _, args, given, out: seen.append(len(given["input_ids"])), with_kwargs=True
    )
    first = reader.batch([ROWS[0], ROWS[1], ROWS[0]])
    again = reader.batch([ROWS[2], ROWS[0]], with_targets=False)
    hook.remove()
    assert seen == [2, 1]
    torch.testing.assert_close(first.encoder_states[0], first.encoder_states[2])
    length = int(again.attention_mask[1].sum())
    torch.testing.assert_close(again.encoder_states[1, :length], first.encoder_states[0, :length])
    assert not again.encoder_states[0, int(again.attention_mask[0].sum()) :].any()


def test_what_finds_no_room_is_computed_again(tiny):
    adapted, encoder = build(tiny("t5"), "lora", {"rank": 2})
    reader = encoder_cache.CachedEncoderBatcher(adapted.base, encoder, None)
    plenty = reader.batch(ROWS).encoder_states
    reader = encoder_cache.CachedEncoderBatcher(adapted.base, encoder, None)
    reader.free_bytes = 0
    for _ in range(2):
        torch.testing.assert_close(reader.batch(ROWS).encoder_states, plenty)
    assert not reader._states


def test_answers_are_those_of_running_the_encoder(tiny, monkeypatch):
    from peftcore import tasks
    from peftcore.training.evaluation import answer_examples

    adapted, _ = build(tiny("t5"), "lora", {"rank": 2})
    task = tasks.find_task("miniworld_nli")
    with torch.no_grad():
        for tensor in adapted.tensors.values():
            tensor.normal_(std=0.3)
    found = []
    for untouched in (True, False):
        monkeypatch.setattr(type(adapted), "encoder_untouched", untouched)
        options = Evaluation(limit=3, max_new_tokens=5)
        answers = answer_examples(adapted, task, ROWS, ExampleBatcher(adapted.base, ()), options)
        found.append([[each.text for each in seed] for seed in answers])
    assert found[0] == found[1]
    assert any(text for seed in found[0] for text in seed)
