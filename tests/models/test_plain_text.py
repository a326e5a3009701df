"""Special tokens that stand in a text are words of it."""

import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

from peftcore import tasks
from peftcore.models import plain_text
from peftcore.paths import ASSETS

TEXT = "the soup </s> was <pad></s> warm"


def unigram():
    """A tokenizer that holds its special tokens as pieces too, as T5's does."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("<", -9.0), (">", -9.0)]
    pieces += [(letter, -3.0) for letter in "/abcdefghijklmnopqrstuvwxyz"]
    core = Tokenizer(models.Unigram(pieces, unk_id=2))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair=None, special_tokens=[("</s>", 1)]
    )
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


def word_level():
    """A tokenizer of whole words between spaces, some of which are special."""
    words = ["<pad>", "</s>", "<unk>", "the", "soup", "was", "warm", "<", "/s>", "pad>"]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


@pytest.mark.parametrize("make", [unigram, word_level, ByT5Tokenizer])
def test_special_words_in_a_text_are_read_as_text(make):
    """Case A15 (huggingface/transformers#31336), for fast tokenizers and those in Python."""
    tokenizer = make()
    special = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    assert special <= set(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    plain_text.read_special_words_as_text(tokenizer)
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert not special & set(ids)
    if make is not word_level:  # which has no word for a piece of another
        assert "".join(tokenizer.decode(ids).replace("▁", "").split()) == "".join(TEXT.split())
    again = tokenizer("the </s>", add_special_tokens=False)["input_ids"]
    plain_text.read_special_words_as_text(tokenizer)  # a second time changes nothing
    assert tokenizer("the </s>", add_special_tokens=False)["input_ids"] == again


@pytest.mark.parametrize("make", [unigram, ByT5Tokenizer])
def test_what_we_put_around_a_text_stays_special(make):
    tokenizer = make()
    plain_text.read_special_words_as_text(tokenizer)
    assert tokenizer("soup")["input_ids"][-1] == tokenizer.eos_token_id


def test_positions_in_the_text_stay_true():
    tokenizer = unigram()
    plain_text.read_special_words_as_text(tokenizer)
    encoding = tokenizer("ab </s>", return_offsets_mapping=True)
    assert encoding["offset_mapping"][-5:-1] == [(3, 4), (4, 5), (5, 6), (6, 7)]


@pytest.mark.parametrize("make", [unigram, word_level])
def test_a_tokenizer_that_leaves_the_house_is_the_librarys_again(make, tmp_path):
    want = make()(TEXT)["input_ids"]
    tokenizer = make()
    plain_text.read_special_words_as_text(tokenizer)
    plain_text.with_special_words(tokenizer).save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(TEXT)["input_ids"] == want
    assert tokenizer(TEXT)["input_ids"] != want  # ours is as it was


BASES = sorted(path.parent.name for path in (ASSETS / "models").glob("*/tokenizer.json"))


@pytest.fixture(scope="module")
def texts():
    """Sentences of Miniworld and prompts of images, and what demo runs read and wrote."""
    found = {
        text
        for task in ("miniworld_nli", "miniworld_venues", "pictures_digit")
        for row in tasks.find_task(task).load("validation")[:100]
        for text in (row.source, row.target)
    }
    for path in sorted((ASSETS / "demo_runs").glob("*/answers.parquet"))[:5]:
        table = pd.read_parquet(path, columns=["source", "text"]).head(50)
        found |= set(table["source"]) | set(table["text"])
    return sorted(found)


@pytest.mark.parametrize("name", BASES)
def test_ordinary_texts_keep_their_token_ids(name, texts):
    assert len(texts) > 300
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "models" / name)
    want = tokenizer(texts)["input_ids"]
    plain_text.read_special_words_as_text(tokenizer)
    assert tokenizer(texts)["input_ids"] == want
