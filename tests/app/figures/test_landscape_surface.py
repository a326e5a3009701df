"""Reliefs: triangles between measured points, their heights, colours, marks and ticks."""

import numpy as np
import pandas as pd
import pytest

from app.figures.landscape import BEST_COLOUR
from app.figures.landscape_surface import MAX_HEIGHT, surface_scene
from peftcore.analysis import simplex

FACTS = {
    "n": 24,
    "split": "dev",
    "seed": 3,
    "data_hash": "0123456789abcdef",
    "metric": "accuracy",
    "corners": ["vertex 0", "vertex 1", "vertex 2"],
}


def plane(side=3):
    """A square of side ten, twice as far to the right as high, with losses that rise along x."""
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(-10, 10, side), [0.0, 5.0, 10.0]))
    table = pd.DataFrame({"line": "", "x": x, "y": y, "mark": "", "score": -x})
    table["loss"] = 1 + (x + 10) / 20
    table.loc[0, "mark"] = "<start>"
    return table


PLANE = {key: value for key, value in FACTS.items() if key != "corners"} | {"axes": ["a", "b"]}


def test_every_measured_point_stands_at_its_height_and_keeps_its_row():
    table = plane().drop(index=[4])
    drawn = surface_scene(table, PLANE)
    points = np.array(drawn["points"][: len(table)])
    np.testing.assert_allclose(points[:, 2], MAX_HEIGHT * (table["loss"] - 1), atol=1e-3)
    assert drawn["rows"] == list(table.index)
    assert drawn["values"][0] == "1.0000"
    assert drawn["sides"] == pytest.approx([1.2, 0.6])  # twice as wide as deep
    assert np.abs(points[:, :2]).max(0) == pytest.approx([0.6, 0.3])


def test_triangles_cover_the_floor_and_run_from_dark_to_light():
    drawn = surface_scene(plane(), PLANE)
    points = np.array(drawn["points"])
    corners = np.array([each[:3] for each in drawn["triangles"]])
    a, b, c = (points[corners[:, k], :2] for k in range(3))
    area = np.abs(np.linalg.det(np.stack([b - a, c - a], 1))).sum() / 2
    assert area == pytest.approx(1.2 * 0.6, rel=1e-3)
    bright = [sum(bytes.fromhex(each[3][1:])) for each in drawn["triangles"]]
    across = points[corners, 0].mean(1)
    assert np.corrcoef(across, bright)[0, 1] > 0.9


def test_marks_name_the_points_the_best_and_the_chosen_one():
    marks = surface_scene(plane(), PLANE, "loss", None, 8)["marks"]
    assert [mark["text"] for mark in marks] == ["<start>", "Chosen point", "Lowest point, 1.000"]
    assert marks[1]["at"] == pytest.approx([0.6, 0.3, MAX_HEIGHT])
    assert [mark["colour"] == BEST_COLOUR for mark in marks] == [False, False, True]
    assert surface_scene(plane(), PLANE, chosen=0)["marks"][0]["text"] == "<start>, chosen"


def test_ticks_are_round_and_stand_where_they_say():
    ticks = surface_scene(plane(), PLANE)["ticks"]
    assert [tick["text"] for tick in ticks["x"]] == ["-10", "-5", "0", "5", "10"]
    assert [tick["at"] for tick in ticks["x"]] == pytest.approx([-0.6, -0.3, 0, 0.3, 0.6])
    assert [tick["text"] for tick in ticks["z"]] == ["1", "1.2", "1.4", "1.6", "1.8", "2"]
    assert ticks["z"][-1]["at"] == pytest.approx(MAX_HEIGHT)


def test_a_shared_scale_leaves_room_above_and_a_triangle_has_no_axes():
    weights = simplex.triangle_lattice(3)
    at = simplex.triangle_coords(weights)
    table = pd.DataFrame({"line": "", "x": at[:, 0], "y": at[:, 1], "mark": "", "loss": at[:, 1]})
    drawn = surface_scene(table, FACTS, "loss", (0.0, 2 * table["loss"].max()))
    assert max(z for _, _, z in drawn["points"]) == pytest.approx(MAX_HEIGHT / 2, abs=1e-3)
    assert drawn["axes"] == {"x": "", "y": ""}
    assert drawn["ticks"]["x"] == []
    assert "n = 24" in drawn["facts"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_too_few_points_make_no_triangles(kept):
    drawn = surface_scene(plane().iloc[:kept], PLANE)
    assert drawn["triangles"] == []
    assert len(drawn["points"]) == kept
