"""Tokenizers and files of the tiny base models."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peftcore.paths import ASSETS
from peftcore.pretraining import tiny_models

ODD_TEXTS = ["naïve café 😀", "  two  spaces ", "Ünïcode\n\ttab", "", "日本語", "a < b && c | d"]


@pytest.fixture(scope="module")
def tokenizers():
    return {name: tiny_models.make_tokenizer(name) for name in tiny_models.TEXT_MODEL_NAMES}


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_text_survives_the_tokenizer(tokenizers, text):
    tokenizer = tokenizers["tiny-t5"]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_two_texts_get_two_token_types(tokenizers):
    coded = tokenizers["tiny-bert"]("a dog runs", "a cat sits")
    assert coded["token_type_ids"][0] == 0
    assert coded["token_type_ids"][-1] == 1
    tokens = tokenizers["tiny-bert"].convert_ids_to_tokens(coded["input_ids"])
    assert (tokens[0], tokens[-1], tokens.count("[SEP]")) == ("[CLS]", "[SEP]", 2)


def _shipped(name):
    folder = ASSETS / "models" / name
    return folder, __import__("transformers").AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", tiny_models.TEXT_MODEL_NAMES)
def test_a_shipped_base_has_its_parts_and_spells_any_text(name):
    folder, tokenizer = _shipped(name)
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
    for text in ODD_TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert max(ids, default=0) < json.loads((folder / "config.json").read_text())["vocab_size"]


def test_shipped_bases_take_at_most_35_megabytes():
    files = [
        p
        for n in tiny_models.TEXT_MODEL_NAMES
        for p in (ASSETS / "models" / n).rglob("*")
        if p.is_file()
    ]
    assert sum(p.stat().st_size for p in files) <= 35_000_000
