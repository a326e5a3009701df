"""What pictures show, in words; prompts the bases do not know."""

import math

import pytest

from peftcore.errors import BadInput
from peftcore.pictures import canvas, digits, reading

RING = canvas.decode("00000000/01110000/01010000/01110000/00000000/00000000/00000000/00000000")


def test_scenes_are_told_exactly_and_broken_ones_called_so():
    assert reading.told("scenes", [RING, (*RING[:63], 3)]) == ["a red ring", reading.BROKEN]


def test_alignment_is_known_only_where_something_known_is_asked():
    assert reading.aligned("scenes", "a red ring", RING) is True
    assert reading.aligned("scenes", "a green ring", RING) is False
    assert reading.aligned("scenes", "draw", RING) is None
    seven = next(d for d in digits.rows("test") if d.word == "seven").picture
    assert reading.aligned("digits", "a seven", seven) is True
    assert reading.aligned("digits", "draw a digit", seven) is None


def test_beliefs_are_chances_of_digits_and_shares_of_facts():
    seven = next(d for d in digits.rows("test") if d.word == "seven").picture
    asked = ["a seven", "draw a three", "draw a digit"]
    right, wrong, nothing = reading.beliefs("digits", asked, [seven] * 3)
    assert right > 0.8
    assert wrong < 0.05
    assert math.isnan(nothing)
    assert reading.beliefs("scenes", ["a red ring", "a green ring"], [RING] * 2) == [1.0, 0.0]


def test_unknown_words_are_named():
    known = ("draw", "a", "three")
    assert reading.must_be_known("digits", " Draw a  three. ", known) == "draw a three"
    with pytest.raises(BadInput, match=r"does not know 'fancy'; its words are: draw, a, three"):
        reading.must_be_known("digits", "draw a fancy three", known)
    with pytest.raises(BadInput, match="type a prompt"):
        reading.must_be_known("digits", "  ", known)


def test_every_level_has_a_word():
    assert len(reading.LEVELS["digits"]) == digits.LEVELS
    assert len(reading.LEVELS["scenes"]) == 7
