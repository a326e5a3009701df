"""Answers do not depend on the generation settings that come with a base."""

import copy
from dataclasses import replace

import pytest
import torch
from support.base_folders import edit_json, write_base
from transformers import GenerationConfig

from peftcore.models import decoding
from peftcore.models.base_model import load
from peftcore.training.predict import answer_base

LEAKS = {
    "repetition_penalty": 1.8,
    "no_repeat_ngram_size": 1,
    "suppress_tokens": list(range(6, 40)),
    "begin_suppress_tokens": list(range(6, 40)),
    "bad_words_ids": [[n] for n in range(6, 40)],
    "sequence_bias": [[[9], 100.0]],
    "forced_bos_token_id": 11,
    "forced_eos_token_id": 12,
    "min_new_tokens": 9,
    "exponential_decay_length_penalty": [1, 1.9],
    "do_sample": True,
    "num_beams": 3,
    "eos_token_id": [1, 7, 8, 9, 10],
    "max_new_tokens": 2,
    "renormalize_logits": True,
    "prompt_lookup_num_tokens": 3,
}


@pytest.mark.parametrize("family", ["llama", "t5"])
def test_a_base_answers_as_if_its_generation_settings_were_not_there(tiny, family):
    """Case A08 (PrimeIntellect-ai/prime-rl#886), for every setting that could enter."""
    base = replace(tiny(family), model=copy.copy(tiny(family).model))
    plain = answer_base(base, ["ab"], 12)
    for name, value in LEAKS.items():
        base.model.generation_config = GenerationConfig(**{name: value})
        found = decoding.set_neutral(base.model)
        assert answer_base(base, ["ab"], 12) == plain, name
        assert found == ({} if name in decoding.WITHOUT_EFFECT else {name: value})


def test_nor_those_that_old_folders_keep_in_their_config(tmp_path):
    folder = write_base(tmp_path / "rep", "gpt2")
    plain = answer_base(load(str(folder)), ["ab"], 12)
    (folder / "generation_config.json").unlink()
    edit_json(folder / "config.json", no_repeat_ngram_size=1, num_beams=3)
    base = load(str(folder))
    assert answer_base(base, ["ab"], 12) == plain
    assert base.settings_set_aside == {"no_repeat_ngram_size": 1, "num_beams": 3}


def test_the_test_above_could_fail(tiny):
    """The library itself writes something else with such a setting."""
    base = tiny("llama")
    options = decoding.search_options(base.tokenizer, 12)
    ids = torch.tensor([[2, 6, 7]])
    with torch.no_grad():
        usual = base.model.generate(ids, **options)
        other = base.model.generate(ids, **options, suppress_tokens=LEAKS["suppress_tokens"])
    assert usual.tolist() != other.tolist()


def test_what_has_no_effect_is_not_called_set_aside():
    own = {"_from_model_config": True, "eos_token_id": [1, 2], "temperature": 1.0, "top_p": 0.9}
    assert decoding.settings_set_aside(own) == {"top_p": 0.9}
