"""Tokenizers out of GGUF files split as the model was trained."""

import pytest
from support.gguf_files import write_gguf
from transformers import Qwen2Tokenizer

from peftcore.errors import BadInput
from peftcore.intake import gguf_file, gguf_tokenizer

TEXTS = (
    "the thin 2026 theory",
    "naïve café\n\n über  東京!",
    " don't  DON'T I'll",
    "a\t\tb  \n c 12",
)


def built(path):
    return gguf_tokenizer.build_tokenizer(gguf_file.read_header(path), 128)


def test_pieces_are_merged_and_digits_stand_alone(llama_file):
    tok = built(llama_file)
    assert tok.tokenize("the thin 26") == ["the", "Ġ", "th", "in", "Ġ", "2", "6"]
    assert tok.tokenize("<|im_start|>the") == ["<|im_start|>", "the"]
    for text in TEXTS:
        assert tok.decode(tok(text)["input_ids"]) == text
    assert (tok.bos_token, tok.eos_token, tok.unk_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
    )


def test_qwen2_splits_as_the_library_does(tmp_path, tiny_llama):
    ours = built(write_gguf(tmp_path / "m.gguf", tiny_llama, pre="qwen2"))
    theirs = Qwen2Tokenizer()
    for text in TEXTS:
        pieces = theirs._tokenizer.pre_tokenizer.pre_tokenize_str(text)
        assert ours._tokenizer.pre_tokenizer.pre_tokenize_str(text) == pieces


def test_a_token_in_front_is_put_there_where_the_file_says_so(tmp_path, tiny_llama):
    tok = built(write_gguf(tmp_path / "m.gguf", tiny_llama, add_bos=True))
    assert tok("the")["input_ids"][0] == tok.bos_token_id


def test_a_special_token_beyond_the_vocabulary_is_refused(llama_file):
    header = gguf_file.read_header(llama_file)
    header.fields["tokenizer.ggml.eos_token_id"] = 10_000
    with pytest.raises(BadInput, match="eos_token_id is 10,000"):
        gguf_tokenizer.check_tokenizer(header)
    header.fields["tokenizer.ggml.tokens"][5] = header.fields["tokenizer.ggml.tokens"][6]
    with pytest.raises(BadInput, match="same token twice"):
        gguf_tokenizer.check_tokenizer(header)
