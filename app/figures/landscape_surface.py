"""A landscape in relief, as triangles in a box that the browser turns (see components/relief.js).

Tables and facts are those of `app.figures.landscape`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from app.figures import landscape
from peftcore.analysis import simplex

Array = NDArray[np.float64]
WIDE, LOW, TOP = 1.2, 0.6, 0.7  # the floor's longer side, its shorter one at least, the height
FINE = 600  # triangles that are enough; fewer are cut in four, so that colours flow
LIGHT = np.array([-0.35, -0.35, 0.87])  # where light comes from
SHADE = 0.3  # what is lost of a colour that light only touches


def relief(
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    value: str = "loss",
    scale: tuple[float, float] | None = None,
    chosen: int | None = None,
) -> dict[str, Any]:
    """What the browser draws: points, triangles with their colours, marks, ticks and words."""
    known = table.dropna(subset=["x", "y", value])
    low, high = scale or landscape.limits([known], value) or (0.0, 1.0)
    at, sides, axes = _floor(known)
    share = (known[value].to_numpy() - low) / ((high - low) or 1.0)
    points = np.column_stack([at, TOP * share])
    corners = simplex.triangles(points[:, :2])
    fine = points
    while 0 < len(corners) < FINE:
        fine, corners = simplex.subdivide_triangles(fine, corners)
    unit = landscape.value_title(value, facts)
    face = "corners" in facts
    return {
        "title": f"{unit} in relief",
        "said": landscape.said(facts),
        "unit": unit,
        "sides": sides,
        "top": TOP,
        "points": fine.round(4).tolist(),
        "triangles": _coloured(fine, corners),
        "rows": [int(row) for row in known.index],
        "values": [f"{each:.4f}" for each in known[value]],
        "marks": _marks(known, points, value, facts, chosen),
        "axes": dict(zip("xy", ["", ""] if face else facts["axes"], strict=True)),
        "ticks": {
            "x": [] if face else _ticks(*axes[0], sides[0], -sides[0] / 2),
            "y": [] if face else _ticks(*axes[1], sides[1], -sides[1] / 2),
            "z": _ticks(low, high, TOP, 0.0),
        },
    }


def _floor(known: pd.DataFrame) -> tuple[Array, list[float], list[tuple[float, float]]]:
    """Points (p, 2) about the floor's middle, its two sides, and what both axes run between."""
    at = known[["x", "y"]].to_numpy(dtype=float)
    if not len(at):
        return at, [WIDE, WIDE], [(0.0, 1.0)] * 2
    least, most = at.min(0), at.max(0)
    extent = np.where(most > least, most - least, 1.0)
    sides = np.maximum(LOW, WIDE * extent / extent.max())
    ends = [(float(a), float(b)) for a, b in zip(least, least + extent, strict=True)]
    return (at - least) / extent * sides - sides / 2, sides.tolist(), ends


def _coloured(points: Array, corners: NDArray[np.intp]) -> list[list[Any]]:
    """Triangles as three numbers of points and a colour, darker on slopes away from the light."""
    if not len(corners):
        return []
    a, b, c = (points[corners[:, k]] for k in range(3))
    upright = np.cross(b - a, c - a)
    upright *= np.sign(upright[:, 2:]) / np.linalg.norm(upright, axis=1, keepdims=True)
    bright = 1 - SHADE * (1 - (upright @ LIGHT).clip(0, 1))
    height = (points[corners, 2].mean(1) / TOP).clip(0, 1)
    colours = np.array(sample_colorscale(landscape.SCALE, height, colortype="tuple"))
    bytes_ = (255 * colours * bright[:, None]).round().astype(int)
    return [
        [*map(int, corner), "#{:02x}{:02x}{:02x}".format(*each)]
        for corner, each in zip(corners, bytes_, strict=True)
    ]


def _marks(
    known: pd.DataFrame, points: Array, value: str, facts: Mapping[str, Any], chosen: int | None
) -> list[dict[str, Any]]:
    """The marked points, the best and the chosen one, with their names."""
    places = {row: nth for nth, row in enumerate(known.index)}
    names = {row: str(mark) for row, mark in landscape.marked(known)["mark"].items()}
    if chosen is not None and chosen in places:
        names[chosen] = f"{names[chosen]}, chosen" if chosen in names else "Chosen point"
    found = [(row, said, "#FFFFFF", False) for row, said in names.items()]
    best = landscape.best(known, value, facts)
    if best:
        found.append((*best, landscape.BEST, True))  # below it, for the best may have a name
    return [
        {"at": points[places[row]].round(4).tolist(), "said": said}
        | {"colour": colour, "below": below}
        for row, said, colour, below in found
    ]


def _ticks(low: float, high: float, side: float, start: float) -> list[dict[str, Any]]:
    """About four round numbers between both, and where they stand on a side."""
    if not high > low:
        return [{"at": start, "said": f"{low:.4g}"}]
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.8)
    numbers = step * np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [
        {"at": round(start + side * (n - low) / (high - low), 4), "said": f"{n + 0.0:.4g}"}
        for n in numbers
    ]
