"""Can a base write the labels: pieces, words it lacks, words that are offered."""

import pytest
from support.tables import own_table

from peftcore.errors import BadInput
from peftcore.training.label_check import check_labels


def test_labels_that_have_to_be_spelt_are_shown_with_their_pieces_and_others_offered():
    found = check_labels("tiny-t5", "miniworld_nli")
    assert [len(each.pieces) for each in found.words] == [3, 4, 5]
    assert found.words[0].pieces == ("ent", "ail", "ment")
    assert not found.is_fair
    assert "entailment (ent · ail · ment)" in found.in_words()
    assert "for entailment / neutral / contradiction: true / unknown / false" in found.in_words()
    offered = [[len(word.pieces) for word in words] for words in found.offered]
    assert max(map(max, offered)) <= 2


@pytest.mark.parametrize("base", ["tiny-t5", "tiny-gpt"])
def test_labels_in_known_words_are_fair(base):
    found = check_labels(base, "miniworld_claims")
    assert [each.pieces for each in found.words] == [("true",), ("unknown",), ("false",)]
    assert found.is_fair
    assert found.in_words() == f"{base} can write the labels: true, unknown, false."


def test_words_in_place_of_labels_are_checked_instead():
    words = {"entailment": "right", "neutral": "not told", "contradiction": "wrong"}
    found = check_labels("tiny-t5", "miniworld_nli", words)
    assert found.is_fair
    assert found.as_values()["words"]["neutral"]["pieces"] == ["not", "told"]
    with pytest.raises(BadInput, match="stands for two"):
        check_labels("tiny-t5", "miniworld_nli", {"entailment": "neutral"})


def test_a_sign_that_the_vocabulary_lacks_is_named(own, home):
    rows = [(split, f"text {n} {split}", label) for split in ("train", "validation", "test")
            for n, label in enumerate(("{yes}", "{no}"))]  # fmt: skip
    found = check_labels("mine", own_table(rows))
    assert {each.word for each in found.unwritable} == {"{yes}", "{no}"}
    assert "cannot write" in found.in_words()


def test_there_is_nothing_to_check_where_nothing_is_written():
    assert check_labels("tiny-bert", "miniworld_nli") is None  # a head names labels
    assert check_labels("tiny-t5", "miniworld_venues") is None
    assert check_labels("no-such-base", "miniworld_nli") is None
