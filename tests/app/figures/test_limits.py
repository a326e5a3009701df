"""Charts of what a prefix did to a head."""

import numpy as np
import pandas as pd
import pytest

from app.figures import limits as figures
from app.figures.theme import style_of_method
from peftcore.analysis.limits import AttentionLayer, compare_layers

QUERIES = ["the", "<s>", "the"]
KEYS = ["a", "a", "b", "$x$"]


def found(length=2, heads=2):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(heads, 3, length + 4))
    value = rng.normal(size=(heads, length + 4, 5))

    def layer(scores, value, length):
        weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        return AttentionLayer(weights, value, weights @ value, length)

    plain = layer(scores[..., length:], value[:, length:], 0)
    return compare_layers(plain, layer(scores, value, length))


def test_shares_are_those_of_the_chosen_head():
    layer = found()
    figure = figures.prefix_share_bars(layer, 1, QUERIES)
    assert list(figure.data[0].y) == pytest.approx(list(layer.share[1]))
    assert list(figure.layout.xaxis.tickvals) == [0, 1, 2]
    assert figure.layout.xaxis.ticktext == ("the", "&lt;s&gt;", "the")
    assert f"{layer.share[1].mean():.2f}" in figures.prefix_share_alt(layer, 1)


def test_prefix_positions_are_columns_of_their_own():
    figure = figures.pattern_heatmaps(found(), 0, QUERIES, KEYS, "With the prefix")
    before, with_adapter, renormalised, prefix = figure.data
    assert list(before.x) == [0, 1, 2, 3]
    assert list(with_adapter.x) == [-2, -1, 0, 1, 2, 3]
    np.testing.assert_allclose(before.z, renormalised.z, atol=1e-12)
    assert with_adapter.customdata[0][0] == "the looks at P1"
    assert figure.layout.coloraxis.cmax == max(np.nanmax(each.z) for each in figure.data)
    assert np.isfinite(prefix.z[:, :2]).all()
    assert np.isnan(prefix.z[:, 2:]).all()
    assert np.isnan(with_adapter.z[:, :2]).all()


def test_without_a_prefix_the_third_picture_is_the_difference():
    figure = figures.pattern_heatmaps(found(0), 0, QUERIES, KEYS, "With LoRA")
    assert figure.layout.annotations[2].text.startswith("Difference,<br>to ±")
    np.testing.assert_allclose(figure.data[2].z, 0, atol=1e-12)


def test_a_real_text_of_33_words_keeps_its_labels_apart():
    words = [f"w{i}" for i in range(33)]
    rows = np.full((1, 33, 33), 1 / 33)
    layer = AttentionLayer(rows, np.zeros((1, 33, 2)), np.zeros((1, 33, 2)), 0)
    figure = figures.pattern_heatmaps(compare_layers(layer, layer), 0, words, words, "With LoRA")
    for axis in (figure.layout.xaxis, figure.layout.xaxis2, figure.layout.yaxis):
        assert len(axis.ticktext) <= 24
    assert figure.layout.height <= 430


def test_patterns_table_has_every_weight_and_keeps_repeated_words_apart():
    table = figures.pattern_table(found(), 0, QUERIES, KEYS)
    assert len(table) == 12
    assert table["key"].nunique() == 4
    assert table["before"].sum() == pytest.approx(3)


def test_moves_start_at_the_scaled_outputs_and_end_at_the_new_ones():
    layer = found()
    shown = layer.projection(0)
    lines = figures.bias_plane(layer, 0, QUERIES).data[0]
    assert lines.x[0] == pytest.approx(shown.scaled[0, 0])
    assert lines.x[1] == pytest.approx(shown.after[0, 0])
    assert np.isnan(lines.x[2])


def test_directions_beyond_the_span_carry_nothing():
    figure = figures.bias_direction_bars(found(1), 0)
    assert figure.data[0].y[0] == pytest.approx(100)
    assert max(figure.data[0].y[1:]) == pytest.approx(0, abs=1e-10)
    assert "1 of 1 directions carry 99%" in figure.layout.title.text
    assert "span 1" in figures.bias_direction_alt(found(1), 0)


def test_distances_share_one_logarithmic_scale():
    table = pd.DataFrame(
        {"run": ["p", "p", "l"], "layer": ["encoder 1", "encoder 2", "encoder 1"]}
        | {"drift": [1e-7, 0.0, 0.5]}
    )
    looks = {"p": style_of_method("prefix_tuning", "Prefix"), "l": style_of_method("lora", "LoRA")}
    figure = figures.layer_distances_chart(table, looks)
    assert figure.layout.yaxis.type == "log"
    assert list(figure.data[0].y) == [1e-7, figures.SMALLEST_ERROR]
    assert "5.0e-01" in figures.layer_distances_alt(table, looks)


@pytest.mark.parametrize(("change", "end"), [(1e-8, 1e-4), (0.01, 0.01)])
def test_the_difference_has_a_scale_of_its_own_on_which_rounding_stays_pale(change, end):
    layer = found(0)
    layer.renormalised[0, 0, 0] = layer.before[0, 0, 0] + change  # what is kept of a cached value
    own = figures.pattern_heatmaps(layer, 0, QUERIES, KEYS, "With LoRA").layout.coloraxis2
    assert (own.cmin, own.cmax) == pytest.approx((-end, end))
