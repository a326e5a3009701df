"""Dots of seeds: best run on top, every seed drawn, no statistics loaded."""

from app.figures.seed_dots import order_by_mean, seed_dots, seed_dots_alt
from app.figures.theme import style_of_method

VALUES = {"a": [0.2, 0.4], "b": [0.5, 0.7, 0.6]}
STYLES = {"a": style_of_method("lora", "LoRA"), "b": style_of_method("prefix_tuning", "Prefix")}


def test_the_best_run_stands_on_top_with_all_its_seeds():
    figure = seed_dots(VALUES, "accuracy", STYLES)
    assert list(figure.layout.yaxis.ticktext) == ["Prefix", "LoRA"]
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [list(trace.x) for trace in dots] == [VALUES["b"], VALUES["a"]]
    assert "Prefix: mean 0.600 of 3 seeds; LoRA: mean 0.300" in seed_dots_alt(
        VALUES, "accuracy", STYLES
    )


def test_lower_is_better_where_the_measure_says_so():
    assert order_by_mean({"a": [0.1], "b": [0.3]}, "broken") == ["a", "b"]
