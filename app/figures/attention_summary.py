"""All heads of a deep model as one small map: a cell for each head, its shade a number.

Layers run from left to right and heads downwards, so that 30 layers of 9 heads take the room of one
picture; which head is chosen is no part of the figure, a frame lies above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures import layout as panel_layout
from app.figures.attention import INVISIBLE_MARKS, Side, colour_axis, interval_text
from app.figures.scales import cell_format, colour_limit
from app.figures.theme import LESS_COLOUR, TEMPLATE, plotly_text
from peftcore.analysis.attention import MEASURES, HeadRow

MAX_LAYERS, MAX_TILES = 6, 96  # up to which every head is a small picture at once
MAP_HEIGHT = 240  # pixels that the cells share, within the limits of one
MIN_CELL, MAX_CELL = 10, 26
MARGIN = panel_layout.fixed_margin(40, 52, 48)
SMALL_HEIGHT, SMALL_MARGIN = 120, panel_layout.fixed_margin(26, 40, 40, 6)  # beside a picture


def needs_summary(layers: int, heads: int) -> bool:
    """Return whether small pictures of all heads would be a page of their own."""
    return layers > MAX_LAYERS or layers * heads > MAX_TILES


def head_map(
    values: np.ndarray,
    measure: str,
    side: str,
    notes: Sequence[Sequence[str]],
    signed: bool = False,
    *,
    small: bool = False,
) -> go.Figure:
    """One cell for each layer (column) and head (row); a click on one reports its numbers.

    values (l, h), nan where nothing was measured; notes: the hover text of every head.  A small one
    stands beside a picture and leaves its scale out.
    """
    layers, heads = values.shape
    info = MEASURES[measure]
    cells = list(np.ndindex(layers, heads))
    unit = info.unit.capitalize()
    picture = {
        "type": "heatmap",
        "z": values.T.astype(np.float32),
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
        "xgap": 1,
        "ygap": 1,
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [layer for layer, _ in cells],
        "y": [head for _, head in cells],
        **INVISIBLE_MARKS,
        "customdata": [[layer, head] for layer, head in cells],
        "text": [f"layer {y + 1}, head {x + 1}<br>{plotly_text(notes[y][x])}" for y, x in cells],
        "hovertemplate": "%{text}<extra></extra>",
    }
    margin, pixels = (SMALL_MARGIN, SMALL_HEIGHT) if small else (MARGIN, MAP_HEIGHT)
    title = f"{info.title} by layer and head{f', {side}' * bool(side)}"
    layout = {
        "template": TEMPLATE,
        "height": int(margin["t"] + margin["b"]) + heads * _cell_height(heads, pixels),
        "xaxis": _cell_axis(layers, "Layer"),
        "yaxis": _cell_axis(heads, "Head") | {"range": [heads - 0.5, -0.5]},
        "coloraxis": colour_axis(colour_limit(values), unit, signed) | {"showscale": not small},
        "title": {"text": plotly_text(title), "font": {"size": 12 if small else 14}},
        "clickmode": "event+select",
        "dragmode": False,
        "hoverdistance": -1,
        "margin": margin,
    }
    return go.Figure({"data": [picture, marks], "layout": layout})


def head_rows_map(rows: Sequence[HeadRow], side: Side, measure: str) -> go.Figure:
    """One number of every head over a data set, with its interval on hover."""
    values = head_row_values(rows, side)
    signed, unit = side == "change", MEASURES[measure].unit
    notes = [[""] * values.shape[1] for _ in range(values.shape[0])]
    for row in rows:
        notes[row.layer][row.head] = interval_text(getattr(row, side), signed, unit)
    return head_map(values, measure, side, notes, signed)


def head_row_values(rows: Sequence[HeadRow], side: Side) -> np.ndarray:
    """Return the means of one side as (layers, heads); nan where nothing was measured."""
    shape = (max(row.layer for row in rows) + 1, max(row.head for row in rows) + 1)
    values = np.full(shape, np.nan)
    for row in rows:
        mean = getattr(row, side).mean
        values[row.layer, row.head] = np.nan if mean is None else mean
    return values


def _cell_height(heads: int, pixels: int) -> int:
    """Return the height of a cell in pixels, so that few and many heads take like room."""
    return min(MAX_CELL, max(MIN_CELL, pixels // heads))


def _cell_axis(count: int, title: str) -> dict[str, Any]:
    """An axis with cells at 0, 1, …, numbered from one as far as there is room."""
    indices = panel_layout.thin_numbers(count)
    return {
        "showgrid": False,
        "showline": False,
        "ticks": "",
        "automargin": False,
        "range": [-0.5, count - 0.5],
        "tickvals": indices,
        "ticktext": [str(index + 1) for index in indices],
        "title": panel_layout.axis_title(title),
    }


def cell_frame(
    shape: tuple[int, int], layer: int, head: int, *, small: bool = False
) -> dict[str, str]:
    """A frame around one cell of a map of (layers, heads), in CSS: its place inside the chart."""
    css, margin = {}, SMALL_MARGIN if small else MARGIN
    for side, size, ends, count, index in (
        ("left", "width", "lr", shape[0], layer),
        ("top", "height", "tb", shape[1], head),
    ):
        before, after = (margin[end] for end in ends)
        inside = f"(100% - {before + after}px)"
        css[side] = f"calc({before - 1}px + {inside} * {index / count:.5f})"
        css[size] = f"calc(2px + {inside} * {1 / count:.5f})"
    return css | {"border": f"2.5px solid {LESS_COLOUR}", "border-radius": "2px"}


def head_map_alt(values: np.ndarray, measure: str, side: str) -> str:
    """The map in words: its size and the heads that stand out."""
    info, form = MEASURES[measure], cell_format(values)
    named = f"{info.title} ({info.unit}){f', {side}' * bool(side)}"
    known = np.nan_to_num(np.abs(values))
    order = np.argsort(-known, axis=None, kind="stable")[:3]
    parts = [
        f"layer {y + 1} head {x + 1} ({values[y, x]:{form}})"
        for y, x in zip(*np.unravel_index(order, values.shape), strict=True)
    ]
    size = f"{values.shape[0]} layers of {values.shape[1]} heads"
    return f"{named}: {size}. It is largest in {', '.join(parts)}."
