"""Charts of runs side by side."""

import math

import pandas as pd
import pytest

from app.figures import compare
from app.figures.theme import style_of_method
from peftcore.analysis.comparison import summarize_runs

LOOKS = {"a": style_of_method("lora", "LoRA"), "b": style_of_method("spt", "SPT · length <5>")}


def table(**scores):
    rows = [
        {"run": run, "base": "t", "task": "t", "method": "lora", "seed": seed, "accuracy": value}
        | {"trainable": {"a": 100, "b": 4000}[run], "seconds": 1.0}
        for run, values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def seeds():
    return table(a=[0.5, 0.6, 0.7], b=[0.2, 0.2, 0.2])


def test_scores_show_every_seed_the_mean_and_the_interval(seeds):
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    bar, dots, mean = figure.data[:3]
    assert list(dots.x) == [0.5, 0.6, 0.7]
    assert list(mean.x) == pytest.approx([0.6])
    # mean 0.6, standard deviation 0.1, t(0.975, 2) = 4.302653, for three seeds 1.651667 times
    assert list(bar.x) == pytest.approx([0.6 - 0.248414 * 1.651667, 1.0], abs=1e-5)
    assert "95 % interval 0.190 to 1.000, 3 seeds" in mean.hovertemplate
    assert figure.layout.xaxis.title.text == "Accuracy (0 to 1)"
    assert "3 seeds" in figure.layout.title.text


def test_equal_seeds_stand_below_one_another(seeds):
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    dots = figure.data[4]
    assert list(dots.x) == [0.2, 0.2, 0.2]
    assert len(set(dots.y)) == 3


def test_names_are_shown_as_typed_and_best_first(seeds):
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    assert figure.layout.yaxis.ticktext == ("LoRA", "SPT<br><sup>length &lt;5&gt;</sup>")


def test_one_seed_has_no_bar():
    seeds = table(a=[0.5])
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    assert len(figure.data) == 2
    assert "one seed" in figure.layout.title.text


def test_references_are_lines(seeds):
    figure = compare.score_intervals(
        summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS, {"Guessing": 0.25}
    )
    assert figure.layout.shapes[0].x0 == 0.25
    assert figure.layout.annotations[0].text == "Guessing"


def test_a_reference_far_from_all_scores_is_said_and_does_not_squeeze_them():
    close = table(a=[0.98, 0.99, 0.985], b=[0.97, 0.975, 0.97])
    figure = compare.score_intervals(
        summarize_runs(close, "accuracy"),
        close,
        "accuracy",
        LOOKS,
        {"Guessing": 0.25, "Untouched": 0.94},
    )
    assert [line.x0 for line in figure.layout.shapes] == [0.94]
    assert figure.layout.annotations[0].text == "◂ Guessing: 0.250"
    low, high = figure.layout.xaxis.range
    assert 0.25 < low < 0.94
    assert high > 0.99


def test_runs_without_the_metric_are_left_out():
    seeds = table(a=[0.5, 0.7], b=[math.nan, math.nan])
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    assert figure.layout.yaxis.ticktext == ("LoRA",)


def test_nothing_at_all_is_an_empty_chart():
    seeds = table(a=[math.nan])
    figure = compare.score_intervals(summarize_runs(seeds, "accuracy"), seeds, "accuracy", LOOKS)
    assert len(figure.data) == 0
    assert "No scores" in compare.score_intervals_alt(
        summarize_runs(seeds, "accuracy"), "accuracy", LOOKS
    )


def test_scores_in_words(seeds):
    words = compare.score_intervals_alt(summarize_runs(seeds, "accuracy"), "accuracy", LOOKS)
    assert words.startswith("Accuracy by run. LoRA: mean 0.600, 95 % interval 0.190 to 1.000")
    assert words.index("LoRA") < words.index("SPT")


def test_front_holds_only_runs_nobody_beats(seeds):
    figure = compare.score_by_parameters(summarize_runs(seeds, "accuracy"), "accuracy", LOOKS)
    front, *points = figure.data
    assert list(front.x) == [100]  # b needs more and scores less
    assert {point.x[0] for point in points} == {100, 4000}
    assert figure.layout.xaxis.type == "log"
    words = compare.score_by_parameters_alt(summarize_runs(seeds, "accuracy"), "accuracy", LOOKS)
    assert "LoRA: 100 parameters, 0.600, on the front; SPT" in words


def test_lower_is_better_turns_the_front():
    seeds = table(a=[0.5, 0.5], b=[0.1, 0.1]).rename(columns={"accuracy": "broken"})
    found = summarize_runs(seeds, "broken", lowest_first=True)
    front = compare.score_by_parameters(found, "broken", LOOKS).data[0]
    assert list(front.x) == [100, 4000]
    assert found["run"].tolist() == ["b", "a"]
    assert "lower is better" in compare.metric_axis_title("broken")


def test_ticks_of_a_narrow_range_read_one_two_five():
    assert compare.log_ticks([5120, 92160])[:4] == [1000, 2000, 5000, 10000]
    assert compare.log_ticks([10, 10**7]) == [10**power for power in range(1, 9)]


def test_large_scales_are_read_with_fewer_digits():
    assert compare.value_format("bleu") == ".1f"
    assert compare.value_format("accuracy") == ".3f"
    assert compare.metric_axis_title("bleu") == "BLEU (0 to 100)"


def test_a_measure_that_nobody_named_is_called_as_it_is():
    assert compare.find_measure("accuracy").title == "Accuracy"
    assert compare.find_measure("of_my_own").title == "of_my_own"


def test_an_axis_ends_where_its_metric_does():
    bounds = compare._axis_bounds("accuracy")
    assert bounds == {"minallowed": -0.03, "maxallowed": 1.03}
    assert compare._axis_bounds("dev_loss") == {}
