"""Figures of atoms: what is drawn where, what they say, and that data never becomes markup."""

import re

import numpy as np
import pandas as pd
import pytest

from app.figures import atoms as figures
from peftcore.atom_studies import site

SITES = [site(f"cross.query:decoder.block.{n}.layer.1.EncDecAttention.q") for n in (0, 1)]
FACTS = {"seeds": [0, 1], "read": 48, "n": 24, "split": "test", "data_hash": "00ff", "metric": "f1"}
VALUES = np.array([[0.0, 1.0, 2.0], [5.0, 0.5, 0.0]])


def title(figure):
    return " ".join(re.sub("<[^>]+>", " ", figure.layout.title.text).split())


def test_every_cell_of_the_map_can_be_clicked_and_the_chosen_one_is_marked():
    figure = figures.layers(VALUES, SITES, "Importance", FACTS, 7, chosen=3)
    heat, cells, mark = figure.data
    assert [held[0] for held in cells.customdata] == list(range(6))
    where = zip(cells.x, cells.y, strict=True)
    assert [heat.z[y][x] for x, y in where] == VALUES.ravel().tolist()
    assert (mark.x[0], mark.y[0]) == (0, 1)
    assert "D2.xq[0]" in cells.text[3]
    assert "seed 7, n = 48" in title(figure)
    alt = figures.layers_alt(VALUES, SITES, "Importance")
    assert "Largest: D2.xq[0] 5, D1.xq[2] 2" in alt


def test_the_table_of_a_map_has_a_row_for_every_atom():
    table = figures.layers_table({"importance": VALUES, "usage": VALUES / 5}, SITES)
    assert table.loc[3].tolist() == ["Decoder 2, cross query", "D2.xq[0]", 5.0, 1.0]


def test_exact_zeros_stay_blank_and_tokens_are_as_typed():
    codes = [[0.0, -2.0], [1.0, 0.0], [0.5, 0.0]]
    figure = figures.tokens(codes, ["<s>", "the", "the"], SITES[0], 0, chosen=1)
    (heat,) = figure.data
    assert np.isnan(heat.z[0][0])
    assert heat.z[1][0] == -2.0
    assert (heat.zmin, heat.zmax) == (-2.0, 2.0)
    assert figure.layout.xaxis.ticktext == ("&lt;s&gt;", "the", "the")
    assert len(heat.x) == 3
    assert "50% are zero" in figures.tokens_alt(codes, ["<s>", "the", "the"], SITES[0])


def test_lorenz_curves_run_from_corner_to_corner_and_tell_gini():
    figure = figures.lorenz({4: [0.0, 0.0, 0.0, 1.0]}, FACTS)
    line = figure.data[1]
    assert line.name == "Seed 4, Gini 0.75"
    assert (line.y[0], line.y[-1]) == (0, 1)
    assert "seed 4 0.75" in figures.lorenz_alt({4: [0.0, 0.0, 0.0, 1.0]})


def test_usage_counts_every_atom_of_every_seed():
    often = {0: [[0.0, 1.0]], 1: [[0.5, 0.52]]}
    figure = figures.usage(often, FACTS)
    assert sum(figure.data[0].y) == 4
    assert "1 never, 1 everywhere" in title(figure)
    assert "4 atoms: 1 never" in figures.usage_alt(often)


def test_the_course_is_the_mean_of_seeds_with_its_interval():
    table = pd.DataFrame({"step": [0, 0, 25, 25], "seed": [0, 1, 0, 1], "zeros": [1, 1, 0.4, 0.6]})
    figure = figures.evolution(table, "zeros", FACTS)
    assert list(figure.data[-1].y) == [1.0, 0.5]
    assert "1 at step 0, 0.5 at step 25" in figures.evolution_alt(table, "zeros")


def bands():
    rows = [
        (order, k, 0.1 * k - 0.2 * (order == "random"), 0.0, 1.0, 2, 3)
        for order in ("importance", "random")
        for k in (1, 4, 9)
    ]
    return pd.DataFrame(rows, columns=["order", "k", "mean", "low", "high", "n", "draws"])


def test_curves_share_an_axis_of_even_steps_and_mark_what_is_kept():
    figure = figures.pruning(bands(), "score", FACTS, k=4)
    assert figure.layout.xaxis.ticktext == ("1", "4", "9")
    assert [line.name for line in figure.data if line.name] == ["By importance", "Random"]
    assert list(figure.data[1].x) == [0, 1, 2]
    assert figure.layout.shapes[0].x0 == 1
    assert "mean of 3 orders" in title(figure)
    assert "2 seeds, n = 24 test examples" in title(figure)
    assert "By importance: 1 atoms 0.100" in figures.pruning_alt(bands(), "score", FACTS)


POINTS = [
    {"value": None, "run": "a" * 12, "scores": [0.8, 0.9]},
    {"value": 0.0, "run": "b" * 12, "scores": [0.7, 0.8], "zeros": [0, 0], "effective": [8, 8]},
    {"value": 2.0, "run": "c" * 12, "scores": [0.6], "zeros": [0.75], "effective": [None]},
]


def test_density_stands_against_quality_with_lora_beside():
    figure = figures.density(POINTS, "threshold", "accuracy", FACTS)
    (line,) = figure.data
    assert list(line.x) == [0.25, 1.0]
    assert list(line.y) == pytest.approx([0.6, 0.75])
    assert line.text == ("2", "0")
    assert line.error_y.array[0] == 0  # one seed has no interval
    assert figure.layout.annotations[0].text == "LoRA of equal rank 0.850"
    alt = figures.density_alt(POINTS, "threshold", "accuracy")
    assert "LoRA: 0.850; threshold 0: 0.750 at density 100%" in alt


def test_points_in_one_place_share_their_label():
    def point(value, zero, score):
        return {"value": value, "run": "a" * 12, "scores": [score], "zeros": [zero]}

    points = [point(4.0, 0.99, 0.0), point(6.0, 1.0, 0.01), point(0.0, 0.0, 0.9)]
    (line,) = figures.density(points, "threshold", "accuracy", FACTS).data
    assert line.text == ("6, 4", "", "0")


def test_combined_scores_show_seeds_and_means():
    rows = pd.DataFrame(
        [
            {"task": "t", "seed": s, "both": 0.5 + s / 10, "first": 0.6, "second": 0.2, "none": 0.0}
            for s in (0, 1)
        ]
    )
    figure = figures.combined(rows, "t", "A <b>task</b>", "accuracy", 24)
    assert "A &lt;b&gt;task" in title(figure)
    assert figure.data[1].x[0] == pytest.approx(0.55)
    assert figure.layout.yaxis.ticktext == ("Both", "First alone", "Second alone", "Neither")
    assert "Both 0.550" in figures.combined_alt(rows, "t", "A task", "accuracy")
