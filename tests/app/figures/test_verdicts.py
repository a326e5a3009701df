"""The matrix of verdicts, and differences to one run."""

import numpy as np
import pytest

from app.figures import verdicts
from app.figures.theme import style_of_method
from peftcore.analysis import judgement
from peftcore.analysis.inference import SeedItemTable

STYLES = {
    "a": style_of_method("lora", "LoRA"),
    "b": style_of_method("spt", "SPT <5>"),
    "c": style_of_method("prefix_tuning", "Prefix"),
}


@pytest.fixture
def judged():
    rng = np.random.default_rng(0)
    items = tuple(f"i{n}" for n in range(150))
    made = {}
    for run, skill in (("a", 0.9), ("b", 0.4), ("c", 0.41)):
        right = rng.random((5, 150)) < skill
        made[run] = SeedItemTable(tuple(range(5)), items, right[..., None].astype(float))
    return judgement.judge(made, "accuracy")


def test_cells_are_rows_against_columns_with_sign_and_points(judged):
    figure = verdicts.verdict_matrix(judged, STYLES)
    heat, text = figure.data
    assert heat.z[0][0] is None
    assert heat.z[0][1] == verdicts.SHADES["ahead"]
    assert heat.z[1][0] == verdicts.SHADES["behind"]
    cells = np.array(text.text).reshape(3, 3)
    assert cells[0, 1].startswith("▲<br>+")
    assert cells[1, 0] == cells[0, 1].replace("▲<br>+", "▼<br>-")
    assert "correction, 5 seeds and 150 items" in heat.customdata[0][1]
    assert "&lt;5&gt;" in "".join(figure.layout.yaxis.ticktext)


def test_many_runs_leave_signs_alone(judged):
    cell = judged.between("a", "b")
    assert verdicts._cell_text(cell, "accuracy", verdicts.MOST_NUMBERS + 1) == "▲"
    assert verdicts._cell_text(None, "accuracy", 3) == ""


def test_the_table_and_the_words_have_every_pair(judged):
    table = verdicts.verdict_table(judged, STYLES)
    assert len(table) == 3
    assert table["run"][0] == "LoRA"
    assert table["verdict"][0] == "ahead"
    assert table["points"][0] > 0
    assert verdicts.verdict_matrix_alt(judged, STYLES).count(";") == 2


def test_differences_to_a_run_have_intervals_and_the_margin(judged):
    rows = verdicts.differences_to(judged, "c")
    figure = verdicts.difference_forest(rows, judged, STYLES)
    line, point = figure.data[:2]
    assert list(line.x) == pytest.approx([100 * rows[0]["low"], 100 * rows[0]["high"]])
    assert point.text == (f"▲ {100 * rows[0]['difference']:+.1f}",)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (-2, 2)
    assert "points more than Prefix" in figure.layout.xaxis.title.text
    assert "LoRA is ahead of Prefix by" in verdicts.difference_forest_alt(rows, judged, STYLES)
