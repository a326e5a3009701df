"""One virtual token prints any string: the construction, and what it cannot store."""

import random

import numpy as np
import pytest

from peftcore.errors import BadInput
from peftcore.labs.toys import (
    capacity,
)


def test_one_virtual_token_prints_any_string():
    draw = random.Random(7)
    for _ in range(60):
        text = "".join(draw.choices(capacity.SYMBOLS, k=draw.randint(1, 20)))
        assert "".join(p.symbol for p in capacity.run_network(capacity.encode_text(text))) == text


def test_every_symbol_wins_at_its_own_coordinate():
    for place, symbol in enumerate(capacity.SYMBOLS):
        logits = capacity.output_layer(place / len(capacity.SYMBOLS))
        assert capacity.SYMBOLS[int(logits.argmax())] == symbol


def test_heads_of_the_construction_look_where_they_should():
    at = capacity.run_network(capacity.encode_text("abc"))[1]
    assert np.argmax(at.own_attention) == 2
    assert np.argmax(at.first_attention) == 0
    assert at.kept.nonzero()[0].tolist() == [1]


@pytest.mark.parametrize("text", ["", "a" * 21, "two words", "é"])
def test_texts_that_cannot_be_stored_say_why(text):
    with pytest.raises(BadInput, match="the text"):
        capacity.encode_text(text)
