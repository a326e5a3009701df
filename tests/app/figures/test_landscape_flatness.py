"""Landscapes in numbers, as charts and tables."""

import math

import pandas as pd
import pytest

from app.figures import landscape_flatness as figures
from app.figures.theme import style_of_method
from peftcore.analysis.few_seeds import widening
from peftcore.analysis.flatness import RankCorrelation, error_by_copies

FACTS = {"n": 24, "split": "dev", "seed": 3, "data_hash": "0123456789abcdef"}


def test_flatness_has_intervals_over_seeds():
    measures = pd.DataFrame(
        {"measure": ["barrier"] * 3, "seed": [0, 1, 2], "value": [0.5, 0.6, 0.7]}
    )
    row = figures.flatness_table(measures).iloc[0]
    assert row["Measure"] == "Highest barrier (nats)"
    half = 0.248414 * widening(3)
    assert (row["Low"], row["High"]) == (
        pytest.approx(0.6 - half, abs=1e-5),
        pytest.approx(0.6 + half, abs=1e-5),
    )


def test_flatness_against_score_says_the_correlation():
    table = pd.DataFrame(
        {"run": ["a", "a", "b"], "seed": [0, 1, 0], "value": [1.0, 2, 3], "score": [0.3, 0.2, 0.1]}
    )
    looks = {"a": style_of_method("lora", "LoRA"), "b": style_of_method("spt", "<SPT>")}
    figure = figures.score_against_flatness(
        table, "rise", "accuracy", looks, RankCorrelation(-1.0, None, None, 3)
    )
    assert len(figure.data) == 2
    assert figure.data[1].name == "&lt;SPT&gt;"
    assert "-1.00" in figure.layout.title.text
    assert "2 runs" in figure.layout.title.text
    words = figures.correlation_in_words(RankCorrelation(0.5, 0.1, 0.8, 20))
    assert words == "rank correlation +0.50, 95 % interval +0.10 to +0.80, n = 20"
    assert "too few" in figures.correlation_in_words(RankCorrelation(None, None, None, 2))


def test_the_validation_histogram_marks_the_centroid():
    figure = figures.validation_histogram([1.0, 1.1, 1.2], [1.05, 1.15], 0.9, FACTS)
    assert [len(t.x) for t in figure.data] == [3, 2]
    assert figure.layout.shapes[0].x0 == 0.9
    alt = figures.validation_histogram_alt([1.0, 1.2], [1.0, 1.0], 0.9)
    assert "mean 1.1000, standard deviation 0.1414" in alt


def test_tightening_and_estimates_are_drawn():
    table = error_by_copies([1.0, 2.0, 3.0, 2.5], [1, 2])
    figure = figures.copies_error_chart(table, FACTS)
    assert list(figure.data[0].y) == list(table["expected"])
    steps = pd.DataFrame(
        {"step": [0, 0, 5, 5], "seed": [0, 1, 0, 1], "stochastic": [4.0, 2, 1, 1],
         "centroid": [3.0, 3, 1, 1], "test_loss": [2.0, 2, 1, 1], "test_score": [0, 0, 1, 1]}
    )  # fmt: skip
    figure = figures.estimates_by_step_chart(steps, FACTS)
    assert list(figure.data[0].y) == [3.0, 1.0]
    spread = figure.data[0].error_y.array  # of 4 and 2: 12.7062 · √2 / √2; of 1 and 1 none
    assert list(spread) == pytest.approx([12.7062 * widening(2), 0.0], abs=1e-3)
    assert "2 seeds" in figure.layout.title.text


def test_the_ablation_shows_an_interval_where_there_is_one():
    rows = pd.DataFrame(
        {"vertices": [1, 3], "mean": [0.5, 0.6], "low": [math.nan, 0.5], "high": [math.nan, 0.7]}
        | {"n": [1, 4]}
    )
    figure = figures.score_by_vertices_chart(rows, "accuracy")
    assert list(figure.data[0].error_y.array) == pytest.approx([0, 0.1])
    assert "over 1, 4 seeds" in figure.layout.title.text
