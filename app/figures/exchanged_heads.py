"""Single heads exchanged between two models: a map of layers and heads for each kind of attention.

Values come from `peftcore.labs.attention.head_patching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as panels
from app.figures.attention import colour_axis
from app.figures.scales import colour_limit
from app.figures.theme import TEMPLATE, plotly_text

if TYPE_CHECKING:
    from peftcore.labs.attention.head_patching import HeadPatching

LEAST_CELL, MOST_CELL = 16, 34  # pixels of a head


def head_changes(found: HeadPatching) -> go.Figure:
    """Change of the log-odds by layer (column) and head (row); a cross where the word turns."""
    kinds = list(found.odds)
    domains = panels.panel_domains([len(odds) for odds in found.odds.values()], 0.05)
    heads = next(iter(found.odds.values())).shape[1]
    limit = colour_limit(*(odds - found.start for odds in found.odds.values()))
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        axes = {
            "xaxis": panels.axis_name("x", number),
            "yaxis": panels.axis_name("y", number),
        }
        data += [trace | axes for trace in _traces(found, kind)]
        layers = panels.thin_numbers(len(found.odds[kind]), max(3, 18 // len(kinds)))
        layout[panels.axis_name("xaxis", number)] = panels.x_axis(
            number,
            domains[number],
            tickvals=layers,
            ticktext=[str(layer + 1) for layer in layers],
            title=panels.axis_title("Layer"),
            showgrid=False,
        )
        rows = panels.thin_numbers(heads)
        layout[panels.axis_name("yaxis", number)] = panels.y_axis(
            number,
            tickvals=rows,
            ticktext=[str(row + 1) for row in rows],
            range=[heads - 0.5, -0.5],
            showgrid=False,
        )
    layout["yaxis"]["title"] = panels.axis_title("Head")
    cell = min(MOST_CELL, max(LEAST_CELL, 300 // heads))
    layout |= {
        "template": TEMPLATE,
        "height": 110 + cell * heads,
        "showlegend": False,
        "coloraxis": colour_axis(limit, "Change of log-odds", signed=True),
        "annotations": [
            panels.panel_heading(kind.capitalize(), domain)
            for kind, domain in zip(kinds, domains, strict=True)
            if len(kinds) > 1
        ],
        "margin": panels.fixed_margin(36, 52, 52),
    }
    return go.Figure({"data": data, "layout": layout})


def _traces(found: HeadPatching, kind: str) -> list[dict[str, Any]]:
    """Return the cells of one kind of attention, and the marks on those that turn the word."""
    change = found.odds[kind] - found.start  # (l, h)
    words = found.words[kind]
    hover = [
        [
            f"layer {layer + 1}, head {head + 1}: {change[layer, head]:+.3f}, "
            f"writes “{plotly_text(words[layer][head])}”"
            for layer in range(change.shape[0])
        ]
        for head in range(change.shape[1])
    ]
    turned = np.argwhere(found.flips(kind))
    return [
        {
            "type": "heatmap",
            "z": change.T,
            "coloraxis": "coloraxis",
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
            "xgap": 1,
            "ygap": 1,
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": turned[:, 0].tolist(),
            "y": turned[:, 1].tolist(),
            "marker": {"symbol": "x-thin", "size": 10, "line": {"width": 2}},
            "hoverinfo": "skip",
        },
    ]


def head_changes_alt(found: HeadPatching) -> str:
    """The map in words: the head that moves the word most, and how many turn it."""
    kind, layer, head, change = strongest_head(found)
    turned = sum(int(found.flips(each).sum()) for each in found.odds)
    return (
        f"Change of the log-odds of “{found.word}” with one head exchanged, by layer and head; "
        f"largest {change:+.2f} in {kind} layer {layer + 1}, head {head + 1}; {turned} heads turn "
        "the word"
    )


def strongest_head(found: HeadPatching) -> tuple[str, int, int, float]:
    """Return the head whose exchange moves the word most: kind, layer, head, change."""
    kind = max(found.odds, key=lambda each: float(np.abs(found.odds[each] - found.start).max()))
    change = found.odds[kind] - found.start
    layer, head = np.unravel_index(int(np.abs(change).argmax()), change.shape)
    return kind, int(layer), int(head), float(change[layer, head])


def head_changes_table(found: HeadPatching) -> pd.DataFrame:
    """The exchanges as rows."""
    return pd.DataFrame(
        [
            {
                "attention": kind,
                "layer": layer + 1,
                "head": head + 1,
                "log-odds": odds[layer, head],
                "change": odds[layer, head] - found.start,
                "writes": found.words[kind][layer][head],
            }
            for kind, odds in found.odds.items()
            for layer, head in np.ndindex(odds.shape)
        ]
    )
