"""Charts of the gap between soft tokens and words."""

import numpy as np
import pytest

from app.figures import scaling_word_gaps as figures
from peftcore.analysis import scaling

BEFORE = np.array([[3.0, 4.0], [0.0, 2.0]])
WORDS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])


def gap(value):
    chance = scaling.PermutationResult(value, 0.1, 0.2, 0.25)
    return scaling.RepresentationGap(value, value, chance, chance, value)


def test_the_gap_has_a_panel_for_each_measure_with_every_seed():
    found = [(0, gap(2.0), gap(1.0)), (1, gap(4.0), gap(2.0))]
    figure = figures.word_gap_panels(found)
    assert len(figure.data) == 3 * len(scaling.MEASURES)
    assert [list(trace.y) for trace in figure.data[:3]] == [[1.0, 1.0], [2.0, 1.0], [4.0, 2.0]]
    titles = {note.text.replace("<br>", " ") for note in figure.layout.annotations}
    assert titles >= {measure.title for measure in scaling.MEASURES.values()}
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(band.y0, band.y1) for band in bands] == [(0.1, 0.2)] * 2
    assert "Energy distance 3 without scales, 1.5 with them" in figures.word_gap_alt(found)


def test_the_gaps_table_names_chance_only_where_rows_were_exchanged():
    table = figures.word_gap_table([(7, gap(2.0), gap(1.0))]).set_index("measure")
    assert table.loc["Energy distance", "p scaled"] == 0.25
    assert np.isnan(table.loc["Distance of means", "chance low"])
    assert set(table["seed"]) == {7}


def test_every_token_is_joined_to_its_scaled_self_in_one_plane():
    after = BEFORE * np.array([[2.0], [0.5]])
    figure = figures.word_plane(WORDS, ["a", "<s>", "c"], WORDS * 3, BEFORE, after)
    joined = [trace for trace in figure.data if trace.mode == "lines"]
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert len(joined) == 2
    assert figure.layout.xaxis.range is None
    start, end = named["Soft tokens without scale"], named["Scaled soft tokens"]
    for number, line in enumerate(joined):
        assert list(line.x) == [start.x[number], end.x[number]]
        assert list(line.y) == [start.y[number], end.y[number]]
    assert list(named["Words in the data"].customdata) == ["a", "&lt;s&gt;", "c"]
    # two dimensions lose nothing of two: the line is as long as what the scale added
    length = np.hypot(joined[0].x[1] - joined[0].x[0], joined[0].y[1] - joined[0].y[0])
    assert length == pytest.approx(5.0)
    near = figures.word_plane(WORDS, ["a", "<s>", "c"], WORDS * 3, BEFORE, 99 * after, near=True)
    words = [trace for trace in near.data if trace.name in ("Words in the data", "Other words")]
    (low, high), seen = near.layout.xaxis.range, np.concatenate([trace.x for trace in words])
    assert low < seen.min() < seen.max() < high < 2 * np.ptp(seen) + seen.min()
    table = figures.word_plane_table(WORDS, ["a", "b", "c"], WORDS * 3, BEFORE, after)
    assert table["kind"].value_counts()["scaled"] == 2
