"""Charts of runs of a study."""

import pandas as pd
import pytest

from app.figures import scaling_ablations as figures
from app.figures.theme import style_of_method
from peftcore.analysis.comparison import PairedDifference
from peftcore.analysis.few_seeds import widening

LOOKS = {
    "Scaled": style_of_method("spt", "Scaled"),
    "Plain": style_of_method("prompt_tuning", "Plain <i>"),
}
TITLES = {"a": "Task A", "b": "Task <b>"}
METRICS = {"a": "accuracy", "b": "bleu"}


def table(**lines):
    return pd.DataFrame(
        [
            {"line": line, "place": place, "run": f"{line}{place}", "seed": seed, "accuracy": value}
            for line, places in lines.items()
            for place, values in places.items()
            for seed, value in enumerate(values)
        ]
    )


@pytest.fixture
def scores():
    return table(Scaled={10: [0.5, 0.6, 0.7], 30: [0.8, 0.8, 0.8]}, Plain={10: [0.4, 0.4, 0.4]})


def test_each_line_has_mean_and_interval_at_each_place(scores):
    figure = figures.scores_by_value_chart(scores, "accuracy", LOOKS, "Prompt length (tokens)")
    scaled, plain = figure.data
    assert list(scaled.customdata) == [10, 30]
    assert list(scaled.x) == pytest.approx([10, 30], abs=0.2)
    assert scaled.x[0] < plain.x[0]  # side by side
    assert list(scaled.y) == pytest.approx([0.6, 0.8])
    # deviation 0.1 of three seeds, t(0.975, 2) = 4.302653
    assert list(scaled.error_y.array) == pytest.approx([0.248414 * widening(3), 0.0], abs=1e-5)
    assert plain.name == "Plain &lt;i&gt;"
    assert figure.layout.xaxis.tickvals == (10, 30)
    assert "3 seeds" in figure.layout.title.text
    assert "Scaled at 30: 0.800" in figures.scores_by_value_alt(scores, "accuracy", "Length")


def test_steadiest_run_is_on_top_with_its_seeds(scores):
    found = figures.seed_spreads(scores, "accuracy")
    assert found["deviation"].tolist() == pytest.approx([0.0, 0.0, 0.1], abs=1e-12)
    runs = {run: style_of_method("spt", run) for run in found["run"]}
    figure = figures.seed_spread_chart(scores, "accuracy", runs)
    seeds, dot = figure.data[4:]
    assert list(dot.x) == pytest.approx([0.1])
    assert sorted(seeds.x) == pytest.approx([0.0, 0.1, 0.1], abs=1e-12)
    assert "Scaled10 0.100" in figures.seed_spread_alt(scores, "accuracy", runs)


def test_one_seed_scatters_nowhere():
    assert figures.seed_spreads(table(Scaled={10: [0.5]}), "accuracy").empty


def test_the_matrix_shows_gains_in_their_own_units_and_gaps_where_nothing_ran():
    gains = {
        ("a", "b"): PairedDifference(5.0, -1.0, 11.0, 0.25, 0.25, 3),
        ("b", "a"): PairedDifference(-0.1, None, None, 1.0, 1.0, 1, "one seed"),
        ("a", "a"): PairedDifference(None, None, None, None, None, 0),
    }
    figure = figures.transfer_heatmap(gains, ["a", "b"], TITLES, METRICS)
    heat, words = figure.data
    assert [list(row) for row in heat.z] == [[None, 0.05], [-0.1, None]]
    assert heat.zmax == pytest.approx(0.1)
    assert list(words.text) == ["–", "+5.0<br>-1.0 to +11.0", "-0.100<br>one seed", "–"]
    assert heat.customdata[0][1] == "p 0.25, 3 pairs of seeds"
    assert figure.layout.yaxis.ticktext == ("Task A", "Task &lt;b&gt;")
    assert "1 to 3 seeds" in figure.layout.title.text
    assert "Task A to Task <b>: +5.0, -1.0 to +11.0" in figures.transfer_heatmap_alt(
        gains, TITLES, METRICS
    )
