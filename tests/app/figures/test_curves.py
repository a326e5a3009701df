"""Learning curves."""

import math

import pandas as pd
import pytest

from app.figures import curves
from app.figures.theme import style_of_method
from peftcore.analysis.few_seeds import widening

LOOKS = {"a": style_of_method("lora", "LoRA"), "b": style_of_method("spt", "SPT")}


def history(**seeds):
    """Losses at steps 10, 20, … of seeds s0, s1, …"""
    rows = [
        {"step": 10 * (i + 1), "seed": int(seed[1:]), "dev_loss": value, "train_loss": math.nan}
        for seed, values in seeds.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_mean_line_band_and_one_thin_line_per_seed():
    figure = curves.learning_curves({"a": history(s0=[1, 2], s1=[3, 4])}, LOOKS, "dev_loss")
    *thin, band, mean = figure.data
    assert [list(line.y) for line in thin] == [[1, 2], [3, 4]]
    assert list(mean.y) == [2, 3]
    # two values 1 apart from their mean: sd sqrt(2), se 1, t(0.975, 1) = 12.7062; no loss below 0
    half = 12.7062 * widening(2)
    assert list(band.y) == pytest.approx([2 + half, 3 + half, 0.0, 0.0], abs=1e-3)
    assert list(band.x) == [10, 20, 20, 10]
    assert figure.layout.title.text == "Validation loss, 2 seeds"
    assert figure.layout.xaxis.title.text == "Optimiser step"
    assert figure.layout.yaxis.title.text == "Validation loss (nats)"


def test_a_seed_that_stopped_early_drops_out_of_later_steps():
    figure = curves.learning_curves({"a": history(s0=[1, 2], s1=[3])}, LOOKS, "dev_loss")
    mean, band = figure.data[-1], figure.data[-2]
    assert list(mean.y) == [2, 2]
    assert mean.customdata[0].endswith("2 seeds")
    assert mean.customdata[1] == "one seed"
    assert list(band.x) == [10, 10]


def test_one_seed_has_neither_band_nor_thin_line():
    figure = curves.learning_curves({"a": history(s0=[1, 2])}, LOOKS, "dev_loss")
    assert len(figure.data) == 1
    assert "one seed" in figure.layout.title.text


def test_without_values_the_chart_says_so():
    figure = curves.learning_curves({"a": history(s0=[1])}, LOOKS, "train_loss")
    assert len(figure.data) == 0
    assert "no values yet" in figure.layout.title.text
    assert "No values yet" in curves.learning_curves_alt(
        {"a": history(s0=[1])}, LOOKS, "train_loss"
    )


def test_curves_in_words_and_as_table():
    histories = {"a": history(s0=[2, 1]), "b": history(s0=[3, 2.5])}
    assert curves.learning_curves_alt(histories, LOOKS, "dev_loss") == (
        "Validation loss by optimiser step. LoRA from 2 at step 10 to 1 at step 20; "
        "SPT from 3 at step 10 to 2.5 at step 20."
    )
    table = curves.learning_curves_table(histories, LOOKS, "dev_loss")
    assert table["method"].tolist() == ["LoRA", "LoRA", "SPT", "SPT"]
    assert table["mean"].tolist() == [2, 1, 3, 2.5]
    assert curves.learning_curves_table({}, {}, "dev_loss").empty


def test_smoothing_averages_neighbours_within_a_seed_and_makes_up_no_value():
    rough = history(s0=[1, 5, 3, math.nan], s1=[7, 7, 7, 7])
    smooth = curves.smooth(rough, 3)
    assert smooth["dev_loss"].tolist()[:3] == [3, 3, 4]
    assert math.isnan(smooth["dev_loss"][3])
    assert smooth["dev_loss"].tolist()[4:] == [7] * 4
    assert curves.smooth(rough, 1) is rough
