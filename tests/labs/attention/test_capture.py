"""What is recorded is what the model did, with every position named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.families import build_family
from transformers import ByT5Tokenizer

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.analysis import attention as a
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.attention import capture
from peftcore.runs.spec import RunSpec
from peftcore.training import planning
from peftcore.training.predict import typed_example

PAIR = Example(
    "x", "b: the cat. a: the cat sat", "yes", "entailment", (), ("the cat sat", "the cat")
)
PLACES = {"t5": 3, "bert": 1, "gpt2": 1, "llama": 1}


def build(base, method, settings=None, seeds=2):
    spec = {"base": base.name, "task": "miniworld_nli", "method": method}
    spec |= {"settings": settings or {}, "population": {"seeds": seeds}}
    made = planning.build_adapted(base, RunSpec.make(spec), fresh=False)
    for tensor in made.tensors.values():  # some methods begin at nought
        tensor.data.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1)))
    return made


@pytest.mark.parametrize("family", PLACES)
def test_an_untouched_base_is_recorded_at_every_place(tiny, family):
    found = capture.capture_attention(unadapted_model(tiny(family)), PAIR)
    assert len(found) == PLACES[family]
    for one in found.values():
        assert one.weights.shape[2:] == (len(one.queries), len(one.keys))
        assert one.weights.sum(-1) == pytest.approx(np.ones(one.weights.shape[:3]), abs=1e-5)


@pytest.mark.parametrize("family", PLACES)
def test_steps_lead_to_the_weights_that_were_used(tiny, family):
    adapted = build(tiny(family), "prefix_tuning", {"length": 3})
    for one in capture.capture_attention(adapted, PAIR).values():
        for layer, head, query in np.ndindex(one.weights.shape[:3]):
            found = a.trace_query(one, layer, head, query).weights
            assert found == pytest.approx(one.weights[layer, head, query], abs=1e-5)


@pytest.mark.parametrize("name", ["gemma2", "t5gemma", "mpnet"])
def test_steps_lead_to_weights_of_capped_scores_and_of_a_bias_by_distance_too(name):
    adapted = build(build_family(name), "prefix_tuning", {"length": 3}, seeds=1)
    for one in capture.capture_attention(adapted, PAIR).values():
        for layer, head, query in np.ndindex(one.weights.shape[:3]):
            found = a.trace_query(one, layer, head, query).weights
            assert found == pytest.approx(one.weights[layer, head, query], abs=1e-5)


def test_attention_of_a_base_that_reads_bytes_is_shown_by_bytes():
    """Case A23 (huggingface/transformers#9056): a tokenizer in Python, which reports no places."""
    base = build_family("t5", tokenizer=ByT5Tokenizer(), vocab_size=384)
    example = replace(typed_example("a dög"), target="x")
    found = capture.capture_attention(unadapted_model(base), example)
    names = [token.text for token in found["encoder"].keys]
    assert names == ["a", "␣", "d", "·<0xC3>", "·<0xB6>", "·g", "</s>"]
    assert [token.text for token in found["decoder"].keys] == ["start", "x"]


def test_recorded_weights_are_the_librarys_own(tiny):
    base = tiny("t5")
    found = capture.capture_attention(unadapted_model(base), PAIR)
    assert capture.example_tokens(base, PAIR)[1][0].text == "start"
    ids = base.tokenizer(PAIR.source, return_tensors="pt")["input_ids"]
    ids = torch.cat([ids, torch.tensor([[base.tokenizer.eos_token_id]])], 1)
    base.model.set_attn_implementation("eager")
    try:
        seen = base.model.encoder(ids, output_attentions=True).attentions
    finally:
        base.model.set_attn_implementation("peftcore")
    assert found["encoder"].weights[1] == pytest.approx(seen[1][0].detach().numpy(), abs=1e-6)


@pytest.mark.parametrize("family", PLACES)
def test_prefix_positions_are_keys_of_their_own(tiny, family):
    adapted = build(tiny(family), "prefix_tuning", {"length": 3})
    for one in capture.capture_attention(adapted, PAIR, 1).values():
        assert [t.text for t in one.keys[:3]] == ["P1", "P2", "P3"]
        assert not any(t.kind == "prefix" for t in one.queries)
        assert len(one.keys) > 3


@pytest.mark.parametrize("family", PLACES)
def test_soft_tokens_stand_where_the_model_read_them(tiny, family):
    base = tiny(family)
    adapted = build(base, "prompt_tuning", {"length": 2})
    one = next(iter(capture.capture_attention(adapted, PAIR).values()))
    kinds = [t.kind for t in one.keys]
    at = int(base.kind == "encoder")
    assert kinds[at : at + 2] == ["soft", "soft"]
    assert kinds.count("soft") == 2
    assert one.queries == one.keys


def test_seeds_are_told_apart(tiny):
    adapted = build(tiny("bert"), "prefix_tuning")
    one, two = (
        capture.capture_attention(adapted, PAIR, seed)["encoder"].weights for seed in (0, 1)
    )
    assert np.abs(one - two).max() > 1e-3
    with pytest.raises(BadInput, match=r"\[0, 1\]"):
        capture.capture_attention(adapted, PAIR, 2)


def test_one_layer_below_its_prefix_is_the_base(tiny):
    """The first layer's content, renormalised, is that of the untouched model."""
    base = tiny("t5")
    plain = capture.capture_attention(unadapted_model(base), PAIR)["encoder"]
    prefixed = capture.capture_attention(build(base, "prefix_tuning"), PAIR)["encoder"]
    content = a.filter_pattern(prefixed, learnt="renormalised")
    assert content.weights[0] == pytest.approx(plain.weights[0], abs=1e-5)


@pytest.mark.parametrize("family", PLACES)
def test_texts_of_a_pair_are_found_even_if_one_lies_in_the_other(tiny, family):
    read = capture.example_tokens(tiny(family), PAIR)[0]
    first = [t.text.lstrip("·") for t in read if t.part == 1]
    second = [t.text.lstrip("·") for t in read if t.part == 2]
    assert "".join(first) == "the␣cat␣sat"
    assert "".join(second) == "the␣cat"


def test_every_token_of_a_decoder_has_a_name(tiny):
    read, answered = capture.example_tokens(tiny("gpt2"), replace(PAIR, source="ab", target="c"))
    assert [t.text for t in read] == ["<s>", "a", "·b", "⏎", "c", "</s>"]
    assert [t.kind for t in read].count("special") == 2
    assert not answered


def test_text_that_cannot_be_read_on_a_screen_is_refused(tiny):
    with pytest.raises(BadInput, match="up to 160 can be shown"):
        capture.capture_attention(unadapted_model(tiny("t5")), typed_example("ab " * 80))


def test_an_encoder_has_no_answer(tiny):
    with pytest.raises(BadInput, match="reads but cannot write"):
        capture.generate_answer(unadapted_model(tiny("bert")), PAIR, 0, 4)


def test_heads_over_a_data_set_are_the_means_of_single_inputs(tiny):
    adapted = build(tiny("t5"), "prefix_tuning", {"length": 3})
    examples, seen = [PAIR, typed_example("the dog ran off")], []
    found = capture.head_statistics(adapted, examples, lambda done, of: seen.append((done, of)))
    assert seen == [(1, 2), (2, 2)]
    each = [
        a.measure_heads(capture.capture_attention(adapted, e, 1)["cross"])["entropy"]
        for e in examples
    ]
    assert found["cross"].measures["entropy"][1] == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    assert found["encoder"].seeds == 2
    assert (found["encoder"].measures["learnt"] > 0).all()


def test_a_text_that_is_too_long_is_refused_before_any_pass(tiny, monkeypatch):
    adapted = unadapted_model(tiny("llama"))
    long = typed_example("a cat " * 90)
    capture.check_length(adapted.base, typed_example("a cat"))
    with pytest.raises(a.TextTooLong, match="up to 160 can be shown"):
        capture.check_length(adapted.base, long)
    monkeypatch.setattr(adapted, "record_attention", None)
    with pytest.raises(a.TextTooLong):
        capture.capture_attention(adapted, long)
