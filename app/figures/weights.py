"""What an adapter changed where: a map of sites, singular values of one, and what trains.

Tables come from `peftcore.labs.weights.request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.layout import fixed_margin, label_width, layer_ticks
from app.figures.scales import cell_format, colour_limit
from app.figures.theme import (
    EXTRA_COLOURS,
    LABELLED_SCALE,
    LOG_AXIS,
    NEUTRAL,
    TEMPLATE,
    plotly_text,
    with_opacity,
)

ROW_HEIGHT = 36  # pixels of a row of the map
MAX_NUMBERED = 8  # columns up to which a cell holds its number
LABEL_SIZE = 12
# White letters can be read on each of them, on a light and on a dark page.
TREE_COLOURS = ("#4A5568", "#1A4971", "#1F5FA8", "#2A6AB8", "#3273BF")
BASE_NAME = "the base's own"


def row_name(site: Mapping[str, Any], doubled: bool) -> str:
    """Return the row of a site: its component, with the module's name where one has several."""
    name = str(site["component"])
    if doubled:
        name += f" · {str(site['path']).removesuffix('.weight').rpartition('.')[2]}"
    return name


def add_places(table: pd.DataFrame) -> pd.DataFrame:
    """Add to rows of sites (component, stack, layer, path) the row and column of their cell."""
    table = table.copy()
    per_cell = table.groupby(["component", "stack", "layer"], dropna=False)["path"].transform(
        "nunique"
    )
    several = set(table["component"][per_cell > 1])
    table["row"] = [row_name(site, site["component"] in several) for _, site in table.iterrows()]
    table["column"] = [
        str(site["stack"]).capitalize()
        if pd.isna(site["layer"])
        else f"{str(site['stack']).capitalize()} {int(site['layer']) + 1}"
        for _, site in table.iterrows()
    ]
    return table


def site_map(means: pd.DataFrame, title: str, chosen: str = "") -> go.Figure:
    """Cells of layer × component, shaded by their mean from zero on; `chosen` is a path framed.

    means: rows of `site_means`, whose order is that of layers.
    """
    placed = add_places(means)
    rows, columns = list(dict.fromkeys(placed["row"])), _columns(placed)
    values = np.full((len(rows), len(columns)), np.nan)
    hover = np.full(values.shape, "", object)
    keys = np.full(values.shape, "", object)
    for _, site in placed.iterrows():
        cell = rows.index(site["row"]), columns.index(site["column"])
        values[cell] = site["mean"]
        keys[cell] = f"{site['component']}:{site['path']}"
        hover[cell] = (
            f"<b>{plotly_text(site['column'])}, {plotly_text(site['row'])}</b>"
            f"<br>{site['mean']:.3g} (lowest {site['min']:.3g}, highest {site['max']:.3g} of "
            f"{site['count']:.0f})"
        )
    limit = colour_limit(values)
    figure = go.Figure(layout={"template": TEMPLATE, "height": 150 + ROW_HEIGHT * len(rows)})
    figure.add_heatmap(
        z=values,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        coloraxis="coloraxis",
        customdata=np.dstack([keys, hover]),
        hovertemplate="%{customdata[1]}<extra></extra>",
        hoverongaps=False,
        **_cell_numbers(values, len(columns)),
        xgap=2,
        ygap=2,
    )
    _add_marks(figure, values, keys, hover)
    if chosen:
        for y, x in zip(*np.nonzero(keys == chosen), strict=True):
            _frame_cell(figure, int(x), int(y))
    figure.update_xaxes(**layer_ticks(columns), showgrid=False, range=[-0.5, len(columns) - 0.5])
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plotly_text(name) for name in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        automargin=False,
    )
    figure.update_layout(
        title={"text": plotly_text(title)},
        margin=fixed_margin(44, label_width(rows, LABEL_SIZE), 66, 70),
        coloraxis={
            "cmin": 0,
            "cmax": limit.top,
            **({"colorscale": LABELLED_SCALE} if len(columns) <= MAX_NUMBERED else {}),
            "colorbar": {"thickness": 12, "outlinewidth": 0, **limit.bar_ticks(signed=False)},
        },
    )
    return figure


