"""Single heads exchanged, as a map for each kind of attention."""

import numpy as np

from app.figures import exchanged_heads as figures
from peftcore.labs.attention.head_patching import HeadPatching

FOUND = HeadPatching(
    "given", 0, "yes", "no", -2.0, 3.0,
    {"encoder": np.array([[-2.0, -1.5]]), "decoder": np.array([[-2.5, 1.0]])},
    {"encoder": (("no", "no"),), "decoder": (("no", "yes"),)},
    3.0, 0.0,
)  # fmt: skip


def test_cells_are_changes_and_crosses_turn_the_word():
    figure = figures.head_changes(FOUND)
    encoder, no_marks, decoder, marks = figure.data
    assert encoder.z.tolist() == [[0], [0.5]]
    assert decoder.z.tolist() == [[-0.5], [3]]
    assert not no_marks.x
    assert (list(marks.x), list(marks.y)) == ([0], [1])
    assert [note.text for note in figure.layout.annotations] == ["Encoder", "Decoder"]
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax


def test_the_strongest_head_in_words_and_rows():
    assert figures.strongest_head(FOUND) == ("decoder", 0, 1, 3.0)
    words = figures.head_changes_alt(FOUND)
    assert "+3.00 in decoder layer 1, head 2; 1 heads turn" in words
    table = figures.head_changes_table(FOUND)
    assert table["change"].tolist() == [0, 0.5, -0.5, 3]
