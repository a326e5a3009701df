"""Pictures keep their pixels on the way to words, to codes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from peftcore.errors import BadInput
from peftcore.tasks.images import canvas

PICTURES = some.lists(some.integers(0, 6), min_size=64, max_size=64).map(tuple)


@given(PICTURES)
def test_words_and_codes_give_the_picture_back(picture):
    assert canvas.words_to_picture(canvas.picture_to_words(picture)) == picture
    assert canvas.code_to_picture(canvas.picture_to_code(picture)) == picture


def test_a_pixel_is_named_as_on_a_chess_board():
    assert canvas.pixel_word(0, 3) == "a1=3"
    assert canvas.pixel_word(9, 0) == "b2=0"
    assert canvas.pixel_word(63, 6) == "h8=6"


def test_what_a_text_leaves_out_is_blank_and_the_last_word_counts():
    found = canvas.words_to_picture("draw b2=1 nonsense b2=5 z9=3")
    assert found[9] == 5
    assert sum(found) == 5


def test_a_code_that_is_no_picture_is_refused():
    with pytest.raises(BadInput, match="8 rows of 8 digits"):
        canvas.code_to_picture("0000/0000")
