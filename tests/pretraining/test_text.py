"""Pretraining: tokenizer, corruption, a short run; and the embedded bases that were made by it."""

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from peftcore.errors import BadInput
from peftcore.paths import ASSETS
from peftcore.pretraining import text as text_pretraining
from peftcore.pretraining import tiny_models


@pytest.fixture(scope="module")
def tokenizers():
    return {name: tiny_models.make_tokenizer(name) for name in tiny_models.TEXT_MODEL_NAMES}


@given(seed=st.integers(0, 10_000), length=st.integers(4, 90))
@settings(max_examples=50, deadline=None)
def test_corrupted_spans_put_back_give_the_text(tokenizers, seed, length):
    tokenizer = tokenizers["tiny-t5"]
    ids = list(range(300, 300 + length))
    source, target = text_pretraining._corrupt(ids, tokenizer, random.Random(seed))
    first = tokenizer.convert_tokens_to_ids("<extra_id_0>")
    spans: dict[int, list[int]] = {}
    for token in target:
        if token >= first:
            spans[token] = []
        else:
            spans[max(spans)].append(token)
    whole = [t for token in source for t in (spans[token] if token >= first else [token])]
    assert whole == ids


@pytest.mark.parametrize("name", tiny_models.TEXT_MODEL_NAMES)
def test_padding_of_a_batch_never_counts(name, tokenizers):
    tokenizer = tokenizers[name]
    torch.manual_seed(0)
    trainer = text_pretraining._TextTrainer(
        name, tiny_models.make_model(name, tokenizer), tokenizer, 0
    )
    rows = sorted(trainer._sample_sequences(random.Random(2), 6), key=lambda r: len(r.source))
    batch = trainer._collate(rows)
    if name == "tiny-t5":
        assert int((batch["labels"] != -100).sum()) == sum(len(r.target) for r in rows)
    elif name == "tiny-bert":
        hidden = batch["labels"] != -100
        assert not bool((hidden & (batch["attention_mask"] == 0)).any())
    else:
        assert float(batch["weights"][batch["attention_mask"] == 0].sum()) == 0
    assert math.isfinite(trainer._loss(batch).item())


def test_unknown_names_and_times_are_refused(tmp_path):
    with pytest.raises(BadInput, match="tiny-t5"):
        text_pretraining.pretrain_base("tinyt5", tmp_path, 1, 0, print)
    with pytest.raises(BadInput, match="tokens"):
        text_pretraining.pretrain_base("tiny-t5", tmp_path, 0, 0, print)


@pytest.mark.slow
@pytest.mark.parametrize("name", tiny_models.TEXT_MODEL_NAMES)
def test_a_short_run_learns_and_writes_a_folder_that_loads(name, tmp_path, monkeypatch):
    monkeypatch.setattr(text_pretraining, "_FINAL_COUNT", 8)
    monkeypatch.setattr(text_pretraining, "_INTERIM_COUNT", 8)
    reports: list[dict] = []
    result = text_pretraining.pretrain_base(name, tmp_path / name, 200_000, 0, reports.append)
    assert result["validation_loss"] < 8.0  # random weights give ln 3200 = 8.07 and more
    assert (tmp_path / name / "model.safetensors").exists()
    assert reports[-1]["step"] == result["step"]


def _shipped(name):
    folder = ASSETS / "models" / name
    return folder, __import__("transformers").AutoTokenizer.from_pretrained(folder)


def _loss(model, tokenizer, source, target):
    coded = tokenizer(source, return_tensors="pt")
    labels = tokenizer(target, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return float(model(**coded, labels=labels).loss)


def test_shipped_t5_knows_what_things_are():
    from transformers import AutoModelForSeq2SeqLM

    folder, tokenizer = _shipped("tiny-t5")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    asked = "a spoon is made of <extra_id_0>"
    right, wrong = (f"<extra_id_0> {w}" for w in ("metal", "chocolate"))
    assert _loss(model, tokenizer, asked, right) < _loss(model, tokenizer, asked, wrong)


def test_shipped_bert_knows_what_things_are():
    from transformers import AutoModelForMaskedLM

    folder, tokenizer = _shipped("tiny-bert")
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    coded = tokenizer("a spoon is made of [MASK] .", return_tensors="pt")
    with torch.no_grad():
        logits = model(**coded).logits[0]
    position = coded["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    one, other = (tokenizer(w, add_special_tokens=False)["input_ids"] for w in ("metal", "rice"))
    assert len(one) == len(other) == 1
    assert logits[position, one[0]] > logits[position, other[0]]


def test_shipped_gpt_prefers_what_is_true_to_what_is_not():
    from transformers import AutoModelForCausalLM

    folder, tokenizer = _shipped("tiny-gpt")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    losses = []
    for text in ("a spoon is made of metal .", "a spoon is made of rice ."):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            losses.append(float(model(input_ids=ids, labels=ids).loss))
    assert losses[0] < losses[1]
