"""Every token's place in its text, whatever kind of tokenizer made it."""

import pytest
from support.bases import tokenizer_for
from transformers import BertTokenizerLegacy, ByT5Tokenizer

from peftcore.models.token_spans import sequence_numbers, token_spans


@pytest.fixture
def slow_bert(tmp_path):
    """A tokenizer in Python that cuts words into pieces and writes them small."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s", "sat"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    return BertTokenizerLegacy(str(tmp_path / "vocab.txt"))


def shown(found, *texts):
    return [
        None if number is None else name or texts[number][slice(*span)]
        for number, span, name in zip(found.sequences, found.spans, found.names, strict=True)
    ]


def test_a_fast_tokenizer_is_asked_for_its_places():
    found = token_spans(tokenizer_for("encoder"), "ab", "c")
    assert shown(found, "ab", "c") == [None, "a", "b", None, "c", None]
    assert found.sequences == (None, 0, 0, None, 1, None)


def test_bytes_have_the_place_of_their_character_and_a_name_where_they_are_less_than_one():
    found = token_spans(ByT5Tokenizer(), "dög a")
    assert shown(found, "dög a") == ["d", "<0xC3>", "<0xB6>", "g", " ", "a", None]
    assert found.spans[1] == found.spans[2] == (1, 2)


def test_pieces_are_found_in_the_texts_of_a_pair(slow_bert):
    texts = ("A dogs", "dog sat")
    found = token_spans(slow_bert, *texts)
    assert shown(found, *texts) == [None, "A", "dog", "s", None, "dog", "sat", None]
    assert sequence_numbers(slow_bert, slow_bert(*texts), texts) == list(found.sequences)


def test_a_piece_that_stands_nowhere_in_the_text_is_shown_by_its_own_name(slow_bert):
    found = token_spans(slow_bert, "a cat")
    assert shown(found, "a cat") == [None, "a", "[UNK]", None]


def test_nothing_has_no_places():
    assert token_spans(ByT5Tokenizer(), "", add_special_tokens=False).ids == ()
