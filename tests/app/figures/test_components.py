"""Pictures of subsets and explanations: every value is drawn, and said in words."""

import pandas as pd
import pytest

from app.figures import components as figures
from app.figures.theme import style_of_method
from peftcore.analysis import explanations, subsets
from peftcore.analysis.explanations import FLAGS
from peftcore.paths import ASSETS

SCORES = {"<b>norms</b>": [0.2, 0.4], "query": [0.5, 0.7]}


@pytest.fixture
def table():
    rows = [
        {"name": name, "seed": seed, "accuracy": value, "ratio_chrf": 50.0, "trainable": 1234}
        for name, values in SCORES.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_the_grid_shades_by_share_of_the_range_and_escapes_names(table):
    metrics = ["accuracy", "ratio_chrf"]
    grid = subsets.subset_scores(table, metrics)
    heat, words = figures.subset_heatmap(grid, metrics).data
    assert heat.z.tolist() == [pytest.approx([0.3, 0.5]), pytest.approx([0.6, 0.5])]
    assert list(words.text) == ["0.300", "50.0", "0.600", "50.0"]
    ticks = figures.subset_heatmap(grid, metrics).layout.yaxis.ticktext
    assert ticks[0] == "&lt;b&gt;norms&lt;/b&gt;<br><sup>1,234 trained</sup>"
    assert "query: Accuracy 0.600, 95 % interval" in figures.subset_heatmap_alt(grid, metrics)


def test_darker_is_better_whichever_way_a_metric_goes(table):
    scored = table.assign(broken=[0.1, 0.1, 0.8, 0.8])
    grid = subsets.subset_scores(scored, ["broken"])
    z = figures.subset_heatmap(grid, ["broken"]).data[0].z
    assert sorted(z.ravel()) == pytest.approx([0.2, 0.9])


def test_a_missing_value_is_a_dash(table):
    grid = subsets.subset_scores(table.assign(broken=float("nan")), ["broken"])
    assert list(figures.subset_heatmap(grid, ["broken"]).data[1].text) == ["–", "–"]
    assert "no value" in figures.subset_heatmap_alt(grid, ["broken"])


def test_layers_stand_apart_from_the_whole():
    rows = pd.DataFrame(
        [
            ("encoder", 0, "alone", 0.3, -0.2, -0.3, -0.1, 0.25, 3, 10),
            ("encoder", 0, "without", 0.4, -0.1, None, None, None, 1, 90),
        ],
        columns=subsets.LAYER_COLUMNS,
    ).astype({"low": float, "high": float, "p": float})
    figure = figures.layer_effects_chart(rows, "accuracy", 0.5)
    assert [trace.y[0] for trace in figure.data] == [-0.2, -0.1]
    assert figure.layout.title.text.startswith("All of it: 0.500, 3 seeds")
    assert "only this layer (encoder 1) -0.200" in figures.layer_effects_alt(rows, "accuracy", 0.5)


def test_flags_are_shares_of_answers():
    sound = dict.fromkeys(FLAGS, 0.0) | {"sound": 1.0}
    odd = sound | {"short": 0.25, "sound": 0.75}
    figure = figures.flag_heatmap({"one": sound, "two": odd}, {"one": 8, "two": 8})
    assert figure.data[0].z[1][list(FLAGS).index("short")] == 0.25
    assert figure.data[1].text[0] == "0"
    assert figure.layout.dragmode is False  # or a finger could not move the columns on a phone
    assert "one: no flag; two: Too short 25.0%" in figures.flag_heatmap_alt(
        {"one": sound, "two": odd}
    )


def test_long_names_take_one_line_below_the_first_and_say_that_they_go_on():
    name = "Sparse atoms · atoms 16 · components attention.query + attention.value · threshold 3"
    sound = dict.fromkeys(FLAGS, 0.0) | {"sound": 1.0}
    (tick,) = figures.flag_heatmap({name: sound}, {name: 8}).layout.yaxis.ticktext
    lines = tick.split("<br>")
    assert lines[0] == "Sparse atoms"
    assert lines[1].endswith(" …</sup>")
    assert lines[2] == "<sup>8 answers</sup>"


def test_the_parts_multiply_to_the_normalised_score():
    table = pd.DataFrame([{"run": "r", "accuracy": 0.5, "ratio": 0.8, "normalised": 0.4}])
    titles = {"accuracy": "Accuracy", "ratio": "Ratio", "normalised": "Normalised"}
    looks = {"r": style_of_method("lora", "LoRA")}
    figure = figures.score_parts_chart(table, titles, looks)
    assert [trace.x[0] for trace in figure.data] == [0.5, 0.8, 0.4]
    assert "LoRA: Accuracy 0.500, Ratio 0.800" in figures.score_parts_alt(table, titles, looks)


def test_published_runs_that_never_explained_are_open():
    found = explanations.score_ratios(pd.read_csv(ASSETS / "reported.csv"))
    figure = figures.published_ratios_chart(found, "no explanation learnt")
    opened = sum(s.endswith("-open") for trace in figure.data for s in trace.marker.symbol)
    assert opened == found["where"].str.contains("no explanation learnt").sum() == 7
    assert "87 % accuracy at most" in figures.published_ratios_alt(found, "no explanation learnt")