def _columns(placed: pd.DataFrame) -> list[str]:
    """Return columns by stack and layer, what lies outside the layers first."""
    order = {"input": 0, "encoder": 1, "decoder": 2}
    unique = placed.drop_duplicates("column")
    ranks = [
        (order.get(site["stack"], 3 if pd.isna(site["layer"]) else 0), site["layer"])
        for _, site in unique.iterrows()
    ]
    ranks = [(rank, -1.0 if pd.isna(layer) else float(layer)) for rank, layer in ranks]
    names = list(unique["column"])
    return [names[index] for index in sorted(range(len(names)), key=ranks.__getitem__)]


def _cell_numbers(values: np.ndarray, columns: int) -> dict[str, Any]:
    """Return what writes its number on each cell, where there is room."""
    if columns > MAX_NUMBERED:
        return {}
    form = cell_format(values)
    text = [["" if np.isnan(value) else f"{value:{form}}" for value in row] for row in values]
    return {"text": text, "texttemplate": "%{text}", "textfont": {"size": 11}}


def _add_marks(figure: go.Figure, values: np.ndarray, keys: np.ndarray, hover: np.ndarray) -> None:
    """Put on every cell what a click selects; nothing of it is seen."""
    rows, columns = np.nonzero(~np.isnan(values))
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"size": 22, "opacity": 0},
        customdata=[[keys[cell], hover[cell]] for cell in zip(rows, columns, strict=True)],
        hovertemplate="%{customdata[1]}<extra></extra>",
        showlegend=False,
    )


def _frame_cell(figure: go.Figure, x: int, y: int) -> None:
    """Draw a frame around a cell."""
    figure.add_shape(
        type="rect",
        x0=x - 0.5,
        x1=x + 0.5,
        y0=y - 0.5,
        y1=y + 0.5,
        line={"color": "#CC79A7", "width": 3},
    )


def site_map_alt(means: pd.DataFrame, title: str) -> str:
    """The map in words: its largest and its smallest cell."""
    placed = add_places(means).sort_values("mean")
    ends = [
        f"{word} {site['mean']:.3g} in {site['column']}, {site['row']}"
        for word, site in (("lowest", placed.iloc[0]), ("highest", placed.iloc[-1]))
    ]
    return f"{title}, {len(placed)} sites by layer and component: {', '.join(ends)}"


def singular_values(entries: Sequence[Mapping[str, Any]], where: str) -> go.Figure:
    """Singular values of one site's change, a line for each seed, beside those of the base."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340})
    base = next((entry["base_values"] for entry in entries if _has(entry, "base_values")), None)
    if base is not None:
        figure.add_scatter(
            x=list(range(1, len(base) + 1)),
            y=base,
            mode="lines",
            line={"color": NEUTRAL, "width": 2, "dash": "dash"},
            name=BASE_NAME,
        )
    for number, entry in enumerate(entries):
        rank = int(entry["rank"])
        kept = entry["values"][:rank]
        figure.add_scatter(
            x=list(range(1, len(kept) + 1)),
            y=kept,
            mode="lines+markers",
            marker={"size": 5},
            line={"color": EXTRA_COLOURS[number % len(EXTRA_COLOURS)]},
            name=f"seed {entry['seed']}",
        )
    figure.update_xaxes(title_text="Direction, strongest first", dtick=None)
    figure.update_yaxes(title_text="Singular value", **LOG_AXIS)
    figure.update_layout(title={"text": plotly_text(where)}, margin={"b": 70})
    return figure


def singular_values_alt(entries: Sequence[Mapping[str, Any]], where: str) -> str:
    """The singular values in words."""
    parts = [
        f"seed {entry['seed']}: rank {int(entry['rank'])}, largest {entry['values'][0]:.3g}, "
        f"stable rank {entry['stable_rank']:.3g}"
        for entry in entries
    ]
    return f"Singular values of the change at {where}. {'; '.join(parts)}"


def intruder_dots(entries: Sequence[Mapping[str, Any]], threshold: float, where: str) -> go.Figure:
    """Largest cosine of each strong direction of the tuned matrix with any of the base's."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340})
    for number, entry in enumerate(entries):
        cosines = np.asarray(entry["cosines"])
        figure.add_scatter(
            x=list(range(1, len(cosines) + 1)),
            y=cosines,
            mode="markers",
            marker={
                "size": 9,
                "color": EXTRA_COLOURS[number % len(EXTRA_COLOURS)],
                "symbol": ["x" if cosine < threshold else "circle-open" for cosine in cosines],
            },
            name=f"seed {entry['seed']}",
        )
    figure.add_hline(y=threshold, line={"color": NEUTRAL, "dash": "dash", "width": 2})
    figure.update_xaxes(title_text="Direction of the tuned matrix, strongest first")
    figure.update_yaxes(title_text="Largest cosine with the base", range=[0, 1.03])
    figure.update_layout(title={"text": plotly_text(where)}, margin={"b": 70})
    return figure


