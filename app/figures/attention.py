"""Patterns of attention: all heads at a glance, one head large, heads over a data set, one step.

Values come from `peftcore.analysis.attention`.  Positions are numbers with words for labels, so
that a repeated word keeps its own row and column.  Plotly reports no clicks on heat maps, so cells
that can be chosen carry invisible markers, which hold the hover text, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures import layout as beside
from app.theme import NEUTRAL, TEMPLATE, faint, text
from peftcore.analysis.attention import (
    LEARNED_KINDS,
    MEASURES,
    AttentionPattern,
    AttentionToken,
    HeadRow,
    QueryTrace,
)

LESS, MORE = "#D55E00", "#0072B2"
# Between the two the page's own ground shows through, so that one scale fits light and dark.  It
# rises faster at first, since most attention is weak; the bar beside a picture shows the same.
RISE = 0.6
TILE, GAP = 84, 0.14  # pixels of a small head; gap beside it, as a share of it
CLICKABLE = 4000  # cells up to which each is a mark of its own; more are slow to send and to find
FITTING = 20  # labels below one of several pictures side by side
WIDEST = 14  # characters of a word beside an axis
OUTSIDE = beside.margin(40, 52, 48)  # of the overview
# Marks that take clicks and carry words, but of which no more than one is drawn: a thousand drawn
# ones would take longer than all the rest.
UNSEEN: dict[str, Any] = {
    "marker": {"size": 6, "color": MORE, "maxdisplayed": 1},
    "opacity": 0.001,
    "selected": {"marker": {"opacity": 0.001}},
    "unselected": {"marker": {"opacity": 0.001}},
}


def _ticks(tokens: Sequence[AttentionToken]) -> list[str]:
    """Words for an axis; what is learnt and special stands in italics."""
    words = [text(_short(token)) for token in tokens]
    return [
        word if token.kind == "content" else f"<i>{word}</i>"
        for token, word in zip(tokens, words, strict=True)
    ]


def _short(token: AttentionToken) -> str:
    return token.text if len(token.text) <= WIDEST else f"{token.text[: WIDEST - 1]}…"


def limit(*patterns: AttentionPattern) -> float:
    """The largest value anywhere, for one colour scale that all of them share."""
    found = [np.nanmax(np.abs(one.weights)) for one in patterns if one.weights.size]
    return max([float(value) for value in found if np.isfinite(value)], default=1.0) or 1.0


def _scale(top: float, title: str, signed: bool, strength: float = 1.0) -> dict[str, Any]:
    """A colour axis from nought, or from minus the top; strength below one keeps text legible."""
    places = [i / 40 for i in range(41)]
    turned = [2 * place - 1 if signed else place for place in places]
    return {
        "cmin": -top if signed else 0,
        "cmax": top,
        "colorscale": [
            [place, faint(MORE if value >= 0 else LESS, strength * abs(value) ** RISE)]
            for place, value in zip(places, turned, strict=True)
        ],
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
    }


def overview(
    pattern: AttentionPattern,
    top: float,
    title: str,
    notes: Sequence[Sequence[str]],
    signed: bool = False,
) -> go.Figure:
    """All layers (rows) and heads (columns) as small pictures; a click on one reports its numbers.

    notes: what is said of every head on hover.  Which head is chosen is no part of the figure, so
    that it stays as it is when another one is: `frame` lies above it.
    """
    weights = _pooled(_pooled(pattern.weights, 2), 3)
    layers, heads, q, k = weights.shape
    spots = list(np.ndindex(layers, heads))
    picture = {
        "type": "heatmap",
        "z": _mosaic(weights),
        "x": _edges(heads, k),
        "y": _edges(layers, q),
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [head + (1 - GAP) / 2 for _, head in spots],
        "y": [layer + (1 - GAP) / 2 for layer, _ in spots],
        **UNSEEN,
        "customdata": [[layer, head] for layer, head in spots],
        "text": [f"layer {y + 1}, head {x + 1}<br>{text(notes[y][x])}" for y, x in spots],
        "hovertemplate": "%{text}<extra></extra>",
    }
    layout = {
        "template": TEMPLATE,
        "height": 96 + TILE * layers,
        "xaxis": _numbered(heads, "Head"),
        "yaxis": {**_numbered(layers, "Layer"), "range": [layers, -GAP]},
        "coloraxis": _scale(top, "Change" if signed else "Attention", signed),
        "title": {"text": text(title)},
        "clickmode": "event+select",
        "dragmode": False,
        "hoverdistance": -1,
        "margin": OUTSIDE,
    }
    return go.Figure({"data": [picture, marks], "layout": layout})


def _numbered(count: int, title: str) -> dict[str, Any]:
    """An axis with a number at the middle of every tile."""
    return {
        "showgrid": False,
        "showline": False,
        "ticks": "",
        "zeroline": False,
        "automargin": False,
        "range": [-GAP, count],
        "tickvals": [place + (1 - GAP) / 2 for place in range(count)],
        "ticktext": [str(place + 1) for place in range(count)],
        "title": beside.title(title),
    }


def frame(pattern: AttentionPattern, layer: int, head: int) -> dict[str, str]:
    """A frame around one tile of the overview, in CSS: its place inside the chart."""
    tiles = {"left": (pattern.heads, head), "top": (pattern.layers, layer)}
    sizes = {"left": "width", "top": "height"}
    found = {}
    for side, (count, place) in tiles.items():
        before, after = (OUTSIDE[name] for name in (("l", "r") if side == "left" else ("t", "b")))
        inside, whole = f"(100% - {before + after}px)", count + GAP
        found[side] = f"calc({before}px + {inside} * {(place + GAP * 2 / 3) / whole:.5f})"
        found[sizes[side]] = f"calc({inside} * {(1 - GAP / 3) / whole:.5f})"
    return found | {"border": f"2.5px solid {LESS}"}


def _edges(tiles: int, cells: int) -> np.ndarray:
    """Edges of the cells of a row of tiles with gaps, each tile and its gap one unit long.

    All cells are equally wide, gaps included: only such a picture is drawn as one image of as many
    pixels as there are cells, others rectangle by rectangle, which takes a browser a second.
    """
    whole = cells + _between(cells)
    return np.arange(tiles * whole - _between(cells) + 1) / whole


def _between(cells: int) -> int:
    """How many cells the gap beside a tile is wide."""
    return max(1, round(cells * GAP / (1 - GAP)))


def _pooled(weights: np.ndarray, axis: int) -> np.ndarray:
    """At most as many cells along an axis as a small picture has pixels: neighbours' strongest."""
    count = weights.shape[axis]
    together = -(-count // TILE)
    if together == 1:
        return weights
    width = [(0, 0)] * weights.ndim
    width[axis] = (0, -count % together)
    shape = list(weights.shape)
    shape[axis : axis + 1] = [-(-count // together), together]
    parts = np.pad(weights, width).reshape(shape)
    strongest = np.abs(np.nan_to_num(parts)).argmax(axis + 1)
    return np.take_along_axis(parts, np.expand_dims(strongest, axis + 1), axis + 1).squeeze(
        axis + 1
    )


def _mosaic(weights: np.ndarray) -> np.ndarray:
    """(l, h, q, k) → one picture; between two tiles lie rows or columns without values."""
    layers, heads, q, k = weights.shape
    down, across = _between(q), _between(k)
    padded = np.pad(weights, ((0, 0), (0, 0), (0, down), (0, across)), constant_values=np.nan)
    made = padded.transpose(0, 2, 1, 3).reshape(layers * (q + down), heads * (k + across))
    return made[:-down, :-across].astype(np.float32)


def overview_alt(pattern: AttentionPattern, moved: np.ndarray | None, title: str) -> str:
    """The overview in words: how many heads there are, and which moved most."""
    size = f"{title}: {pattern.layers} layers of {pattern.heads} heads"
    if moved is None:
        return f"{size}, attention of {len(pattern.queries)} queries to {len(pattern.keys)} keys."
    order = np.argsort(-moved, axis=None)[:3]
    parts = [
        f"layer {y + 1} head {x + 1} ({moved[y, x]:.2f})"
        for y, x in zip(*np.unravel_index(order, moved.shape), strict=True)
    ]
    return f"{size}. Attention that looks elsewhere now is largest in {', '.join(parts)}."


Panel = tuple[str, AttentionPattern]


def head(
    panels: Sequence[Panel],
    layer: int,
    number: int,
    top: float,
    signed: bool,
) -> go.Figure:
    """One head large, one picture for each panel on one colour scale; a click reports the query.

    Columns left of the line are learnt: prefix positions or soft tokens, not text.
    """
    several = len(panels) > 1
    rows = max(len(one.queries) for _, one in panels)
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    places = beside.domains([1] * len(panels), 0.015)
    for place, ((_, one), domain) in enumerate(zip(panels, places, strict=True)):
        values = one.weights[layer, number].astype(np.float32)
        on = {"xaxis": beside.name("x", place), "yaxis": beside.name("y", place)}
        change = signed and place + 1 == len(panels)
        data += [trace | on for trace in _cells(one, values, change)]
        axes |= _named_axes(one, place, domain, small=several)
        shapes += [beside.line(x, place, NEUTRAL, 1.5) for x in _borders(one)]
    title = f"Layer {layer + 1}, head {number + 1}"
    tokens = [token for _, one in panels for token in one.keys]
    size = 10 if several else 12
    layout = {
        "template": TEMPLATE,
        "height": max(300, 170 + (17 if several else 20) * rows),
        "showlegend": False,
        **axes,
        "shapes": shapes,
        "annotations": [
            beside.heading(name, domain)
            for (name, _), domain in zip(panels, places, strict=True)
            if several
        ],
        "coloraxis": _scale(
            top,
            "Attention" if not signed else "Attention, change" if several else "Change",
            signed,
        ),
        "title": {"text": title if several else f"{title}: {text(panels[0][0])}"},
        "clickmode": "event+select",
        "dragmode": False,
        "hoverdistance": -1 if _marked(values) else 20,
        "margin": beside.margin(
            64 if several else 44,
            beside.room([_short(t) for t in panels[0][1].queries], size),
            beside.room([_short(t) for t in tokens], size),
        ),
    }
    return go.Figure({"data": data, "layout": layout})


def _cells(one: AttentionPattern, values: np.ndarray, change: bool) -> list[dict[str, Any]]:
    """The picture, and invisible marks that carry each cell's words and take clicks."""
    cells = [(q, k) for q, k in np.ndindex(values.shape) if np.isfinite(values[q, k])]
    form = "+.4f" if change else ".4f"
    keys = [text(f"{t.text} ({i + 1})") for i, t in enumerate(one.keys)]
    queries = [text(f"{t.text} ({i + 1})") for i, t in enumerate(one.queries)]
    picture: dict[str, Any] = {
        "type": "heatmap",
        "z": values,
        "x": list(range(len(one.keys))),
        "y": list(range(len(one.queries))),
        "coloraxis": "coloraxis",
        "hoverinfo": "skip",
    }
    if not _marked(values):  # the first of each row still takes clicks; the picture has words
        picture["text"] = [[f"{query} → {key}" for key in keys] for query in queries]
        picture["hovertemplate"] = f"%{{text}}: <b>%{{z:{form}}}</b><extra></extra>"
        del picture["hoverinfo"]
        cells = [(q, k) for q, k in cells if k == 0]
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": np.array([k for _, k in cells], dtype=np.int32),
        "y": np.array([q for q, _ in cells], dtype=np.int32),
        **UNSEEN,
        "customdata": [[q, k] for q, k in cells],
        "text": [f"{queries[q]} → {keys[k]}: <b>{values[q, k]:{form}}</b>" for q, k in cells],
        "hovertemplate": "%{text}<extra></extra>",
    }
    return [picture, marks]


def _marked(values: np.ndarray) -> bool:
    """Whether every cell of a picture is a mark of its own."""
    return bool(np.isfinite(values).sum() <= CLICKABLE)


def _named_axes(
    one: AttentionPattern, number: int, domain: Sequence[float], small: bool
) -> dict[str, dict[str, Any]]:
    """Both axes of one picture, with the words of its tokens."""
    font = {"size": 10 if small else 12}
    every = -(-len(one.keys) // FITTING) if small else 1  # labels that would lie on each other
    x = beside.x_axis(
        number,
        domain,
        tickvals=list(range(0, len(one.keys), every)),
        ticktext=_ticks(one.keys)[::every],
        tickangle=-90,
        tickfont=font,
        range=[-0.5, len(one.keys) - 0.5],
        showgrid=False,
        title=beside.title("Looked at (key)"),
    )
    y = beside.y_axis(
        number,
        tickvals=list(range(len(one.queries))),
        ticktext=_ticks(one.queries),
        tickfont=font,
        range=[len(one.queries) - 0.5, -0.5],
        showgrid=False,
    )
    if not number:
        y["title"] = beside.title("Looking (query)")
    return {beside.name("xaxis", number): x, beside.name("yaxis", number): y}


def _borders(one: AttentionPattern) -> list[float]:
    """Both sides of every stretch of learnt columns."""
    learnt = [token.kind in LEARNED_KINDS for token in one.keys]
    return [place - 0.5 for place in range(1, len(learnt)) if learnt[place] != learnt[place - 1]]


def head_alt(one: AttentionPattern, layer: int, number: int, words: Sequence[str]) -> str:
    """One head in words: its size and its largest values."""
    learnt = sum(token.kind in LEARNED_KINDS for token in one.keys)
    also = f", {learnt} of them learnt positions" if learnt else ""
    return (
        f"Layer {layer + 1}, head {number + 1}: {len(one.queries)} queries, {len(one.keys)} keys"
        f"{also}. Largest values: {'; '.join(words)}."
    )


Side = Literal["before", "after", "change"]


def heads(rows: Sequence[HeadRow], side: Side, measure: str, chosen: tuple[int, int]) -> go.Figure:
    """One number for each head as a shaded table; a click on a cell reports the head."""
    known = MEASURES[measure]
    layers, count = max(r.layer for r in rows) + 1, max(r.head for r in rows) + 1
    values = np.full((layers, count), np.nan)
    words = {}
    for row in rows:
        found = getattr(row, side)
        if found.mean is not None:
            values[row.layer, row.head] = found.mean
        words[row.layer, row.head] = _limits(found, side == "change", known.unit)
    signed = side == "change"
    top = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    top = top or 1.0
    figure = go.Figure(layout={"template": TEMPLATE, "height": 150 + 46 * layers})
    figure.add_heatmap(
        z=values,
        x=list(range(count)),
        y=list(range(layers)),
        coloraxis="coloraxis",
        hoverinfo="skip",
        xgap=2,
        ygap=2,
    )
    spots = list(words)
    form = "+.2f" if signed else ".2f"
    figure.add_scatter(
        x=[head for _, head in spots],
        y=[layer for layer, _ in spots],
        mode="markers+text",
        marker={"size": 34, "symbol": "square", "color": faint(MORE, 0.004)},
        selected={"marker": {"opacity": 0.01}},
        unselected={"marker": {"opacity": 0.01}, "textfont": {"color": None}},
        text=[f"{values[at]:{form}}" if np.isfinite(values[at]) else "–" for at in spots],
        customdata=[[*at, words[at]] for at in spots],
        hovertemplate="layer %{y}, head %{x}<br>%{customdata[2]}<extra></extra>",
    )
    layer, number = chosen
    figure.add_shape(
        type="rect",
        x0=number - 0.5,
        x1=number + 0.5,
        y0=layer - 0.5,
        y1=layer + 0.5,
        line={"color": LESS, "width": 2.5},
    )
    axis: dict[str, Any] = {"showgrid": False, "ticks": ""}
    numbers = [list(range(length)) for length in (count, layers)]
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
        coloraxis=_scale(top, known.unit, signed, strength=0.55),
        title={"text": f"{known.title} ({known.unit}), {side}"},
        clickmode="event+select",
        dragmode=False,
    )
    return figure


def _limits(found: Any, signed: bool, unit: str) -> str:
    """A mean with its limits over seeds in words."""
    if found.mean is None:
        return "not measured"
    form = "+.3f" if signed else ".3f"
    mean = f"{found.mean:{form}} {unit}"
    if found.low is None:
        return f"{mean}, one seed"
    return f"{mean}, 95 % interval {found.low:{form}} to {found.high:{form}}, {found.n} seeds"


def heads_alt(rows: Sequence[HeadRow], side: Side, measure: str) -> str:
    """The table of heads in words: its extremes."""
    known = MEASURES[measure]
    means = [(getattr(r, side).mean, r) for r in rows if getattr(r, side).mean is not None]
    if not means:
        return f"{known.title} by head, {side}: not measured."
    low, high = (pick(means, key=lambda pair: pair[0]) for pick in (min, max))
    parts = [
        f"{word} {value:.3f} in layer {row.layer + 1}, head {row.head + 1}"
        for word, (value, row) in (("smallest", low), ("largest", high))
    ]
    return f"{known.title} ({known.unit}) by layer and head, {side}: {', '.join(parts)}."


def steps(walk: QueryTrace, title: str) -> go.Figure:
    """How one query's weights came about: products, scores, powers and weights, key by key."""
    names = _ticks(walk.keys)
    places = list(range(len(names)))
    columns = ["Query × key, element by element", "Score", "e^(score − largest)", "Weight"]
    figure = make_subplots(
        1,
        4,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        column_widths=[0.4, 0.2, 0.2, 0.2],
        subplot_titles=columns,
    )
    height = max(300, 150 + 19 * len(names))
    figure.update_layout(template=TEMPLATE, height=height, showlegend=False)
    top = float(np.abs(walk.products).max()) or 1.0
    full = [text(f"{t.text} ({i + 1})") for i, t in enumerate(walk.keys)]
    figure.add_heatmap(
        z=walk.products.astype(np.float32),
        y=places,
        coloraxis="coloraxis",
        customdata=np.array([full] * walk.products.shape[1]).T,
        hovertemplate="%{customdata}, element %{x}: %{z:.3f}<extra></extra>",
        row=1,
        col=1,
    )
    scores = walk.scaled + walk.added
    reached = np.isfinite(scores)
    bars: Sequence[np.ndarray] = (np.where(reached, scores, np.nan), walk.powers, walk.weights)
    colours = [
        NEUTRAL if not seen else LESS if token.kind in LEARNED_KINDS else MORE
        for token, seen in zip(walk.keys, reached, strict=True)
    ]
    for column, values in enumerate(bars, 2):
        figure.add_bar(
            x=values,
            y=places,
            orientation="h",
            marker={"color": colours},
            customdata=full,
            hovertemplate="%{customdata}: %{x:.4f}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_yaxes(
        tickvals=places, ticktext=names, range=[len(names) - 0.5, -0.5], showgrid=False
    )
    figure.update_yaxes(title_text="Looked at (key)", row=1, col=1)
    for column, name in enumerate(("Element of the head", "Score", "Power of e", "Share"), 1):
        figure.update_xaxes(title_text=name, row=1, col=column)
    figure.update_layout(
        coloraxis={**_scale(top, "Product", True), "showscale": False},
        title={"text": text(title)},
        margin={"t": 76},
        bargap=0.25,
    )
    return figure


def steps_alt(walk: QueryTrace) -> str:
    """The steps in words: where the query looks most, and why."""
    order = np.argsort(-walk.weights)[:3]
    parts = [
        f"{walk.keys[i].text} ({i + 1}): product {walk.dots[i]:.2f}, scaled {walk.scaled[i]:.2f}, "
        f"added {walk.added[i]:.2f}, weight {walk.weights[i]:.3f}"
        for i in order
    ]
    return f"From {walk.query.text} to its strongest keys. {'; '.join(parts)}."
