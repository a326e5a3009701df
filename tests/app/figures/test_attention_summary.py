"""The map of all heads of a deep model."""

import numpy as np
import pytest

from app.figures import attention_summary as figures
from peftcore.analysis.attention import HeadRow
from peftcore.analysis.comparison import Interval

DEEP = (30, 9)


def deep_map(values):
    return figures.head_map(values, "entropy", "after", [["note"] * 9 for _ in range(30)])


@pytest.mark.parametrize(
    ("layers", "heads", "needed"), [(6, 12, False), (4, 6, False), (6, 32, True), (30, 9, True)]
)
def test_a_model_of_few_heads_keeps_its_small_pictures(layers, heads, needed):
    assert figures.needs_summary(layers, heads) == needed


def test_every_head_is_a_cell_that_reports_itself():
    values = np.arange(270.0).reshape(DEEP)
    picture, marks = deep_map(values).data
    assert picture.z.tolist() == values.T.tolist()
    found = {tuple(at): (x, y) for at, x, y in zip(marks.customdata, marks.x, marks.y, strict=True)}
    assert found[21, 7] == (21, 7)
    assert "layer 22, head 8" in marks.text[list(found).index((21, 7))]


def test_thirty_layers_of_nine_heads_take_the_room_of_one_picture():
    figure = deep_map(np.zeros(DEEP))
    assert figure.layout.height < 340
    assert figure.layout.xaxis.ticktext == ("1", "5", "10", "15", "20", "25", "30")
    tall = figures.head_map(np.zeros((24, 32)), "entropy", "", [[""] * 32] * 24)
    assert tall.layout.height < 500


def test_the_frame_is_around_the_chosen_cell():
    frame = figures.cell_frame(DEEP, 21, 7)
    figure = deep_map(np.zeros(DEEP))
    for side, size, ends, count, index in (
        ("left", "width", "lr", 30, 21),
        ("top", "height", "tb", 9, 7),
    ):
        before, after = (figure.layout.margin[end] for end in ends)
        pixels = {
            name: eval(frame[name].removeprefix("calc").replace("100%", "1000").replace("px", ""))
            for name in (side, size)
        }
        unit = (1000 - before - after) / count
        middle = before + (index + 0.5) * unit
        assert abs(pixels[side] + pixels[size] / 2 - middle) < 0.1
        assert unit < pixels[size] < unit + 3


ROWS = [
    HeadRow(
        layer,
        head,
        Interval(0, None, None, 1),
        Interval(0.5, 0.4, 0.6, 4),
        Interval(0.002 * (layer - head), 0.001, 0.003, 4),
    )
    for layer, head in np.ndindex(*DEEP)
]


def test_a_data_set_has_its_intervals_on_hover_and_a_scale_of_its_own():
    figure = figures.head_rows_map(ROWS, "change", "distance")
    assert figure.data[0].z[8, 29] == pytest.approx(0.042)
    axis = figure.layout.coloraxis
    assert -axis.cmin == axis.cmax == pytest.approx(0.058)
    assert "95 % interval" in figure.data[1].text[0]


def test_words_name_the_heads_that_stand_out():
    values = np.zeros(DEEP)
    values[21, 7] = 0.0123
    words = figures.head_map_alt(values, "variation", "")
    assert "30 layers of 9 heads" in words
    assert "layer 22 head 8 (0.012)" in words
