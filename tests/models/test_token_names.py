"""How tokens are shown to a reader."""

import pytest

from peftcore.models import token_names


class Vocabulary:
    """As much of a tokenizer as naming reads."""

    all_special_tokens = ("<end>",)

    def __init__(self, *pieces):
        self.pieces = pieces

    def __len__(self):
        return len(self.pieces)

    def convert_ids_to_tokens(self, ids):
        return [self.pieces[i] for i in ids]

    def ids(self, *pieces):
        return [self.pieces.index(piece) for piece in pieces]


BYTES = Vocabulary(
    "<end>", "Ġun", "Ġthe", "nons", "ens", "Ġverte", "Ċ", "Ġ", "Ã©s", "æ", "##", "▁", "9"
)
SENTENCEPIECE = Vocabulary("<end>", "▁un", "▁the", "nons", "ens", "▁", "<0x0A>", "<0xE6>", ".")
WORDPIECE = Vocabulary("<end>", "un", "the", "##nons", "##ens", ".", "##9")


@pytest.mark.parametrize(
    ("vocabulary", "pieces", "names"),
    [
        (BYTES, ("Ġverte", "ens", "Ċ", "Ġ", "9"), ("verte", "·ens", "⏎", "␣", "·9")),
        (BYTES, ("Ã©s", "æ", "<end>", "##"), ("·és", "<0xE6>", "<end>", "##")),
        (
            SENTENCEPIECE,
            ("▁un", "ens", "▁", "<0x0A>", "<0xE6>"),
            ("un", "·ens", "␣", "⏎", "<0xE6>"),
        ),
        (WORDPIECE, ("un", "##ens", "."), ("un", "·ens", ".")),
        (Vocabulary("a", " ", "\n"), ("a", " ", "\n"), ("a", "␣", "⏎")),
    ],
)
def test_words_alone_read_alike_whatever_a_vocabulary_writes(vocabulary, pieces, names):
    assert token_names.vocabulary_names(vocabulary, vocabulary.ids(*pieces)) == names


@pytest.mark.parametrize("vocabulary", [BYTES, SENTENCEPIECE])
def test_the_first_token_of_a_text_continues_nothing(vocabulary):
    ids = vocabulary.ids("nons", "ens", "<end>", "nons")
    assert token_names.text_names(vocabulary, ids) == ("nons", "·ens", "<end>", "nons")


def test_a_text_is_joined_by_letters_and_not_by_signs():
    ids = BYTES.ids("Ġun", "ens", "Ċ", "ens", "9")
    assert token_names.text_names(BYTES, ids) == ("un", "·ens", "⏎", "ens", "·9")


def test_every_byte_has_one_sign_and_comes_back():
    assert sorted(token_names.BYTES_BY_SIGN.values()) == list(range(256))
    signs = {byte: sign for sign, byte in token_names.BYTES_BY_SIGN.items()}
    spelled = "".join(signs[byte] for byte in " naïve 日本".encode())
    assert token_names.vocabulary_names(Vocabulary(spelled, "Ġ"), [0]) == ("naïve 日本",)


def test_a_token_of_a_typed_text_continues_the_letters_before_it():
    assert token_names.continues_word("unfair", 2)
    assert not token_names.continues_word("un fair", 3)
    assert not token_names.continues_word("unfair", 0)
    assert token_names.show_token(" \n") == "␣⏎"
    assert token_names.show_token("") == "∅"


@pytest.mark.parametrize("family", ["t5", "gpt2", "bert"])
def test_the_words_of_our_own_vocabularies_come_back(family):
    from peftcore.models.base_model import load

    base = load({"t5": "tiny-t5", "gpt2": "tiny-gpt", "bert": "tiny-bert"}[family])
    ids = base.tokenizer("the unfriendly", add_special_tokens=False)["input_ids"]
    names = token_names.text_names(base.tokenizer, ids)
    assert "".join(names).replace("·", "") == "theunfriendly"
    assert [name for name in names if not name.startswith("·")] == ["the", "un"]
