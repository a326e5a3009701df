"""Likelihoods are exact whatever the batch; gaps and pairs are where they should be."""

import numpy as np
import pytest
import torch
from support.bases import build_tiny

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.models import base_model
from peftcore.training import text_likelihood

TEXTS = ["the cat", "a", "the cat sat on the mat. it slept", "two cats"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_likelihood_is_that_of_the_sentence_alone_after_its_start(tiny, family):
    base = tiny(family)
    found = text_likelihood.measure_base(base, TEXTS, lambda done, total: None)
    for text, value, count in zip(TEXTS, found.sums[0], found.tokens, strict=True):
        ids = [base.tokenizer.bos_token_id, *base.tokenizer(text)["input_ids"]]
        with torch.inference_mode():
            logs = base.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        alone = sum(float(logs[at, ids[at + 1]]) for at in range(len(ids) - 1))
        assert value == pytest.approx(alone, abs=1e-4)
        assert count == len(ids) - 1


def test_batches_hold_like_lengths_and_few_tokens():
    batches = list(text_likelihood.batches([5, 2, 9, 3, 20, 4], 12))
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert batches == [[1, 3, 5], [0], [2], [4]]


def test_an_encoder_decoder_writes_what_stood_in_the_gap_after_a_sentinel():
    base = base_model.load("tiny-t5")
    tok = base.tokenizer
    right, wrong = text_likelihood.pair_rows(base, "the dog is old .", "the dog are old .")
    assert right.input_ids == wrong.input_ids
    sentinel = tok.convert_tokens_to_ids(text_likelihood.SENTINEL)
    assert right.input_ids.count(sentinel) == 1
    assert right.target_ids[0] == sentinel
    assert tok.decode(right.target_ids[1:-1]).strip() == "is"
    assert tok.decode(wrong.target_ids[1:-1]).strip() == "are"
    row = text_likelihood.text_row(base, "the dog is old and the cat is young .")
    assert row == text_likelihood.text_row(base, "the dog is old and the cat is young .")
    kept = [i for i in row.input_ids[:-1] if i != sentinel] + row.target_ids[1:-1]
    whole = tok("the dog is old and the cat is young .", add_special_tokens=False)["input_ids"]
    assert sorted(kept) == sorted(whole)


def test_a_pair_without_a_common_word_is_one_gap():
    base = base_model.load("tiny-t5")
    right, wrong = text_likelihood.pair_rows(base, "dogs sleep", "cats cats eat")
    assert right.input_ids == wrong.input_ids
    assert len(wrong.target_ids) > len(right.target_ids)


def test_without_a_sentinel_a_base_goes_on_where_the_text_breaks_off(tiny):
    base = tiny("t5")
    row = text_likelihood.text_row(base, "ab cd ef")
    decoded = base.tokenizer.decode(row.input_ids + row.target_ids)
    assert decoded.count("</s>") == 2
    found = text_likelihood.measure(unadapted_model(base), [row, row])
    assert found.sums.shape == (1, 2)
    assert np.isfinite(found.sums).all()


def test_a_text_beyond_the_window_is_cut():
    base = build_tiny("gpt2")
    row = text_likelihood.text_row(base, "a" * 400, room=6)
    assert len(row.input_ids) + len(row.target_ids) + 6 == base.structure.window
