"""Readings of layers, exchanged layers and left-out tokens as pictures."""

import numpy as np
import pytest

from app.figures import why_answer as figures
from peftcore.labs.attention.why_answer import LeftOut, Lens, LensReading, Patching


def reading(probability, top, top_probability):
    return LensReading(np.array(probability), top, np.array(top_probability))


def a_lens():
    """Two layers, two tokens of the target; the adapted model is set on the first at layer 2."""
    before = reading([[0.1, 0.2], [0.3, 0.4]], (("x", "y"), ("x", "b")), [[0.5, 0.5], [0.6, 0.4]])
    after = reading([[0.1, 0.2], [0.8, 0.9]], (("x", "y"), ("a", "b")), [[0.5, 0.5], [0.8, 0.9]])
    similarity = (("decoder", 1, 1.0, 1.0), ("decoder", 2, 0.4, 0.7))
    return Lens(("a", "b"), (1, 2), {"before": before, "after": after}, similarity)


def a_patching(gap=0.0):
    return Patching(
        (("encoder", 0), ("decoder", 0)), ("a", "b"), 0, "a", "x", -3.0, 2.0,
        np.array([-3.0, 2.0, 2.0]), np.array([2.0, -3.0, -3.0]), ("x", "a", "a"), ("a", "x", "x"),
        gap,
    )  # fmt: skip


def a_left_out():
    added = np.array([[1.0, 2.0], [-0.5, 0.0]])
    both = {"before": added * 0, "after": added}
    whole = {side: np.array([-1.0, -2.0]) for side in both}
    return LeftOut(("cat", "sat"), ("a", "b"), whole, both, whole)


def test_both_sides_stand_side_by_side_from_zero_to_one():
    figure = figures.lens_panels(a_lens())
    assert [trace.z.shape for trace in figure.data] == [(2, 2), (2, 2)]
    assert [note.text for note in figure.layout.annotations] == ["Before", "After"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    assert figure.data[1].text[1][0] == "a"


def test_the_layer_from_which_on_a_token_is_likeliest():
    lens = a_lens()
    assert figures.first_layer(lens, "after") == 2
    assert figures.first_layer(lens, "before") is None
    assert figures.first_layer(lens, "before", 1) == 2
    assert "at no layer" in figures.lens_alt(lens)
    assert len(figures.lens_table(lens)) == 8


def test_a_circle_writes_the_adapted_word():
    figure = figures.patch_lines(a_patching())
    assert [list(line.marker.symbol) for line in figure.data] == [["x", "circle"], ["circle", "x"]]
    assert figures.patch_table(a_patching())["layer"].tolist()[-1] == "all layers"


def test_bars_are_of_the_whole_answer_or_of_one_token():
    whole = figures.token_bars(a_left_out(), None, "leave-out")
    assert list(whole.data[1].y) == [3, -0.5]
    assert list(figures.token_bars(a_left_out(), 0, "leave-out").data[1].y) == [1, -0.5]
    assert "after most “cat” +3.00" in figures.token_alt(a_left_out(), None)
    assert len(figures.left_out_table(a_left_out())) == 4


def test_similarity_goes_from_zero_to_one():
    figure = figures.similarity_lines(a_lens())
    assert [line.name for line in figure.data] == ["cosine, mean over tokens", "linear CKA"]
    assert figure.layout.yaxis.range[0] == 0
    assert "decoder 2" in figures.similarity_alt(a_lens())
    assert figure.data[0].y == pytest.approx((1.0, 0.4))
