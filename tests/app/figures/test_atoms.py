"""Figures of atoms: what is drawn where, what they say, and that data never becomes markup."""

import re

import numpy as np
import pandas as pd

from app.figures import atoms as figures
from peftcore.labs.atoms.request import parse_site

SITES = [parse_site(f"cross.query:decoder.block.{n}.layer.1.EncDecAttention.q") for n in (0, 1)]
FACTS = {"seeds": [0, 1], "read": 48, "data_hash": "00ff", "arithmetic": "fp32"}
VALUES = np.array([[0.0, 1.0, 2.0], [5.0, 0.5, 0.0]])


def title(figure):
    return " ".join(re.sub("<[^>]+>", " ", figure.layout.title.text).split())


def test_every_cell_of_the_map_can_be_clicked_and_the_chosen_one_is_marked():
    figure = figures.atom_heatmap(VALUES, SITES, "Importance", FACTS, 7, chosen=3)
    heat, cells, mark = figure.data
    assert [cell[0] for cell in cells.customdata] == list(range(6))
    where = zip(cells.x, cells.y, strict=True)
    assert [heat.z[y][x] for x, y in where] == VALUES.ravel().tolist()
    assert (mark.x[0], mark.y[0]) == (0, 1)
    assert "D2.xq[0]" in cells.text[3]
    assert "seed 7, n = 48 validation examples, data 00ff, single precision" in title(figure)
    alt = figures.atom_heatmap_alt(VALUES, SITES, "Importance")
    assert "Largest: D2.xq[0] 5, D1.xq[2] 2" in alt


def test_the_table_of_a_map_has_a_row_for_every_atom():
    table = figures.atom_table({"importance": VALUES, "usage": VALUES / 5}, SITES)
    assert table.loc[3].tolist() == ["Decoder 2, cross query", "D2.xq[0]", 5.0, 1.0]


def test_exact_zeros_stay_blank_and_tokens_are_as_typed():
    codes = [[0.0, -2.0], [1.0, 0.0], [0.5, 0.0]]
    figure = figures.coefficient_heatmap(codes, ["<s>", "the", "the"], SITES[0], 0, chosen=1)
    (heat,) = figure.data
    assert np.isnan(heat.z[0][0])
    assert heat.z[1][0] == -2.0
    assert (heat.zmin, heat.zmax) == (-2.0, 2.0)
    assert figure.layout.xaxis.ticktext == ("&lt;s&gt;", "the", "the")
    assert len(heat.x) == 3
    assert "50% are zero" in figures.coefficient_heatmap_alt(codes, ["<s>", "the", "the"], SITES[0])


def test_lorenz_curves_run_from_corner_to_corner_and_tell_gini():
    figure = figures.lorenz_curves({4: [0.0, 0.0, 0.0, 1.0]}, FACTS)
    line = figure.data[1]
    assert line.name == "Seed 4, Gini 0.75"
    assert (line.y[0], line.y[-1]) == (0, 1)
    assert "seed 4 0.75" in figures.lorenz_curves_alt({4: [0.0, 0.0, 0.0, 1.0]})


def test_usage_counts_every_atom_of_every_seed():
    often = {0: [[0.0, 1.0]], 1: [[0.5, 0.52]]}
    figure = figures.usage_histogram(often, FACTS)
    assert sum(figure.data[0].y) == 4
    assert "1 never, 1 everywhere" in title(figure)
    assert "4 atoms: 1 never" in figures.usage_histogram_alt(often)


def test_the_course_is_the_mean_of_seeds_with_its_interval():
    table = pd.DataFrame({"step": [0, 0, 25, 25], "seed": [0, 1, 0, 1], "zeros": [1, 1, 0.4, 0.6]})
    figure = figures.sparsity_by_step_chart(table, "zeros", FACTS)
    assert list(figure.data[-1].y) == [1.0, 0.5]
    assert "1 at step 0, 0.5 at step 25" in figures.sparsity_by_step_alt(table, "zeros")
