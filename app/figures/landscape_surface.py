"""A landscape as a 3D surface of triangles that the browser turns (app/frontend/loss_surface.js).

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
MAX_SIDE, MIN_SIDE, MAX_HEIGHT = 1.2, 0.6, 0.7  # the floor's sides, longer and at least; height
MIN_TRIANGLES = 600  # triangles that are enough; fewer are cut in four, so that colours flow
LIGHT_DIRECTION = np.array([-0.35, -0.35, 0.87])  # where light comes from
SHADE_STRENGTH = 0.3  # what is lost of a colour that light only touches


def surface_scene(
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    value: str = "loss",
    scale: tuple[float, float] | None = None,
    chosen: int | None = None,
) -> dict[str, Any]:
    """Return what the browser draws: points, coloured triangles, marks, ticks and texts."""
    measured = table.dropna(subset=["x", "y", value])
    low, high = scale or landscape.value_limits([measured], value) or (0.0, 1.0)
    floor_points, sides, axes = _floor_plan(measured)
    share = (measured[value].to_numpy() - low) / ((high - low) or 1.0)
    points = np.column_stack([floor_points, MAX_HEIGHT * share])
    corners = simplex.triangles(points[:, :2])
    fine_points = points
    while 0 < len(corners) < MIN_TRIANGLES:
        fine_points, corners = simplex.subdivide_triangles(fine_points, corners)
    unit = landscape.value_title(value, facts)
    face = "corners" in facts
    return {
        "title": f"{unit} as a 3D surface",
        "facts": landscape.facts_text(facts),
        "unit": unit,
        "sides": sides,
        "top": MAX_HEIGHT,
        "points": fine_points.round(4).tolist(),
        "triangles": _coloured_triangles(fine_points, corners),
        "rows": [int(row) for row in measured.index],
        "values": [f"{each:.4f}" for each in measured[value]],
        "marks": _mark_data(measured, points, value, facts, chosen),
        "axes": dict(zip("xy", ["", ""] if face else facts["axes"], strict=True)),
        "ticks": {
            "x": [] if face else _tick_data(*axes[0], sides[0], -sides[0] / 2),
            "y": [] if face else _tick_data(*axes[1], sides[1], -sides[1] / 2),
            "z": _tick_data(low, high, MAX_HEIGHT, 0.0),
        },
    }


def _floor_plan(measured: pd.DataFrame) -> tuple[Array, list[float], list[tuple[float, float]]]:
    """Points (p, 2) about the floor's middle, its two sides, and what both axes run between."""
    floor_points = measured[["x", "y"]].to_numpy(dtype=float)
    if not len(floor_points):
        return floor_points, [MAX_SIDE, MAX_SIDE], [(0.0, 1.0)] * 2
    least, most = floor_points.min(0), floor_points.max(0)
    extent = np.where(most > least, most - least, 1.0)
    sides = np.maximum(MIN_SIDE, MAX_SIDE * extent / extent.max())
    ends = [(float(a), float(b)) for a, b in zip(least, least + extent, strict=True)]
    return (floor_points - least) / extent * sides - sides / 2, sides.tolist(), ends


def _coloured_triangles(points: Array, corners: NDArray[np.intp]) -> list[list[Any]]:
    """Triangles as three numbers of points and a colour, darker on slopes away from the light."""
    if not len(corners):
        return []
    a, b, c = (points[corners[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals *= np.sign(normals[:, 2:]) / np.linalg.norm(normals, axis=1, keepdims=True)
    brightness = 1 - SHADE_STRENGTH * (1 - (normals @ LIGHT_DIRECTION).clip(0, 1))
    height = (points[corners, 2].mean(1) / MAX_HEIGHT).clip(0, 1)
    colours = np.array(sample_colorscale(landscape.COLOUR_SCALE, height, colortype="tuple"))
    bytes_ = (255 * colours * brightness[:, None]).round().astype(int)
    return [
        [*map(int, corner), "#{:02x}{:02x}{:02x}".format(*each)]
        for corner, each in zip(corners, bytes_, strict=True)
    ]


def _mark_data(
    measured: pd.DataFrame, points: Array, value: str, facts: Mapping[str, Any], chosen: int | None
) -> list[dict[str, Any]]:
    """The marked points, the best and the chosen one, with their names."""
    index_by_row = {row: nth for nth, row in enumerate(measured.index)}
    names = {row: str(mark) for row, mark in landscape.named_points(measured)["mark"].items()}
    if chosen is not None and chosen in index_by_row:
        names[chosen] = f"{names[chosen]}, chosen" if chosen in names else "Chosen point"
    marks = [(row, label, "#FFFFFF", False) for row, label in names.items()]
    best_row = landscape.best_point(measured, value, facts)
    if best_row:
        # Its label stands below, because the best point may have a name above.
        marks.append((*best_row, landscape.BEST_COLOUR, True))
    return [
        {"at": points[index_by_row[row]].round(4).tolist(), "text": label}
        | {"colour": colour, "below": below}
        for row, label, colour, below in marks
    ]


def _tick_data(low: float, high: float, side: float, start: float) -> list[dict[str, Any]]:
    """About four round numbers between both, and where they stand on a side."""
    if not high > low:
        return [{"at": start, "text": f"{low:.4g}"}]
    rough_step = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough_step))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough_step * 0.8)
    numbers = step * np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [
        {"at": round(start + side * (n - low) / (high - low), 4), "text": f"{n + 0.0:.4g}"}
        for n in numbers
    ]
