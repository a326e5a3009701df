"""Figures of what atoms are worth: curves, density, two runs at once, and what they say."""

import re

import pandas as pd
import pytest

from app.figures import atoms_scores as figures

FACTS = {"seeds": [0, 1], "n": 24, "split": "test", "data_hash": "00ff", "metric": "f1"}
FACTS |= {"arithmetic": "bf16"}


def title(figure):
    return " ".join(re.sub("<[^>]+>", " ", figure.layout.title.text).split())


def bands():
    rows = [
        (order, k, 0.1 * k - 0.2 * (order == "random"), 0.0, 1.0, 2, 3)
        for order in ("importance", "random")
        for k in (1, 4, 9)
    ]
    return pd.DataFrame(rows, columns=["order", "k", "mean", "low", "high", "n", "draws"])


def test_curves_share_an_axis_of_even_steps_and_mark_what_is_kept():
    figure = figures.pruning_curves(bands(), "score", FACTS, marked_count=4)
    assert figure.layout.xaxis.ticktext == ("1", "4", "9")
    assert [line.name for line in figure.data if line.name] == ["By importance", "Random"]
    assert list(figure.data[1].x) == [0, 1, 2]
    assert figure.layout.shapes[0].x0 == 1
    assert "mean of 3 orders" in title(figure)
    assert "2 seeds, n = 24 test examples, data 00ff, bfloat16; 95 % intervals" in title(figure)
    assert "By importance: 1 atoms 0.100" in figures.pruning_curves_alt(bands(), "score", FACTS)


POINTS = [
    {"value": None, "run": "a" * 12, "scores": [0.8, 0.9]},
    {"value": 0.0, "run": "b" * 12, "scores": [0.7, 0.8], "zeros": [0, 0], "effective": [8, 8]},
    {"value": 2.0, "run": "c" * 12, "scores": [0.6], "zeros": [0.75], "effective": [None]},
]


def test_density_stands_against_quality_with_lora_beside():
    figure = figures.density_chart(POINTS, "threshold", "accuracy", FACTS)
    (line,) = figure.data
    assert list(line.x) == [0.25, 1.0]
    assert list(line.y) == pytest.approx([0.6, 0.75])
    assert line.text == ("2", "0")
    assert line.error_y.array[0] == 0  # one seed has no interval
    assert figure.layout.annotations[0].text == "LoRA of equal rank 0.850"
    alt = figures.density_chart_alt(POINTS, "threshold", "accuracy")
    assert "LoRA: 0.850; threshold 0: 0.750 at density 100%" in alt


def test_points_in_one_place_share_their_label():
    def point(value, zero, score):
        return {"value": value, "run": "a" * 12, "scores": [score], "zeros": [zero]}

    points = [point(4.0, 0.99, 0.0), point(6.0, 1.0, 0.01), point(0.0, 0.0, 0.9)]
    (line,) = figures.density_chart(points, "threshold", "accuracy", FACTS).data
    assert line.text == ("4, 6", "", "0")


def test_combined_scores_show_seeds_and_means():
    rows = pd.DataFrame(
        [
            {"task": "t", "seed": s, "both": 0.5 + s / 10, "first": 0.6, "second": 0.2, "none": 0.0}
            for s in (0, 1)
        ]
    )
    figure = figures.combined_scores_chart(rows, "t", "A <b>task</b>", "accuracy", 24)
    assert "A &lt;b&gt;task" in title(figure)
    assert figure.data[1].x[0] == pytest.approx(0.55)
    assert [mark.marker.color for mark in figure.data[1::2]] == list(figures.MIX_COLOURS.values())
    assert figure.layout.yaxis.ticktext == ("Both", "First alone", "Second alone", "Neither")
    assert "Both 0.550" in figures.combined_scores_alt(rows, "t", "A task", "accuracy")
