"""How a base writes words, read off the tokenizers that ship."""

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from peftcore.models import label_pieces
from peftcore.models.base_model import load
from peftcore.models.label_pieces import WordPieces


def test_a_word_of_the_vocabulary_is_one_piece_and_others_are_spelt():
    tokenizer = label_pieces.load_tokenizer("tiny-t5")
    known, spelt = label_pieces.split_words(
        tokenizer, ["yes", "entailment"], ["true", "entailment"]
    )
    assert known == WordPieces("yes", "true", ("true",), True)
    assert str(known) == "true"
    assert spelt.pieces == ("ent", "ail", "ment")
    assert str(spelt) == "entailment (ent · ail · ment)"


def test_a_sign_that_the_vocabulary_lacks_cannot_be_written():
    vocabulary = WordLevel({"true": 0, "?": 1}, unk_token="?")
    known, lacking = label_pieces.split_words(Tokenizer(vocabulary), ["yes", "no"], ["true", "否"])
    assert known.writable
    assert not lacking.writable


def test_the_files_of_a_base_give_what_the_loaded_base_gives():
    words = ["contradiction", "not told"]
    of_files, of_base = (
        label_pieces.split_words(label_pieces.load_tokenizer(base), words, words)
        for base in ("tiny-bert", load("tiny-bert"))
    )
    assert of_files == of_base


def test_a_base_that_is_not_here_has_no_tokenizer():
    assert label_pieces.load_tokenizer("nowhere") is None


def test_every_label_needs_a_word():
    with pytest.raises(ValueError, match="zip"):
        label_pieces.split_words(label_pieces.load_tokenizer("tiny-t5"), ["a", "b"], ["one"])
