"""Charts of two values with the front."""

import math

import pandas as pd

from app.figures import pareto
from app.figures.pareto import Axis
from app.figures.theme import style_of_method

STYLES = {"a": style_of_method("lora", "LoRA"), "b": style_of_method("spt", "SPT")}
SIZE, SCORE = Axis("Parameters", True, ",.0f", True), Axis("Accuracy", False, ".3f")


def rows(**changes):
    start = {"run": ["a", "b"], "x": [100.0, 4000.0], "y": [0.9, 0.5], "chance": [1.0, 0.004]}
    limits = {"x_low": [math.nan] * 2, "x_high": [math.nan] * 2}
    return pd.DataFrame(start | limits | {"y_low": [0.8, 0.4], "y_high": [0.95, 0.6]} | changes)


def test_the_front_is_of_runs_that_nobody_beats():
    assert pareto.on_front(rows(), SIZE, SCORE) == [True, False]
    assert pareto.on_front(rows(), Axis("Gain", False, ".1f"), SCORE) == [True, True]
    figure = pareto.pareto_chart(rows(), SIZE, SCORE, STYLES)
    assert list(figure.data[0].x) == [100]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.type is None


def test_points_have_their_probability_and_limits():
    point = pareto.pareto_chart(rows(), SIZE, SCORE, STYLES).data[1]
    assert point.text == ("100 %",)
    assert round(point.error_y.array[0], 6) == 0.05
    assert round(point.error_y.arrayminus[0], 6) == 0.1
    assert point.error_x.array[0] == 0
    assert "Accuracy 0.900 (0.800 to 0.950), Parameters 100" in point.hovertemplate


def test_only_certain_chances_are_none_or_all():
    assert [pareto.chance_in_words(x) for x in (0, 0.004, 0.16, 0.999, 1)] == [
        *("0 %", "below 1 %", "16 %", "above 99 %", "100 %")
    ]
    assert "SPT" in pareto.pareto_alt(rows(), SIZE, SCORE, STYLES)
