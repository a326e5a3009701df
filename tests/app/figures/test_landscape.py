"""Pictures of landscapes."""

import numpy as np
import pandas as pd
import pytest

from app.figures import landscape as figures
from peftcore.analysis import simplex

FACTS = {
    "n": 24,
    "split": "dev",
    "seed": 3,
    "data_hash": "0123456789abcdef",
    "arithmetic": "fp32",
    "metric": "accuracy",
    "corners": ["vertex 0", "vertex 1", "centroid"],
}


def face(steps=3, missing=()):
    """A face with loss (x − 1/2)² and a score that is one less the loss."""
    weights = simplex.triangle_lattice(steps)
    at = simplex.triangle_coords(weights)
    table = pd.DataFrame({"line": "", "t": np.nan, "x": at[:, 0], "y": at[:, 1], "mark": ""})
    table["weights"] = weights.tolist()
    table["loss"] = (table["x"] - 0.5) ** 2
    table["score"] = 1 - table["loss"]
    for k, name in enumerate(("vertex <0>", "vertex 1", "centroid")):
        table.loc[np.abs(weights - np.eye(3)[k]).max(1) < 1e-9, "mark"] = name
    table.loc[list(missing), "loss"] = np.nan
    return table


def trace(figure, kind, name=None):
    return next(t for t in figure.data if t.type == kind and (name is None or name in str(t.name)))


def test_a_face_has_its_contour_marks_and_lowest_point():
    figure = figures.surface_map(face(), FACTS)
    colours, lines = trace(figure, "heatmap"), trace(figure, "contour")
    assert np.nanmin(colours.z) >= 0
    assert np.isnan(colours.z[-1][0])  # outside the triangle
    np.testing.assert_array_equal(lines.z, colours.z[::2, ::2])
    assert (lines.x[0], lines.x[-1]) == (colours.x[0], colours.x[-1])
    names = {note.text for note in figure.layout.annotations}
    assert names == {"vertex &lt;0&gt;", "vertex 1", "centroid"}
    lowest = trace(figure, "scatter", "Lowest point")
    assert (lowest.x[0] - 0.5) ** 2 == pytest.approx(face()["loss"].min())
    assert "Highest point, 1.000" in [
        t.name for t in figures.surface_map(face(), FACTS, "score").data
    ]


def test_every_measured_point_can_be_clicked_and_names_its_row():
    table = face(missing=[4])
    cells = next(t for t in figures.surface_map(table, FACTS).data if t.customdata is not None)
    rows = [c[0] for c in cells.customdata]
    assert rows == [i for i in table.index if i != 4]
    assert list(cells.x) == list(table.loc[rows, "x"])
    assert cells.hovertemplate.startswith("Loss (nats)")


def test_the_figure_says_n_seed_data_and_arithmetic():
    title = figures.surface_map(face(), FACTS).layout.title.text
    for words in ("n = 24", "seed 3", "01234567", "fp32"):
        assert words in title
    assert "normalised by vector" in figures.facts_text(FACTS | {"normalisation": "filter"})


def test_pictures_of_one_run_share_a_scale():
    other = face()
    other["loss"] += 5
    low, high = figures.value_limits([face(), other, face(missing=range(10))], "loss")
    assert (low, high) == pytest.approx((face()["loss"].min(), other["loss"].max()))
    contour = trace(figures.surface_map(face(), FACTS, scale=(low, high)), "contour")
    assert (contour.zmin, contour.zmax) == (low, high)
    assert figures.value_limits([], "loss") is None


def test_an_empty_and_a_partial_picture_can_be_drawn():
    nothing = face()
    nothing["loss"] = np.nan
    figures.surface_map(nothing, FACTS)
    assert "Nothing" in figures.surface_map_alt(nothing, FACTS)
    assert trace(figures.surface_map(face(missing=[1, 2, 3]), FACTS), "contour").z.size


def lines():
    t = [-0.5, 0.0, 0.5, 1.0]
    rows = [("vertex 0 to vertex 1", s, v) for s, v in zip(t, [9, 1, 4, 3], strict=True)]
    rows += [("centroid to vertex 0", s, v) for s, v in zip(t, [9, 1, 1, 2], strict=True)]
    return pd.DataFrame(rows, columns=["line", "t", "loss"])


def test_cuts_and_the_height_of_their_barriers():
    figure = figures.loss_along_lines(lines(), FACTS)
    assert [t.name for t in figure.data] == ["Vertex 0 to vertex 1", "Centroid to vertex 0"]
    assert [t.line.dash for t in figure.data] == ["solid", "dash"]
    table = figures.barrier_table(lines())
    assert list(table["Barrier"]) == [2.0, 0.0]  # 4 above the straight line's 2; 1 below 1.5
    assert "barrier 2.000" in figures.loss_along_lines_alt(lines())
