"""Answers as HTML."""

from html.parser import HTMLParser

import pytest

from peftcore.reports import answer_html
from peftcore.reports.answer_html import (
    AnswerCell,
    accepted_answers,
    closest_text,
    example_card,
    mark_differences,
)
from peftcore.reports.styles import style_of_method

LORA = style_of_method("lora", "LoRA")
HOSTILE = '<script>alert(1)</script> <img src=x onerror="alert(1)"> </div> &amp; "quoted"'


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.depth = set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.depth += 1
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.words.append(data)


def test_marks_say_what_is_new_and_what_is_missing():
    assert mark_differences("a cat is here", "a dog is here now") == (
        "a <del>cat</del> <ins>dog</ins> is here <ins>now</ins>"
    )
    assert mark_differences("same words", "same words") == "same words"


@pytest.mark.parametrize("against", [None, "another text", HOSTILE])
def test_hostile_text_stays_text(against):
    made = Reader(
        example_card(
            HOSTILE, [HOSTILE], [AnswerCell(style_of_method("lora", HOSTILE), HOSTILE)], against
        )
    )
    assert made.tags <= {"div", "span", "ins", "del"}
    assert made.depth == 0
    assert "<script>alert(1)</script>" in "".join(made.words)


def test_a_note_stands_in_for_an_answer_and_is_escaped():
    assert "<em>cannot &lt;write&gt;</em>" in example_card(
        "x", [], [AnswerCell(LORA, note="cannot <write>")], None
    )


def test_right_wrong_and_neither_are_said_in_words():
    made = [
        example_card("x", ["y"], [AnswerCell(LORA, "y", verdict)], None)
        for verdict in (True, False, None)
    ]
    assert "right" in made[0]
    assert "wrong" in made[1]
    assert "right" not in made[2]
    assert "wrong" not in made[2]


def test_an_empty_answer_is_said_to_be_empty():
    assert "(nothing)" in example_card("x", [], [AnswerCell(LORA, "  ")], None)


def test_marks_refer_to_the_closest_gold_text_unless_told_otherwise():
    golds = ["the pub is cheap", "a cheap pub by the river"]
    made = example_card("x", golds, [AnswerCell(LORA, "a cheap pub by the sea")], None)
    assert "<del>river</del> <ins>sea</ins>" in made
    assert "<del>pub</del>" in example_card(
        "x", golds, [AnswerCell(LORA, "the inn is cheap")], "the pub is cheap"
    )


def test_closest_of_nothing_is_the_text():
    assert closest_text("a b", []) == "a b"


def test_explanations_are_led_by_their_label():
    assert accepted_answers("yes because a", "yes", ["a", "b"]) == [
        "yes because a",
        "yes because b",
    ]
    assert accepted_answers("yes", "yes", []) == ["yes"]
    assert accepted_answers("a text", None, ["a text", "b text"]) == ["a text", "b text"]


def test_style_is_one_element():
    assert answer_html.STYLE.count("<style>") == answer_html.STYLE.count("</style>") == 1
