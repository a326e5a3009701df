"""The map of changes, singular values, intruders and the tree of what trains."""

import numpy as np
import pandas as pd
import pytest

from app.figures import weights


def means(layers=2, components=("attention.query", "ffn")):
    """One site for each component and layer, with means 1, 2, …"""
    rows = [
        ("decoder", layer, component, f"block.{layer}.{component}")
        for layer in range(layers)
        for component in components
    ]
    table = pd.DataFrame(rows, columns=["stack", "layer", "component", "path"])
    table["mean"] = np.arange(1.0, len(rows) + 1)
    return table.assign(min=0.5, max=9.0, count=4, form="matrix")


def test_the_map_has_a_cell_for_each_site_from_zero_on():
    figure = weights.site_map(means(), "Size", "ffn:block.1.ffn")
    assert figure.data[0].z.tolist() == [[1, 3], [2, 4]]
    assert figure.layout.coloraxis.cmin == 0
    assert figure.layout.coloraxis.cmax == 4
    assert [list(row) for row in figure.data[0].text] == [["1.00", "3.00"], ["2.00", "4.00"]]
    frame = figure.layout.shapes[0]
    assert (frame.x0, frame.y0) == (0.5, 0.5)
    assert "highest 4 in Decoder 2, ffn" in weights.site_map_alt(means(), "Size")


def test_a_click_on_a_cell_names_its_site():
    figure = weights.site_map(means(), "Size")
    assert figure.data[1].customdata[0][0] == "attention.query:block.0.attention.query"


def test_a_deep_model_has_no_numbers_in_its_cells():
    figure = weights.site_map(means(layers=30), "Size")
    assert figure.data[0].text is None


def test_modules_of_one_component_have_rows_of_their_own():
    table = means(1, ("ffn",))
    table = pd.concat([table, table.assign(path="block.0.wo")], ignore_index=True)
    assert set(weights.add_places(table)["row"]) == {"ffn · ffn", "ffn · wo"}


def entries():
    return [
        {"seed": 0, "rank": 2, "values": [3.0, 1.0, 0.0], "stable_rank": 1.1,
         "base_values": [9.0, 5.0], "cosines": [0.2, 0.9], "intruders": 1},
        {"seed": 1, "rank": 3, "values": [2.0, 2.0, 1.0], "stable_rank": 2.3,
         "base_values": [9.0, 5.0], "cosines": [0.7, 0.9], "intruders": 0},
    ]  # fmt: skip


def test_singular_values_stop_at_the_rank_and_have_the_base_beside_them():
    figure = weights.singular_values(entries(), "here")
    assert [len(line.y) for line in figure.data] == [2, 2, 3]
    assert figure.data[0].name == weights.BASE_NAME
    assert figure.layout.yaxis.type == "log"
    assert "seed 0: rank 2, largest 3" in weights.singular_values_alt(entries(), "here")


def test_a_cross_marks_an_intruder():
    figure = weights.intruder_dots(entries(), 0.5, "here")
    assert [list(line.marker.symbol) for line in figure.data] == [
        ["x", "circle-open"],
        ["circle-open", "circle-open"],
    ]
    assert "seed 0: 1 of 2" in weights.intruder_dots_alt(entries(), 0.5, "here")


def test_parents_in_the_tree_hold_the_sum_of_their_parts():
    parts = pd.DataFrame(
        [
            ("decoder", 0, "attention.query", "down", 8),
            ("decoder", 0, "attention.query", "up", 12),
            ("decoder", 1, "ffn", "down", 5),
            ("head", None, "classification head", "head", 4),
        ],
        columns=["stack", "layer", "component", "tensor", "count"],
    )
    tree = weights.trained_tree(parts, "LoRA").data[0]
    counts = dict(zip(tree.ids, tree.values, strict=True))
    assert counts["LoRA"] == 29
    assert counts["LoRA/decoder/layer 1/attention.query"] == 20
    for parent in set(tree.parents) - {""}:
        children = [c for i, c in counts.items() if i.rpartition("/")[0] == parent]
        assert sum(children) == pytest.approx(counts[parent])
    assert weights.trained_tree_alt(parts).startswith("29 trainable numbers")
