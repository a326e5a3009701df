"""Figures of ratings: what is drawn from hand-made tables, and what the words beside them say."""

import json

import pandas as pd
import pytest

from app.figures import ratings
from app.figures.ratings import IntervalRow
from app.figures.theme import RunStyle

BLUE = RunStyle("LoRA", "#7B3FE4")


def drawn(figure):
    return json.loads(figure.to_json())


def test_a_value_without_limits_has_no_bar_and_one_without_value_keeps_its_reason():
    rows = [
        IntervalRow("a", 0.5, 0.25, 0.75, "3 items", BLUE),
        IntervalRow("b", 0.1, None, None, "one example", BLUE),
        IntervalRow("c", None, None, None, "every verdict is the same", BLUE),
    ]
    figure = drawn(ratings.interval_chart(rows, "Score", "Title"))
    bars = [trace for trace in figure["data"] if trace["mode"].startswith("lines")]
    assert [bar["x"] for bar in bars] == [[0.25, 0.75]]
    assert figure["layout"]["yaxis"]["ticktext"] == ["a", "b", "c ∅"]
    words = ratings.interval_chart_alt(rows, "Title")
    assert "a: 0.50, 95 % interval 0.25 to 0.75; 3 items" in words
    assert "c: every verdict is the same" in words


def test_a_bar_open_to_one_side_runs_to_the_edge_and_ends_in_an_arrow():
    rows = [IntervalRow("a", 2.0, 1.0, None, "", BLUE), IntervalRow("b", 0.0, -1.0, 1.0, "", BLUE)]
    figure = drawn(ratings.interval_chart(rows, "Strength", "Title"))
    left, right = figure["layout"]["xaxis"]["range"]
    bar = figure["data"][0]
    assert bar["x"][0] == 1.0
    assert 2.0 < bar["x"][1] < right
    assert bar["marker"]["symbol"] == ["circle", "triangle-right"]
    assert bar["marker"]["opacity"] == [0, 1]
    assert left < -1.0
    assert "a: 2.00, 95 % interval from 1.00 on, without upper limit" in ratings.interval_chart_alt(
        rows, "Title"
    )


def test_names_and_texts_are_shown_as_typed():
    rows = [IntervalRow("<b>a</b>", 0.5, None, None, "", BLUE)]
    figure = drawn(ratings.interval_chart(rows, "Score", "Title"))
    assert figure["layout"]["yaxis"]["ticktext"] == ["&lt;b&gt;a&lt;/b&gt;"]


def test_shares_are_stacked_in_the_order_of_verdicts():
    table = pd.DataFrame(
        {
            "source": ["r", "r", "s", "s"],
            "verdict": ["yes", "no"] * 2,
            "count": [3, 1, 0, 2],
            "share": [0.75, 0.25, 0, 1],
        }
    )
    figure = drawn(
        ratings.verdict_share_bars(table, "source", ["yes", "no"], {"r": "LoRA"}, "Title")
    )
    assert [trace["name"] for trace in figure["data"]] == ["Yes", "No"]
    assert figure["layout"]["yaxis"]["ticktext"] == [
        "LoRA<br><sup>n = 4</sup>",
        "s<br><sup>n = 2</sup>",
    ]
    assert figure["layout"]["barmode"] == "stack"
    assert "LoRA: yes 75%, no 25% of 4" in ratings.verdict_share_alt(table, "source", {"r": "LoRA"})


@pytest.mark.parametrize(
    ("count", "sentence"), [(2, "most often Too trivial 50%"), (0, "none ticked")]
)
def test_shortcomings_are_shaded_by_share(count, sentence):
    table = pd.DataFrame(
        {
            "label": ["yes", "yes"],
            "shortcoming": ["trivial", "lacking"],
            "count": [count, 0],
            "verdicts": [4, 4],
            "share": [count / 4, 0],
        }
    )
    words = {"trivial": "Too trivial", "lacking": "None, or only the label"}
    figure = drawn(ratings.shortcoming_heatmap(table, "label", {}, words, "Title"))
    assert figure["data"][1]["text"] == [f"{count / 4:.0%}", "0%"]
    assert sentence in ratings.shortcoming_heatmap_alt(table, "label", {}, words)


def test_chances_leave_the_diagonal_without_words():
    table = pd.DataFrame([[0.5, 0.75], [0.25, 0.5]], index=["a", "b"], columns=["a", "b"])
    figure = drawn(ratings.win_chance_heatmap(table, {"a": "LoRA"}, "Title"))
    assert figure["data"][1]["text"] == ["75%", "25%"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["LoRA", "b"]


def test_items_are_drawn_in_the_colour_of_their_source():
    table = pd.DataFrame(
        {"source": ["r"], "human": [0.5], "chrf": [40.0], "explanation": ["<i>words"]}
    )
    figure = drawn(ratings.human_against_metric_chart(table, "chrf", "chrF", {"r": BLUE}, "Title"))
    assert figure["data"][0]["name"] == "LoRA"
    assert figure["data"][0]["customdata"][0] == ["&lt;i&gt;words"]


def test_items_in_one_place_are_one_mark_that_says_how_many():
    table = pd.DataFrame(
        {"source": ["r"] * 5, "human": [1.0] * 4 + [0.5], "chrf": [100.0] * 4 + [40.0]}
    ).assign(explanation=list("abcde"))
    (trace,) = ratings.human_against_metric_chart(table, "chrf", "chrF", {"r": BLUE}, "Title").data
    assert list(trace.x) == [100.0, 40.0]
    assert list(trace.marker.size) == [20.0, 10.0]
    assert [each[0] for each in trace.customdata] == ["a and 3 more", "e"]
