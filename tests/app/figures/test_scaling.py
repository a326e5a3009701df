"""Charts of soft tokens and their scales."""

import numpy as np
import pytest

from app.figures import scaling as figures
from app.figures import theme
from peftcore.analysis import scaling
from peftcore.analysis.few_seeds import widening

SCALE = np.array([[1.0, 1.0], [1.5, 0.2]])  # two steps, two tokens
BEFORE = np.array([[3.0, 4.0], [0.0, 2.0]])
WORDS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])


def test_the_course_has_a_cell_for_each_token_and_step_centred_at_one():
    figure = figures.scale_heatmap(SCALE, (0, 25), chosen=25)
    (heat,) = figure.data
    assert np.array(heat.z) + 1 == pytest.approx(np.array([[1.0, 1.5], [1.0, 0.2]]))
    assert heat.zmin + heat.zmax == 0
    assert heat.colorbar.ticktext[1] == "1"
    assert heat.customdata[0, 1].tolist() == [25, 1.5]  # step and scale
    assert figure.layout.xaxis.ticktext == ("0", "25")
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1) == (0.5, 1.5)  # around the second step
    assert "one seed" in figure.layout.title.text


def test_the_course_in_words_and_as_a_table():
    assert "from 0.20 at token 2 to 1.50 at token 1" in figures.scale_heatmap_alt(SCALE, (0, 25))
    table = figures.scale_heatmap_table(SCALE, (0, 25))
    assert table.loc[(table["token"] == 2) & (table["step"] == 25), "scale"].item() == 0.2


def test_tokens_stand_with_their_lengths_beside_those_of_words():
    figure = figures.token_lengths_chart(SCALE[1], BEFORE, WORDS, "Run <b>, seed 0")
    marks = {trace.name: trace for trace in figure.data if trace.name}
    assert list(marks["Without scale"].y) == [5.0, 2.0]
    assert list(marks["Scaled"].y) == pytest.approx([7.5, 0.4])
    assert figure.data[0].base == 1
    assert list(figure.data[0].y) == pytest.approx([0.5, -0.8])
    assert list(figure.data[0].marker.color) == [theme.MORE_COLOUR, theme.LESS_COLOUR]  # as above
    assert "&lt;b&gt;" in figure.layout.title.text
    assert "3 words" in figure.layout.title.text
    assert "Mean length 3.5 without scale, 3.95 with it" in figures.token_lengths_alt(
        SCALE[1], BEFORE, WORDS
    )
    assert list(figures.token_lengths_table(SCALE[1], BEFORE)["length scaled"]) == pytest.approx(
        [7.5, 0.4]
    )


def test_the_histogram_counts_every_token_of_every_seed_once():
    scale = np.array([[0.5, 1.0, 2.0], [1.0, -0.5, 3.0]])
    figure = figures.scale_histogram(scale)
    assert sum(sum(bars.y) for bars in figure.data) == 6
    assert len(figure.data) == 2
    assert "2 seeds" in figure.layout.title.text
    assert "1 are negative" in figures.scale_histogram_alt(scale)


def test_drift_has_a_band_over_seeds_and_says_how_many():
    lines = {name: np.array([[0.0, 0.0], [1.0, 3.0]]) for name in ("apart", "scaled", "plain")}
    figure = figures.drift_lines((0, 10), lines)
    means = [trace for trace in figure.data if trace.name]
    assert [list(trace.y) for trace in means] == [[0.0, 2.0]] * 3
    assert len(figure.data) == 6
    assert figure.layout.showlegend
    assert "2 seeds" in figure.layout.title.text
    table = figures.lines_table((0, 10), lines)
    # mean 2, deviation √2 of two seeds, t(0.975, 1) = 12.7062
    assert table.iloc[1]["high"] == pytest.approx(2 + 12.7062 * widening(2), abs=1e-3)
    assert "apart 2 at step 10" in figures.lines_alt((0, 10), lines, "Distance")


def test_one_seed_has_no_band():
    figure = figures.drift_lines((0, 10), {"apart": np.array([[0.0], [1.0]])})
    assert len(figure.data) == 1


def test_movement_stands_at_the_end_of_each_stretch():
    lines = {"Prompt tuning: change of length": np.array([[1.0, 1.0], [2.0, 2.0]])}
    figure = figures.speed_lines((0, 10, 20), lines)
    mean = next(trace for trace in figure.data if trace.name)
    assert list(mean.x) == [10, 20]


def test_factors_are_points_of_all_seeds_on_a_log_axis():
    scale = np.array([[2.0, -1.0], [1.0, 0.5]])
    across, along = scaling.step_factors(scale, np.ones_like(scale), 0.5)
    figure = figures.step_factors_chart(scale, across, along, "sgd")
    assert list(figure.data[0].y) == [4.0, 1.0, 1.0, 0.25]
    assert list(figure.data[1].y) == [4.5, 1.5, 1.5, 0.75]
    assert figure.layout.yaxis.type == "log"
    assert "gradient descent" in figure.layout.title.text
    assert "AdamW" in figures.step_factors_chart(scale, across, along, "adamw").layout.title.text
    assert len(figures.step_factors_table(scale, across, along)) == 4
