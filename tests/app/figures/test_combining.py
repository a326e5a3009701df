"""The line between two runs, and the prediction, as pictures."""

import pandas as pd
import pytest

from app.figures import combining as figures
from app.figures import landscape

TITLES = {"a": "First", "b": "Second"}


def losses():
    rows = [
        (seed, run, share, loss + seed)
        for seed in (0, 1)
        for run, values in (("a", (0.0, 1.0, 4.0)), ("b", (4.0, 1.0, 0.0)))
        for share, loss in zip((0, 0.5, 1), values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "run", "share", "loss"])


def test_each_task_has_a_thick_mean_and_thin_seeds():
    figure = figures.line_figure(losses(), TITLES)
    thick = [line for line in figure.data if line.line.width == 3]
    assert [line.name for line in thick] == ["First", "Second"]
    assert list(thick[0].y) == [0.5, 1.5, 4.5]
    assert len(figure.data) == 6
    assert "First 0.50, half-way 1.50, 4.50" in figures.line_alt(losses(), TITLES)


def test_every_site_is_a_dot_beside_chance():
    table = pd.DataFrame(
        {
            "component": ["q", "q"],
            "path": ["x", "y"],
            "cosine": [0.2, -0.4],
            "conflicts": [0.3, 0.6],
        }
    )
    figure = figures.prediction_dots(table)
    assert list(figure.data[0].x) == [0.2, -0.4]
    assert list(figure.layout.xaxis.range) == [-0.44000000000000006, 0.44000000000000006]
    assert "mean -0.100" in figures.prediction_alt(table)


def test_a_triangle_has_its_corners_named_and_one_loss_at_a_time():
    means = pd.DataFrame(
        [(1.0, 0.0, 0.0, 0.5, 3.0), (0.0, 1.0, 0.0, 2.0, 4.0), (0.0, 0.5, 0.5, 1.0, 2.0)],
        columns=["first", "second", "third", "a", "sum"],
    )
    points = figures.triangle_points(means, "a")
    assert points["mark"].tolist() == ["First", "Second", ""]
    assert points["loss"].tolist() == [0.5, 2.0, 1.0]
    assert points.loc[2, ["x", "y"]].tolist() == pytest.approx([0.75, 0.4330127])
    facts = {"n": 4, "corners": ["First"], "split": "dev", "click": "choose"}
    figure = landscape.surface_map(points, facts)
    assert figure.data[-1].hovertemplate.endswith("<extra>choose</extra>")
    assert "data" not in figure.layout.title.text
