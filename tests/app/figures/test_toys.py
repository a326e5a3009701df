"""Charts of toy experiments."""

import numpy as np
import pytest

from app.figures import toys as figures
from peftcore.labs.toys import capacity
from peftcore.labs.toys.results import ResultRow, StageResult


def row(adaptation, task, mean, **extra):
    values = {"low": mean - 1, "high": mean + 1, "paper": None, "constant": None} | extra
    return ResultRow("m", adaptation, "x", task, 64, mean, seeds=[mean - 1, mean + 1], **values)


ROWS = [
    row("pretrained", "ascending", 90.0, paper=91.41),
    row("pretrained", "histogram", 0.0, constant=6.85),
    row("prefix: histogram", "ascending", 1.0),
    row("prefix: histogram", "histogram", 5.0, low=None, high=None),
]


def test_cells_hold_mean_interval_and_the_papers_figure():
    shown, words = figures.exact_match_heatmap(ROWS).data
    assert np.array(shown.z).tolist() == [[90, 0], [1, 5]]
    assert words.text[0] == "<b>90.0</b><br>89.0–91.0<br><i>paper 91.4</i>"
    assert words.text[3] == "<b>5.0</b>"
    assert "a constant answer reaches 6.8" in shown.customdata[0][1]
    assert shown.zmin == 0
    assert shown.zmax == 100


def test_number_of_seeds_is_in_the_title():
    assert "2 seeds" in figures.exact_match_heatmap(ROWS).layout.title.text


def test_the_table_has_every_seed():
    table = figures.exact_match_table(ROWS)
    assert table["Seed 1"].tolist() == [91.0, 1.0, 2.0, 6.0]
    assert len(table) == 4


def test_learning_shows_the_mean_thick_and_seeds_thin():
    losses = {"pretrained": [[1, [2.0, 4.0]], [10, [1.0, 2.0]]], "prefix: add1": []}
    figure = figures.stage_loss_curves(losses)
    assert len(figure.data) == 3
    assert list(figure.data[2].y) == [3.0, 1.5]
    assert "from 3.00 to 1.50" in figures.stage_loss_curves_alt(losses)


def trained_twice():
    """A prefix of two seeds with two starts each, of which the second and the first are kept."""
    return StageResult(
        key="k",
        stage={"kind": "prefix", "task": "add1", "steps": 12, "rate": 0.03, "starts": 2},
        shape={},
        seeds=[0, 1],
        numbers=96,
        seconds=1.0,
        tested=1600,
        exact_match={"add1": [70.0, 99.0]},
        losses=[],
        made_with={},
        right=[[6, [10.0, 20.0]], [10, [60.0, 90.0]], [12, [70.0, 98.0]]],
        start_losses=[[0.5, 0.2], [0.01, 1.5]],
    )


def test_of_every_seed_the_start_of_lowest_loss_is_filled_and_has_the_score():
    trained = {"prefix: add1": trained_twice()}
    table = figures.start_table(trained)
    kept = table[table["Kept"]]
    assert kept[["Seed", "Start", "Training loss"]].to_numpy().tolist() == [
        [0, 1, 0.2],
        [1, 0, 0.01],
    ]
    assert kept["Exact match (%)"].tolist() == [70.0, 99.0]
    assert table[~table["Kept"]]["Exact match (%)"].isna().all()
    left, filled = figures.start_losses_chart(trained).data
    assert list(left.y) == [0.5, 1.5]
    assert list(filled.y) == [0.2, 0.01]
    assert filled.x[0] == left.x[0] < filled.x[1] == left.x[1]  # one place for each seed
    assert "add one to each digit from 0.01 to 1.5" in figures.start_losses_alt(trained)


def test_what_was_right_in_training_is_drawn_by_step():
    shares = {"prefix: add1": trained_twice().right}
    figure = figures.share_right_curves(shares)
    assert list(figure.data[-1].y) == [15.0, 75.0, 84.0]
    assert "ends at 84.0 percent" in figures.share_right_curves_alt(shares)


def test_heads_share_a_scale_and_keep_positions_in_front_apart():
    weights = np.full((2, 4), 0.25)
    pictures = {"pretrained": weights, "prefix: histogram": weights}
    figure = figures.variant_heatmaps(
        pictures, ["1", "1", "3"], 1, notes={"pretrained": "3 1 ✓"}, marks=[(0, 1)]
    )
    text, prefix, marks = figure.data[:2], figure.data[2:4], figure.data[4:]
    assert [(*mark.x, *mark.y) for mark in marks] == [(1, 0)] * 2
    assert figure.layout.annotations[0].text == "pretrained<br>3 1 ✓"
    assert [list(trace.x) for trace in text] == [[-1, 0, 1, 2]] * 2
    assert {trace.coloraxis for trace in prefix} == {"coloraxis3"}
    assert figure.data[0].customdata[1][0] == "3 looks at P1"
    assert "25% on the positions in front" in figures.variant_heatmaps_alt(pictures, 1)


def test_the_highest_score_is_marked():
    position = capacity.run_network(capacity.encode_text("<$"))[0]
    figure = figures.symbol_scores_chart(position)
    mark = figure.data[1]
    (marked,) = mark.x
    assert capacity.SYMBOLS[marked] == "<"
    assert mark.text == ("&lt;",)
    assert mark.y[0] == max(figure.data[0].y)
    assert figure.layout.title.text == "Highest score: &lt;"
    assert position.value == pytest.approx(marked / 94)
