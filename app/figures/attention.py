"""Patterns of attention: all heads at a glance, one head large, heads over a data set, one step.

Values come from `peftcore.analysis.attention`.  Positions are numbers with words for labels, so
that a repeated word keeps its own row and column.  Plotly reports no clicks on heat maps, so cells
that can be chosen carry invisible markers, which hold the hover text, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures import layout as panel_layout
from app.figures.scales import ColourLimit, cell_format, colour_limit
from app.figures.theme import LESS_COLOUR, MORE_COLOUR, NEUTRAL, TEMPLATE, plotly_text, with_opacity
from peftcore.analysis.attention import (
    LEARNED_KINDS,
    MEASURES,
    AttentionPattern,
    AttentionToken,
    HeadRow,
    QueryTrace,
)

LEARNT_COLOUR = "#009E73"  # of prefix positions and soft tokens, which are not text
TILE_SIZE, TILE_GAP = 84, 0.14  # pixels of a small head; gap beside it, as a share of it
MAX_CLICKABLE_CELLS = (
    4000  # cells up to which each is a mark of its own; more are slow to send and to find
)
MAX_LABELS = 20  # labels below one of several pictures side by side
MIN_HEIGHT, MAX_HEIGHT = 330, 470  # pixels of one head, large: all of it on a laptop at once
LABEL_PITCH = 12  # pixels from one label beside a picture to the next
OVERVIEW_MARGIN = panel_layout.fixed_margin(40, 52, 48)  # of the overview
# Marks that take clicks and carry words, but of which no more than one is drawn: a thousand drawn
# ones would take longer than all the rest.
INVISIBLE_MARKS: dict[str, Any] = {
    "marker": {"size": 6, "color": MORE_COLOUR, "maxdisplayed": 1},
    "opacity": 0.001,
    "selected": {"marker": {"opacity": 0.001}},
    "unselected": {"marker": {"opacity": 0.001}},
}


def _axis_labels(tokens: Sequence[AttentionToken]) -> list[str]:
    """Words for an axis; what is learnt and special stands in italics."""
    words = [plotly_text(_shortened(token)) for token in tokens]
    return [
        word if token.kind == "content" else f"<i>{word}</i>"
        for token, word in zip(tokens, words, strict=True)
    ]


def _shortened(token: AttentionToken) -> str:
    return panel_layout.shortened(token.text)


def colour_axis(limit: ColourLimit, title: str, signed: bool, **bar: Any) -> dict[str, Any]:
    """A colour axis from zero, or from minus the top, in the page's own scale of such values."""
    return {
        "cmin": -limit.top if signed else 0,
        "cmax": limit.top,
        "colorbar": {
            "title": {"text": title, "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
            **limit.bar_ticks(signed),
            **bar,
        },
    }


def head_overview(
    pattern: AttentionPattern,
    limit: ColourLimit,
    title: str,
    notes: Sequence[Sequence[str]],
    signed: bool = False,
    first_layer: int = 0,
) -> go.Figure:
    """All layers (rows) and heads (columns) as small pictures; a click on one reports its numbers.

    notes: the hover text of every head.  Which head is chosen is no part of the figure, so
    that it stays as it is when another one is: `tile_frame` lies above it.  A pattern of a part of
    the layers begins at `first_layer`.
    """
    weights = _max_pooled(_max_pooled(pattern.weights, 2), 3)
    layers, heads, q, k = weights.shape
    tiles = list(np.ndindex(layers, heads))
    picture = {
        "type": "heatmap",
        "z": _mosaic(weights),
        "x": _cell_edges(heads, k),
        "y": _cell_edges(layers, q),
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [head + (1 - TILE_GAP) / 2 for _, head in tiles],
        "y": [layer + (1 - TILE_GAP) / 2 for layer, _ in tiles],
        **INVISIBLE_MARKS,
        "customdata": [[layer + first_layer, head] for layer, head in tiles],
        "text": [
            f"layer {y + first_layer + 1}, head {x + 1}<br>{plotly_text(notes[y][x])}"
            for y, x in tiles
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    layout = {
        "template": TEMPLATE,
        "height": 96 + TILE_SIZE * layers,
        "xaxis": _numbered_axis(heads, "Head"),
        "yaxis": {**_numbered_axis(layers, "Layer", first_layer), "range": [layers, -TILE_GAP]},
        # Beside one row of tiles there is no room for words along the bar.
        "coloraxis": colour_axis(
            limit, "" if layers == 1 else "Change" if signed else "Attention", signed
        ),
        "title": {"text": plotly_text(title)},
        "clickmode": "event+select",
        "dragmode": False,
        "hoverdistance": -1,
        "margin": OVERVIEW_MARGIN,
    }
    return go.Figure({"data": [picture, marks], "layout": layout})


def _numbered_axis(count: int, title: str, first: int = 0) -> dict[str, Any]:
    """An axis with a number at the middle of every tile, counted from `first`."""
    return {
        "showgrid": False,
        "showline": False,
        "ticks": "",
        "zeroline": False,
        "automargin": False,
        "range": [-TILE_GAP, count],
        "tickvals": [index + (1 - TILE_GAP) / 2 for index in range(count)],
        "ticktext": [str(first + index + 1) for index in range(count)],
        "title": panel_layout.axis_title(title),
    }


def tile_frame(pattern: AttentionPattern, layer: int, head: int) -> dict[str, str]:
    """A frame around one tile of the overview, in CSS: its place inside the chart."""
    tiles = {"left": (pattern.heads, head), "top": (pattern.layers, layer)}
    sizes = {"left": "width", "top": "height"}
    css = {}
    for side, (count, index) in tiles.items():
        before, after = (
            OVERVIEW_MARGIN[name] for name in (("l", "r") if side == "left" else ("t", "b"))
        )
        inside, whole = f"(100% - {before + after}px)", count + TILE_GAP
        css[side] = f"calc({before}px + {inside} * {(index + TILE_GAP * 2 / 3) / whole:.5f})"
        css[sizes[side]] = f"calc({inside} * {(1 - TILE_GAP / 3) / whole:.5f})"
    return css | {"border": f"2.5px solid {LESS_COLOUR}"}


def _cell_edges(tiles: int, cells: int) -> np.ndarray:
    """Edges of the cells of a row of tiles with gaps, each tile and its gap one unit long.

    All cells are equally wide, gaps included: only such a picture is drawn as one image of as many
    pixels as there are cells, others rectangle by rectangle, which takes a browser a second.
    """
    whole = cells + _gap_cells(cells)
    return np.arange(tiles * whole - _gap_cells(cells) + 1) / whole


def _gap_cells(cells: int) -> int:
    """Return how many cells the gap beside a tile is wide."""
    return max(1, round(cells * TILE_GAP / (1 - TILE_GAP)))


def _max_pooled(weights: np.ndarray, axis: int) -> np.ndarray:
    """At most as many cells along an axis as a small picture has pixels: neighbours' strongest."""
    count = weights.shape[axis]
    pool_size = -(-count // TILE_SIZE)
    if pool_size == 1:
        return weights
    width = [(0, 0)] * weights.ndim
    width[axis] = (0, -count % pool_size)
    shape = list(weights.shape)
    shape[axis : axis + 1] = [-(-count // pool_size), pool_size]
    parts = np.pad(weights, width).reshape(shape)
    strongest_index = np.abs(np.nan_to_num(parts)).argmax(axis + 1)
    return np.take_along_axis(parts, np.expand_dims(strongest_index, axis + 1), axis + 1).squeeze(
        axis + 1
    )


def _mosaic(weights: np.ndarray) -> np.ndarray:
    """(l, h, q, k) → one picture; between two tiles lie rows or columns without values."""
    layers, heads, q, k = weights.shape
    down, across = _gap_cells(q), _gap_cells(k)
    padded = np.pad(weights, ((0, 0), (0, 0), (0, down), (0, across)), constant_values=np.nan)
    mosaic = padded.transpose(0, 2, 1, 3).reshape(layers * (q + down), heads * (k + across))
    return mosaic[:-down, :-across].astype(np.float32)


def head_overview_alt(pattern: AttentionPattern, moved: np.ndarray | None, title: str) -> str:
    """The overview in words: how many heads there are, and which moved most."""
    size = f"{title}: {pattern.layers} layers of {pattern.heads} heads"
    if moved is None:
        return f"{size}, attention of {len(pattern.queries)} queries to {len(pattern.keys)} keys."
    order = np.argsort(-moved, axis=None)[:3]
    parts = [
        f"layer {y + 1} head {x + 1} ({moved[y, x]:.2f})"
        for y, x in zip(*np.unravel_index(order, moved.shape), strict=True)
    ]
    return f"{size}. The total variation distance is largest in {', '.join(parts)}."


Panel = tuple[str, AttentionPattern]
PANEL_GAP = 0.015  # of the width, between two panels


def head_heatmap(
    panels: Sequence[Panel],
    layer: int,
    number: int,
    limit: ColourLimit,
    signed: bool,
) -> go.Figure:
    """One head large, a picture for each panel; a click reports the query.

    Panels share a scale up to `limit`; a change, which `signed` says of the last, has its own that
    fits what changed among the text.  Green columns are learnt: prefix positions or soft tokens.
    """
    several = len(panels) > 1
    rows = max(len(pattern.queries) for _, pattern in panels)
    size = 10 if several else 12
    bottom = panel_layout.label_width(
        [_shortened(token) for _, pattern in panels for token in pattern.keys], size
    )
    top = 64 if several else 44
    height = min(MAX_HEIGHT, max(MIN_HEIGHT, 130 + 17 * rows))
    label_step = max(1, -(-rows * LABEL_PITCH // int(height - top - bottom)))
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    domains = panel_layout.panel_domains([len(pattern.keys) for _, pattern in panels], PANEL_GAP)
    change_limit = limit
    for index, ((_, pattern), domain) in enumerate(zip(panels, domains, strict=True)):
        values = pattern.weights[layer, number].astype(np.float32)
        axis_names = {
            "xaxis": panel_layout.axis_name("x", index),
            "yaxis": panel_layout.axis_name("y", index),
        }
        change = signed and index + 1 == len(panels)
        if change:
            change_limit = colour_limit(values[:, _text_columns(pattern)])
            axis_names |= {"coloraxis": "coloraxis2"}
        data += [_placed(trace, axis_names) for trace in _cell_traces(pattern, values, change)]
        axes |= _named_axes(pattern, index, domain, small=several, label_step=label_step)
        if index != len(panels) // 2:  # one title below all
            axes[panel_layout.axis_name("xaxis", index)]["title"] = {"text": ""}
        else:  # below the words of its neighbours, too: at the lower edge
            title = axes[panel_layout.axis_name("xaxis", index)]["title"]
            axes[panel_layout.axis_name("xaxis", index)]["title"] = {**title, "standoff": bottom}
        shapes += [
            panel_layout.vertical_line(x, index, NEUTRAL, 1.5) for x in _learnt_borders(pattern)
        ]
    layout = _panel_layout(panels, f"Layer {layer + 1}, head {number + 1}", height, (top, bottom))
    layout |= {
        **axes,
        **_colour_axes(limit, change_limit, several and signed, _measured(panels)),
        "shapes": shapes,
        "hoverdistance": -1 if _has_cell_marks(values) else 20,
    }
    return go.Figure({"data": data, "layout": layout})


def _measured(panels: Sequence[Panel]) -> str:
    """Return what cells hold: attention, or shares of what keys add where values are weighed in."""
    return "Attention" if panels[0][1].value_gap is None else "Share"


def _colour_axes(
    limit: ColourLimit, change_limit: ColourLimit, both: bool, measured: str
) -> dict[str, Any]:
    """Return the scales of attention, change and learnt columns; half as long if both show."""
    halves = [{"len": 0.5, "y": y} for y in (0.77, 0.23)] if both else [{}, {}]
    return {
        "coloraxis": colour_axis(limit, measured, False, **halves[0]),
        "coloraxis2": colour_axis(change_limit, "Change", True, **halves[1]),
        "coloraxis3": {
            "cmin": 0,
            "cmax": limit.top,
            "colorscale": [[0, with_opacity(LEARNT_COLOUR, 0)], [1, LEARNT_COLOUR]],
            "showscale": False,
        },
    }


def _panel_layout(
    panels: Sequence[Panel], title: str, height: int, edges: tuple[float, float]
) -> dict[str, Any]:
    """The frame of one head's pictures: size, headings, margins; edges: top and bottom, pixels."""
    several = len(panels) > 1
    domains = panel_layout.panel_domains([len(pattern.keys) for _, pattern in panels], PANEL_GAP)
    queries = [_shortened(token) for token in panels[0][1].queries]
    left = panel_layout.label_width(queries, 10 if several else 12)
    return {
        "template": TEMPLATE,
        "height": height,
        "showlegend": False,
        "annotations": [
            panel_layout.panel_heading(name, domain)
            for (name, _), domain in zip(panels, domains, strict=True)
            if several
        ],
        "title": {"text": title if several else f"{title}: {plotly_text(panels[0][0])}"},
        "clickmode": "event+select",
        "dragmode": False,
        "margin": panel_layout.fixed_margin(edges[0], left, edges[1]),
    }


def _placed(trace: dict[str, Any], axis_names: dict[str, str]) -> dict[str, Any]:
    """The trace on the axes of its picture; a scale of its own stays."""
    if trace.get("coloraxis") != "coloraxis":
        axis_names = {name: axis for name, axis in axis_names.items() if name != "coloraxis"}
    return trace | axis_names


def _text_columns(pattern: AttentionPattern) -> list[int]:
    """Numbers of the columns that are text; all where there is none."""
    columns = [i for i, token in enumerate(pattern.keys) if token.kind not in LEARNED_KINDS]
    return columns or list(range(len(pattern.keys)))


def _cell_traces(
    pattern: AttentionPattern, values: np.ndarray, change: bool
) -> list[dict[str, Any]]:
    """The picture, invisible marks with each cell's words that take clicks, and learnt columns."""
    cells = [(q, k) for q, k in np.ndindex(values.shape) if np.isfinite(values[q, k])]
    form = "+.4f" if change else ".4f"
    keys = [plotly_text(f"{t.text} ({i + 1})") for i, t in enumerate(pattern.keys)]
    queries = [plotly_text(f"{t.text} ({i + 1})") for i, t in enumerate(pattern.queries)]
    text, learnt = values.copy(), np.full_like(values, np.nan)
    columns = sorted(set(range(values.shape[1])) - set(_text_columns(pattern)))
    # What was learnt had no attention before, so it has no sign; of two that learnt, both have.
    if columns and not (np.nan_to_num(values[:, columns]) < 0).any():
        text[:, columns], learnt[:, columns] = np.nan, values[:, columns]
    picture: dict[str, Any] = {
        "type": "heatmap",
        "z": text,
        "x": list(range(len(pattern.keys))),
        "y": list(range(len(pattern.queries))),
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
    }
    if not _has_cell_marks(values):
        # The first cell of each row still takes clicks; the picture has the texts.
        picture["text"] = [[f"{query} → {key}" for key in keys] for query in queries]
        picture["hovertemplate"] = f"%{{text}}: <b>%{{z:{form}}}</b><extra></extra>"
        del picture["hoverinfo"]
        cells = [(q, k) for q, k in cells if k == 0]
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": np.array([k for _, k in cells], dtype=np.int32),
        "y": np.array([q for q, _ in cells], dtype=np.int32),
        **INVISIBLE_MARKS,
        "customdata": [[q, k] for q, k in cells],
        "text": [f"{queries[q]} → {keys[k]}: <b>{values[q, k]:{form}}</b>" for q, k in cells],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if not np.isfinite(learnt).any():
        return [picture, marks]
    return [picture, marks, picture | {"z": learnt, "coloraxis": "coloraxis3"}]


def _has_cell_marks(values: np.ndarray) -> bool:
    """Return whether every cell of a picture is a mark of its own."""
    return bool(np.isfinite(values).sum() <= MAX_CLICKABLE_CELLS)


def _named_axes(
    pattern: AttentionPattern,
    number: int,
    domain: Sequence[float],
    *,
    small: bool,
    label_step: int,
) -> dict[str, dict[str, Any]]:
    """Return both axes of one picture, with the words of every `label_step`-th query.

    Words below it are as many as do not overlap.
    """
    font = {"size": 10 if small else 12}
    count = len(pattern.keys)
    key_step = -(-count // MAX_LABELS) if small else 1
    # A word at the very end would touch the first one of the next picture.
    named = [key for key in range(0, count, key_step) if key_step == 1 or key <= count - key_step]
    key_labels = _axis_labels(pattern.keys)
    x = panel_layout.x_axis(
        number,
        domain,
        tickvals=named,
        ticktext=[key_labels[key] for key in named],
        tickangle=-90,
        tickfont=font,
        range=[-0.5, len(pattern.keys) - 0.5],
        showgrid=False,
        title=panel_layout.axis_title("Looked at (key)"),
    )
    y = panel_layout.y_axis(
        number,
        tickvals=list(range(0, len(pattern.queries), label_step)),
        ticktext=_axis_labels(pattern.queries)[::label_step],
        tickfont=font,
        range=[len(pattern.queries) - 0.5, -0.5],
        showgrid=False,
    )
    if not number:
        y["title"] = panel_layout.axis_title("Looking (query)")
    return {panel_layout.axis_name("xaxis", number): x, panel_layout.axis_name("yaxis", number): y}


def _learnt_borders(pattern: AttentionPattern) -> list[float]:
    """Return both sides of every stretch of learnt columns."""
    learnt = [token.kind in LEARNED_KINDS for token in pattern.keys]
    return [index - 0.5 for index in range(1, len(learnt)) if learnt[index] != learnt[index - 1]]


def head_heatmap_alt(
    pattern: AttentionPattern, layer: int, number: int, words: Sequence[str]
) -> str:
    """One head in words: its size and its largest values."""
    learnt = sum(token.kind in LEARNED_KINDS for token in pattern.keys)
    also = f", {learnt} of them virtual tokens" if learnt else ""
    return (
        f"Layer {layer + 1}, head {number + 1}: {len(pattern.queries)} queries, "
        f"{len(pattern.keys)} keys"
        f"{also}. Largest values: {'; '.join(words)}."
    )


Side = Literal["before", "after", "change"]


def head_measure_table(
    rows: Sequence[HeadRow], side: Side, measure: str, chosen: tuple[int, int]
) -> go.Figure:
    """One number for each head as a shaded table; a click on a cell reports the head."""
    measure_info = MEASURES[measure]
    layers, head_count = max(r.layer for r in rows) + 1, max(r.head for r in rows) + 1
    signed = side == "change"
    values = np.full((layers, head_count), np.nan)
    words = {}
    for row in rows:
        statistic = getattr(row, side)
        if statistic.mean is not None:
            values[row.layer, row.head] = statistic.mean
        words[row.layer, row.head] = interval_text(statistic, signed, measure_info.unit)
    figure = go.Figure(layout={"template": TEMPLATE, "height": 150 + 46 * layers})
    figure.add_heatmap(
        z=values,
        x=list(range(head_count)),
        y=list(range(layers)),
        coloraxis="coloraxis",
        hoverinfo="skip",
        xgap=2,
        ygap=2,
        opacity=0.55,  # so that numbers in the cells can be read
    )
    _add_cell_values(figure, values, words, cell_format(values, signed))
    layer, number = chosen
    figure.add_shape(
        type="rect",
        x0=number - 0.5,
        x1=number + 0.5,
        y0=layer - 0.5,
        y1=layer + 0.5,
        line={"color": LESS_COLOUR, "width": 2.5},
    )
    axis: dict[str, Any] = {"showgrid": False, "ticks": ""}
    numbers = [list(range(length)) for length in (head_count, layers)]
    labels = [[str(i + 1) for i in each] for each in numbers]
    figure.update_xaxes(**axis, tickvals=numbers[0], ticktext=labels[0], title_text="Head")
    figure.update_yaxes(
        **axis,
        tickvals=numbers[1],
        ticktext=labels[1],
        title_text="Layer",
        range=[layers - 0.5, -0.5],
    )
    figure.update_layout(
        coloraxis=colour_axis(colour_limit(values), measure_info.unit, signed),
        title={"text": f"{measure_info.title} ({measure_info.unit}), {side}"},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def _add_cell_values(
    figure: go.Figure, values: np.ndarray, words: Mapping[tuple[int, int], str], form: str
) -> None:
    """Add the number of each cell (layer, head); a click on it reports the cell."""
    cells = list(words)
    figure.add_scatter(
        x=[head for _, head in cells],
        y=[layer for layer, _ in cells],
        mode="markers+text",
        marker={"size": 34, "symbol": "square", "color": with_opacity(MORE_COLOUR, 0.004)},
        selected={"marker": {"opacity": 0.01}},
        unselected={"marker": {"opacity": 0.01}, "textfont": {"color": None}},
        text=[f"{values[at]:{form}}" if np.isfinite(values[at]) else "–" for at in cells],
        customdata=[[*at, words[at]] for at in cells],
        hovertemplate="layer %{y}, head %{x}<br>%{customdata[2]}<extra></extra>",
    )


def interval_text(statistic: Any, signed: bool, unit: str) -> str:
    """A mean with its limits over seeds in words."""
    if statistic.mean is None:
        return "not measured"
    form = ("+" if signed else "") + (".1e" if 0 < abs(statistic.mean) < 0.01 else ".3f")
    mean = f"{statistic.mean:{form}} {unit}"
    if statistic.low is None:
        return f"{mean}, {statistic.reason}"
    return (
        f"{mean}, 95 % interval {statistic.low:{form}} to {statistic.high:{form}}, {statistic.n} "
        "seeds"
    )


def head_measure_alt(rows: Sequence[HeadRow], side: Side, measure: str) -> str:
    """The table of heads in words: its extremes."""
    measure_info = MEASURES[measure]
    means = [(getattr(r, side).mean, r) for r in rows if getattr(r, side).mean is not None]
    if not means:
        return f"{measure_info.title} by head, {side}: not measured."
    low, high = (pick(means, key=lambda pair: pair[0]) for pick in (min, max))
    parts = [
        f"{word} {value:.3f} in layer {row.layer + 1}, head {row.head + 1}"
        for word, (value, row) in (("smallest", low), ("largest", high))
    ]
    return (
        f"{measure_info.title} ({measure_info.unit}) by layer and head, {side}: {', '.join(parts)}."
    )


def query_trace_chart(trace: QueryTrace, title: str) -> go.Figure:
    """Draw one query's products, scores, powers and weights, key by key."""
    names = _axis_labels(trace.keys)
    positions = list(range(len(names)))
    columns = ["Query × key,<br>element<br>by element", "Score", "e^(score<br>− largest)", "Weight"]
    figure = make_subplots(
        1,
        4,
        shared_yaxes=True,
        horizontal_spacing=0.06,
        column_widths=[0.4, 0.2, 0.2, 0.2],
        subplot_titles=columns,
    )
    figure.update_annotations(font_size=11)  # so that a phone has room for four of them
    height = min(MAX_HEIGHT, max(MIN_HEIGHT, 170 + 19 * len(names)))
    figure.update_layout(template=TEMPLATE, height=height, showlegend=False)
    label_step = max(1, -(-len(names) * LABEL_PITCH // (height - 170)))
    limit = colour_limit(trace.products)
    hover_names = [plotly_text(f"{t.text} ({i + 1})") for i, t in enumerate(trace.keys)]
    figure.add_heatmap(
        z=trace.products.astype(np.float32),
        y=positions,
        coloraxis="coloraxis",
        customdata=np.array([hover_names] * trace.products.shape[1]).T,
        hovertemplate="%{customdata}, element %{x}: %{z:.3f}<extra></extra>",
        row=1,
        col=1,
    )
    scores = trace.scaled + trace.added
    reached = np.isfinite(scores)
    bars: Sequence[np.ndarray] = (np.where(reached, scores, np.nan), trace.powers, trace.weights)
    colours = _trace_colours(trace, reached)
    for column, values in enumerate(bars, 2):
        figure.add_bar(
            x=values,
            y=positions,
            orientation="h",
            marker={"color": colours},
            customdata=hover_names,
            hovertemplate="%{customdata}: %{x:.4f}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_yaxes(
        tickvals=positions[::label_step],
        ticktext=names[::label_step],
        tickfont={"size": 11},
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_yaxes(title_text="Looked at (key)", row=1, col=1)
    figure.update_xaxes(nticks=2, tickangle=0)  # as many as a phone has room for
    figure.update_xaxes(title_text="Element", row=1, col=1)  # the others are named above
    figure.update_layout(
        coloraxis={**colour_axis(limit, "Product", True), "showscale": False},
        title={"text": plotly_text(title)},
        margin={"t": 96},
        bargap=0.25,
    )
    return figure


def _trace_colours(trace: QueryTrace, reached: np.ndarray) -> list[str]:
    """The colour of each key's bars; reached (k,): whether the query may look there."""
    return [
        NEUTRAL if not is_reached else LEARNT_COLOUR if token.kind in LEARNED_KINDS else MORE_COLOUR
        for token, is_reached in zip(trace.keys, reached, strict=True)
    ]


def query_trace_alt(trace: QueryTrace) -> str:
    """The steps in words: where the query looks most, and why."""
    order = np.argsort(-trace.weights)[:3]
    parts = [
        f"{trace.keys[i].text} ({i + 1}): product {trace.dots[i]:.2f}, scaled "
        f"{trace.scaled[i]:.2f}, "
        f"added {trace.added[i]:.2f}, weight {trace.weights[i]:.3f}"
        for i in order
    ]
    return f"From {trace.query.text} to its strongest keys. {'; '.join(parts)}."
