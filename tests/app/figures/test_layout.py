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
