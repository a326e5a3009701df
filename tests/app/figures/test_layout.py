"""Pictures side by side as one dictionary."""

import plotly.graph_objects as go
import pytest

from app.figures import layout as figure_layout


def test_pictures_lie_side_by_side_as_wide_as_asked_for():
    first, second, third = figure_layout.panel_domains([1, 2, 1], 0.1)
    assert first == pytest.approx([0, 0.2])
    assert second == pytest.approx([0.3, 0.7])
    assert third == pytest.approx([0.8, 1])


def test_axes_pair_up_and_share_the_words_beside_the_first():
    layout = {
        figure_layout.axis_name(axis, n): make
        for n in range(2)
        for axis, make in (
            ("xaxis", figure_layout.x_axis(n, [n / 2, n / 2 + 0.4])),
            ("yaxis", figure_layout.y_axis(n)),
        )
    }
    figure = go.Figure({"layout": layout})
    assert (figure.layout.xaxis2.anchor, figure.layout.yaxis2.anchor) == ("y2", "x2")
    assert figure.layout.yaxis2.matches == "y"
    assert figure.layout.yaxis.showticklabels is None
    assert figure.layout.yaxis2.showticklabels is False


def test_room_grows_with_the_longest_word_and_is_there_without_any():
    short, long = (
        figure_layout.label_width(["a", "to"], 12),
        figure_layout.label_width(["to", "entertaining"], 12),
    )
    assert 0 < figure_layout.label_width([], 12) < short < long
    assert long - short == pytest.approx(
        (
            figure_layout.label_width(["to", "entertaining"], 24)
            - figure_layout.label_width(["a", "to"], 24)
        )
        / 2
    )


def test_a_heading_shows_words_as_typed():
    assert figure_layout.panel_heading("<b>", [0, 1])["text"] == "&lt;b&gt;"


def test_numbers_are_thinned_where_there_are_many():
    assert figure_layout.thin_numbers(6) == [0, 1, 2, 3, 4, 5]
    assert figure_layout.thin_numbers(16) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [index + 1 for index in figure_layout.thin_numbers(30)] == [1, 5, 10, 15, 20, 25, 30]
    assert len(figure_layout.thin_numbers(96)) <= figure_layout.MAX_NUMBERS


def test_layers_are_numbered_and_stacks_are_named_once():
    one = figure_layout.layer_ticks([f"Decoder {n + 1}" for n in range(30)])
    assert one["ticktext"] == ["1", "5", "10", "15", "20", "25", "30"]
    assert one["title"]["text"] == "Layer of the decoder"
    two = figure_layout.layer_ticks(["Encoder 1", "Encoder 2", "Decoder 1", "<b> 1"])
    assert two["ticktext"] == ["1<br>Encoder", "2", "1<br>Decoder", "1<br>&lt;b&gt;"]
    assert two["tickvals"] == [0, 1, 2, 3]
