"""What pictures show, in words; prompts the bases do not know."""

import math

import pytest

from peftcore.errors import BadInput
from peftcore.tasks.images import canvas, digits, recognise

RING = canvas.code_to_picture(
    "00000000/01110000/01010000/01110000/00000000/00000000/00000000/00000000"
)


def test_scenes_are_told_exactly_and_broken_ones_called_so():
    assert recognise.describe_pictures("scenes", [RING, (*RING[:63], 3)]) == [
        "a red ring",
        recognise.UNREADABLE,
    ]


def test_alignment_is_known_only_where_something_known_is_asked():
    assert recognise.matches_prompt("scenes", "a red ring", RING) is True
    assert recognise.matches_prompt("scenes", "a green ring", RING) is False
    assert recognise.matches_prompt("scenes", "draw", RING) is None
    seven = next(d for d in digits.load_digit_rows("test") if d.word == "seven").picture
    assert recognise.matches_prompt("digits", "a seven", seven) is True
    assert recognise.matches_prompt("digits", "draw a digit", seven) is None


def test_beliefs_are_chances_of_digits_and_shares_of_facts():
    seven = next(d for d in digits.load_digit_rows("test") if d.word == "seven").picture
    asked = ["a seven", "draw a three", "draw a digit"]
    right, wrong, nothing = recognise.match_scores("digits", asked, [seven] * 3)
    assert right > 0.8
    assert wrong < 0.05
    assert math.isnan(nothing)
    assert recognise.match_scores("scenes", ["a red ring", "a green ring"], [RING] * 2) == [
        1.0,
        0.0,
    ]


def test_unknown_words_are_named():
    known = ("draw", "a", "three")
    assert recognise.check_prompt_words("digits", " Draw a  three. ", known) == "draw a three"
    with pytest.raises(BadInput, match=r"does not know 'fancy'; its words are: draw, a, three"):
        recognise.check_prompt_words("digits", "draw a fancy three", known)
    with pytest.raises(BadInput, match="type a prompt"):
        recognise.check_prompt_words("digits", "  ", known)


def test_every_level_has_a_word():
    assert len(recognise.LEVEL_NAMES["digits"]) == digits.LEVELS
    assert len(recognise.LEVEL_NAMES["scenes"]) == 7