def intruder_dots_alt(entries: Sequence[Mapping[str, Any]], threshold: float, where: str) -> str:
    """The cosines in words."""
    parts = [
        f"seed {entry['seed']}: {int(entry['intruders'])} of {len(entry['cosines'])}"
        for entry in entries
    ]
    return f"Directions of the tuned matrix at {where} below {threshold:g}: {'; '.join(parts)}"


def _has(entry: Mapping[str, Any], name: str) -> bool:
    """Return whether an entry has a list of this name."""
    return isinstance(entry.get(name), list)


def trained_tree(parts: pd.DataFrame, name: str) -> go.Figure:
    """What trains, as a tree: stack, layer, component, tensor; areas are counts of one seed."""
    nodes: dict[tuple[str, ...], int] = {}
    for _, part in parts.iterrows():
        path = tree_path(part)
        for depth in range(len(path) + 1):
            key = (name, *path[:depth])
            nodes[key] = nodes.get(key, 0) + int(part["count"])
    figure = go.Figure(layout={"template": TEMPLATE, "height": 460})
    total = nodes[(name,)]
    figure.add_icicle(
        ids=["/".join(key) for key in nodes],
        labels=[plotly_text(key[-1]) for key in nodes],
        parents=["/".join(key[:-1]) for key in nodes],
        values=list(nodes.values()),
        branchvalues="total",
        sort=False,
        customdata=[f"{count:,} ({count / total:.1%})" for count in nodes.values()],
        texttemplate="%{label}<br>%{customdata}",
        textfont={"color": "#FFFFFF"},
        hovertemplate="%{id}<br>%{customdata}<extra></extra>",
        marker={
            "colors": [TREE_COLOURS[len(key) - 1] for key in nodes],
            "line": {"width": 1, "color": with_opacity(NEUTRAL, 0.8)},
        },
        tiling={"orientation": "h"},
        maxdepth=4,
    )
    figure.update_layout(margin={"t": 8, "l": 0, "r": 0, "b": 0})
    return figure


def tree_path(part: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where a trained tensor stands in the tree, from the stack down."""
    layer = () if pd.isna(part["layer"]) else (f"layer {int(part['layer']) + 1}",)
    return (str(part["stack"]), *layer, str(part["component"]), str(part["tensor"]))


def trained_tree_alt(parts: pd.DataFrame) -> str:
    """The tree in words: the count of each stack and its largest component."""
    stacks = parts.groupby("stack", sort=False)["count"].sum()
    listed = ", ".join(f"{stack} {count:,}" for stack, count in stacks.items())
    return f"{parts['count'].sum():,} trainable numbers of one seed: {listed}"
