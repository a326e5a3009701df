"""Pictures of landscapes."""

import math

import numpy as np
import pandas as pd
import pytest

from app.figures import landscape as figures
from app.theme import look
from peftcore.analysis import simplex
from peftcore.analysis.flatness import Agreement, tightening

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
    weights = simplex.lattice(steps)
    at = simplex.flat(weights)
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
    figure = figures.ground(face(), FACTS)
    colours, lines = trace(figure, "heatmap"), trace(figure, "contour")
    assert np.nanmin(colours.z) >= 0
    assert np.isnan(colours.z[-1][0])  # outside the triangle
    np.testing.assert_array_equal(lines.z, colours.z[::2, ::2])
    assert (lines.x[0], lines.x[-1]) == (colours.x[0], colours.x[-1])
    names = {note.text for note in figure.layout.annotations}
    assert names == {"vertex &lt;0&gt;", "vertex 1", "centroid"}
    lowest = trace(figure, "scatter", "Lowest point")
    assert (lowest.x[0] - 0.5) ** 2 == pytest.approx(face()["loss"].min())
    assert "Highest point, 1.000" in [t.name for t in figures.ground(face(), FACTS, "score").data]


def test_every_measured_point_can_be_clicked_and_names_its_row():
    table = face(missing=[4])
    cells = next(t for t in figures.ground(table, FACTS).data if t.customdata is not None)
    rows = [c[0] for c in cells.customdata]
    assert rows == [i for i in table.index if i != 4]
    assert list(cells.x) == list(table.loc[rows, "x"])
    assert cells.hovertemplate.startswith("Loss (nats)")


def test_the_figure_says_n_seed_data_and_arithmetic():
    title = figures.ground(face(), FACTS).layout.title.text
    for words in ("n = 24", "seed 3", "01234567", "fp32"):
        assert words in title
    assert "normalised by vector" in figures.said(FACTS | {"normalisation": "filter"})


def test_pictures_of_one_run_share_a_scale():
    other = face()
    other["loss"] += 5
    low, high = figures.limits([face(), other, face(missing=range(10))], "loss")
    assert (low, high) == pytest.approx((face()["loss"].min(), other["loss"].max()))
    contour = trace(figures.ground(face(), FACTS, scale=(low, high)), "contour")
    assert (contour.zmin, contour.zmax) == (low, high)
    assert figures.limits([], "loss") is None


def test_an_empty_and_a_partial_picture_can_be_drawn():
    nothing = face()
    nothing["loss"] = np.nan
    figures.ground(nothing, FACTS)
    figures.relief(nothing, FACTS)
    assert "Nothing" in figures.ground_alt(nothing, FACTS)
    assert trace(figures.ground(face(missing=[1, 2, 3]), FACTS), "contour").z.size


def test_the_relief_has_every_measured_point_at_its_height():
    table = face()
    figure = figures.relief(table, FACTS)
    surface = trace(figure, "mesh3d")
    np.testing.assert_array_equal(surface.z, table["loss"])
    np.testing.assert_array_equal(surface.intensity, table["loss"])
    assert surface.cmin < surface.cmax
    assert figure.layout.scene.zaxis.title.text == "Loss (nats)"
    names = [each.text for each in figure.layout.scene.annotations]
    assert names == list(trace(figure, "scatter3d").text)
    assert len(names) == (table["mark"] != "").sum() > 0


def lines():
    t = [-0.5, 0.0, 0.5, 1.0]
    rows = [("vertex 0 to vertex 1", s, v) for s, v in zip(t, [9, 1, 4, 3], strict=True)]
    rows += [("centroid to vertex 0", s, v) for s, v in zip(t, [9, 1, 1, 2], strict=True)]
    return pd.DataFrame(rows, columns=["line", "t", "loss"])


def test_cuts_and_the_height_of_their_barriers():
    figure = figures.cuts(lines(), FACTS)
    assert [t.name for t in figure.data] == ["Vertex 0 to vertex 1", "Centroid to vertex 0"]
    assert [t.line.dash for t in figure.data] == ["solid", "dash"]
    table = figures.barriers(lines())
    assert list(table["Barrier"]) == [2.0, 0.0]  # 4 above the straight line's 2; 1 below 1.5
    assert "barrier 2.000" in figures.cuts_alt(lines())


def test_flatness_has_intervals_over_seeds():
    measures = pd.DataFrame(
        {"measure": ["barrier"] * 3, "seed": [0, 1, 2], "value": [0.5, 0.6, 0.7]}
    )
    row = figures.flatness_table(measures).iloc[0]
    assert row["Measure"] == "Highest barrier"
    assert (row["Low"], row["High"]) == (
        pytest.approx(0.6 - 0.248414, abs=1e-5),
        pytest.approx(0.6 + 0.248414, abs=1e-5),
    )


def test_flatness_against_score_says_the_correlation():
    table = pd.DataFrame(
        {"run": ["a", "a", "b"], "seed": [0, 1, 0], "value": [1.0, 2, 3], "score": [0.3, 0.2, 0.1]}
    )
    looks = {"a": look("lora", "LoRA"), "b": look("spt", "<SPT>")}
    figure = figures.against_score(table, "rise", "accuracy", looks, Agreement(-1.0, None, None, 3))
    assert len(figure.data) == 2
    assert figure.data[1].name == "&lt;SPT&gt;"
    assert "-1.00" in figure.layout.title.text
    assert "2 runs" in figure.layout.title.text
    words = figures.correlation_words(Agreement(0.5, 0.1, 0.8, 20))
    assert words == "rank correlation +0.50, 95 % interval +0.10 to +0.80, n = 20"
    assert "too few" in figures.correlation_words(Agreement(None, None, None, 2))


def test_the_validation_histogram_marks_the_centroid():
    figure = figures.spread([1.0, 1.1, 1.2], [1.05, 1.15], 0.9, FACTS)
    assert [len(t.x) for t in figure.data] == [3, 2]
    assert figure.layout.shapes[0].x0 == 0.9
    alt = figures.spread_alt([1.0, 1.2], [1.0, 1.0], 0.9)
    assert "mean 1.1000, standard deviation 0.1414" in alt


def test_tightening_and_estimates_are_drawn():
    table = tightening([1.0, 2.0, 3.0], [1, 2])
    figure = figures.tightening(table, FACTS)
    assert list(figure.data[0].y) == list(table["expected"])
    steps = pd.DataFrame(
        {"step": [0, 0, 5, 5], "seed": [0, 1, 0, 1], "stochastic": [4.0, 2, 1, 1],
         "centroid": [3.0, 3, 1, 1], "test_loss": [2.0, 2, 1, 1], "test_score": [0, 0, 1, 1]}
    )  # fmt: skip
    figure = figures.estimates(steps, FACTS)
    assert list(figure.data[0].y) == [3.0, 1.0]
    assert "2 seeds" in figure.layout.title.text


def test_the_ablation_shows_an_interval_where_there_is_one():
    rows = pd.DataFrame({"vertices": [1, 3], "mean": [0.5, 0.6], "high": [math.nan, 0.7]})
    figure = figures.ablation(rows, "accuracy")
    assert list(figure.data[0].error_y.array) == pytest.approx([0, 0.1])
