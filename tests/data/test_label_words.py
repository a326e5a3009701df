"""Words for labels: what is written and read changes, and nothing that is kept."""

import pytest

from peftcore import tasks
from peftcore.data.label_words import check_words, offered_words, parse_words, with_words
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec

WORDS = {"entailment": "right", "neutral": "not told", "contradiction": "wrong"}
LABELS = ("entailment", "neutral", "contradiction")


def test_targets_and_answers_are_in_the_words_and_labels_keep_their_names():
    plain = tasks.find_task("miniworld_nli")
    worded = with_words(plain, WORDS)
    for before, after in zip(plain.load("test")[:6], worded.load("test")[:6], strict=True):
        assert after.label == before.label
        assert after.target == before.target.replace(before.label, WORDS[before.label], 1)
        assert worded.parse(after.target).label == before.label
        assert worded.parse(after.target).explanation == plain.parse(before.target).explanation
        assert worded.parse(before.target).label is None  # a label by name is no word
    assert worded.parse("Not  told because nobody says so").label == "neutral"
    assert worded.data_hash() == plain.data_hash()
    rows = [row.id for row in plain.few_shot(6, 0, 3).train]
    assert [row.id for row in worded.few_shot(6, 0, 3).train] == rows


def test_a_task_without_words_is_itself():
    plain = tasks.find_task("miniworld_nli")
    assert with_words(plain, {}) is plain
    spec = RunSpec(base="b", task="miniworld_nli", method="lora", training={"label_words": WORDS})
    assert tasks.task_of(spec).load("test")[0].target.split()[0] in {"right", "not", "wrong"}
    assert spec.id != RunSpec(base="b", task="miniworld_nli", method="lora").id


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"entailed": "yes"}, "did you mean 'entailment'"),
        ({"entailment": " "}, "1 to 60 characters"),
        ({"entailment": "so because of it"}, "separates explanations"),
        ({"entailment": "Neutral"}, "stands for two labels"),
        ({"entailment": "x" * 61}, "1 to 60 characters"),
    ],
)
def test_words_that_cannot_be_are_refused(words, why):
    with pytest.raises(BadInput, match=why):
        check_words(LABELS, words)


def test_words_that_change_nothing_are_dropped():
    given = {"entailment": "entailment", "neutral": " not   told "}
    assert check_words(LABELS, given) == {"neutral": "not told"}
    with pytest.raises(BadInput, match="no fixed labels"):
        check_words((), {"entailment": "yes"})


def test_offered_words_have_the_meaning_first_and_differ():
    offered = offered_words(LABELS)
    assert offered[0] == {"entailment": "true", "neutral": "unknown", "contradiction": "false"}
    assert offered[-1] == {"entailment": "one", "neutral": "two", "contradiction": "three"}
    assert offered_words(("tea", "coffee"))[0] == {"tea": "A", "coffee": "B"}
    assert all(len(set(words.values())) == len(words) for words in offered)


def test_words_are_typed_with_a_sign_of_equality():
    assert parse_words(["neutral = not told"]) == {"neutral": "not told"}
    with pytest.raises(BadInput, match="label=word"):
        parse_words(["neutral"])
