"""What a prefix did to one head: its share, the pattern before and after, the bias, the errors.

Values come from `peftcore.analysis.limits`.  Positions are numbers with words for labels, so that a
repeated word keeps its own column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as beside
from app.theme import NEUTRAL, TEMPLATE, Look, faint, text
from peftcore.analysis.limits import ROUNDING_TOLERANCE, USED_SHARE, LayerComparison

PREFIX, CONTENT, OLD = "#009E73", "#0072B2", "#D55E00"
WIDEST = 12  # characters of a word beside an axis
SIZE = 13  # of the words beside an axis
FLOOR = 1e-17  # where an error of exactly nought stands on a logarithmic axis


def _ticks(words: Sequence[str]) -> list[str]:
    return [text(word) for word in _short(words)]


def _short(words: Sequence[str]) -> list[str]:
    return [word if len(word) <= WIDEST else f"{word[: WIDEST - 1]}…" for word in words]


def share(found: LayerComparison, head: int, queries: Sequence[str]) -> go.Figure:
    """Attention that each query of a head gives to the prefix; the whole layer as small dots."""
    places = list(range(len(queries)))
    figure = go.Figure(layout={"template": TEMPLATE, "height": 320})
    figure.add_bar(
        x=places,
        y=found.share[head],
        marker={"color": PREFIX},
        name=f"head {head + 1}",
        customdata=[text(word) for word in queries],
        hovertemplate="%{customdata}: %{y:.3f}<extra></extra>",
    )
    others = [n for n in range(len(found.share)) if n != head]
    figure.add_scatter(
        x=[place for _ in others for place in places],
        y=[value for other in others for value in found.share[other]],
        mode="markers",
        marker={"size": 4, "color": NEUTRAL},
        name="the other heads",
        customdata=[[other + 1, text(word)] for other in others for word in queries],
        hovertemplate="head %{customdata[0]}, %{customdata[1]}: %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="Query", tickvals=places, ticktext=_ticks(queries))
    figure.update_yaxes(title_text="Prefix share", range=[0, 1])
    mean = found.share[head].mean()
    figure.update_layout(
        title={"text": f"The prefix takes {mean:.0%} of head {head + 1}'s attention on average"}
    )
    return figure


def share_alt(found: LayerComparison, head: int) -> str:
    """The chart of shares in words."""
    mine = found.share[head]
    return (
        f"Share of attention on the prefix for each query of head {head + 1}: "
        f"mean {mine.mean():.2f}, from {mine.min():.2f} to {mine.max():.2f}"
    )


def patterns(
    found: LayerComparison, head: int, queries: Sequence[str], keys: Sequence[str], worn: str
) -> go.Figure:
    """Content attention before, with the adapter, and renormalised; one colour scale for all.

    Prefix positions are columns of their own, at the left of the second picture.
    """
    p, k = found.length, len(keys)
    titles = ["Before", worn, "With it, renormalised" if p else "Difference"]
    third = found.renormalised[head] if p else found.renormalised[head] - found.before[head]
    pieces = [(found.before[head], 0), (found.adapted.weights[head], p), (third, 0)]
    places = beside.domains([k, k + p, k], 0.03)
    data: list[dict[str, Any]] = []
    axes: dict[str, dict[str, Any]] = {}
    for number, ((values, shift), domain) in enumerate(zip(pieces, places, strict=True)):
        data.append(
            {
                "type": "heatmap",
                "z": values.astype(np.float32),
                "x": list(range(-shift, k)),
                "y": list(range(len(queries))),
                "xaxis": beside.name("x", number),
                "yaxis": beside.name("y", number),
                "coloraxis": "coloraxis2" if number == 2 and not p else "coloraxis",
                "customdata": _words(queries, [f"P{n + 1}" for n in range(shift)] + list(keys)),
                "hovertemplate": "%{customdata}: %{z:.4f}<extra></extra>",
            }
        )
        axes[beside.name("xaxis", number)] = beside.x_axis(
            number,
            domain,
            tickvals=list(range(-shift, k)),
            ticktext=[f"<i>P{n + 1}</i>" for n in range(shift)] + _ticks(keys),
            tickangle=-90,
            range=[-shift - 0.5, k - 0.5],
            showgrid=False,
            title=beside.title("Key"),
        )
        axes[beside.name("yaxis", number)] = beside.y_axis(
            number,
            tickvals=list(range(len(queries))),
            ticktext=_ticks(queries),
            range=[len(queries) - 0.5, -0.5],
            showgrid=False,
        )
    axes["yaxis"]["title"] = beside.title("Query")
    layout = {
        "template": TEMPLATE,
        "height": max(340, min(760, 150 + 20 * len(queries))),
        **axes,
        "annotations": [
            beside.heading(words, domain) for words, domain in zip(titles, places, strict=True)
        ],
        "shapes": [beside.line(-0.5, 1, PREFIX, 2)] if p else [],
        "margin": beside.margin(
            40, beside.room(_short(queries), SIZE), beside.room(_short(keys), SIZE)
        ),
        "coloraxis": {
            "cmin": 0,
            "cmax": 1,
            "colorscale": [[0, faint(CONTENT, 0)], [1, CONTENT]],
            "colorbar": {"title": {"text": "Attention", "side": "right"}, "thickness": 12},
        },
        "coloraxis2": {
            "cmin": -1,
            "cmax": 1,
            "colorscale": [[0, OLD], [0.5, faint(OLD, 0)], [0.5, faint(CONTENT, 0)], [1, CONTENT]],
            "showscale": False,
        },
    }
    return go.Figure({"data": data, "layout": layout})


def _words(queries: Sequence[str], keys: Sequence[str]) -> list[list[str]]:
    return [[f"{text(query)} looks at {text(key)}" for key in keys] for query in queries]


def patterns_alt(found: LayerComparison, head: int) -> str:
    """The patterns in words."""
    here = found.summarize_head(head)
    return (
        f"Attention among the content before and after, head {head + 1}: "
        f"renormalised patterns differ by at most {here.content_drift:.1e}; "
        f"{here.swapped:.1%} of pairs of positions changed their order"
    )


def patterns_table(
    found: LayerComparison, head: int, queries: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    """Every weight of a head among the content, before, after and renormalised."""
    q, k = found.before[head].shape
    rows, columns = np.divmod(np.arange(q * k), k)
    return pd.DataFrame(
        {
            "query": [f"{row}: {queries[row]}" for row in rows],
            "key": [f"{column}: {keys[column]}" for column in columns],
            "before": found.before[head].ravel(),
            "after": found.after[head].ravel(),
            "renormalised": found.renormalised[head].ravel(),
        }
    )


def bias(found: LayerComparison, head: int, queries: Sequence[str]) -> go.Figure:
    """Outputs of all positions in a plane: old ones shrink, then all move by the bias."""
    shown = found.projection(head)
    names = [text(word) for word in queries]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    moves = np.stack([shown.scaled, shown.after, np.full_like(shown.after, np.nan)], 1)
    figure.add_scatter(
        x=moves[..., 0].ravel(),
        y=moves[..., 1].ravel(),
        mode="lines",
        line={"color": faint(PREFIX, 0.7), "width": 1.5},
        hoverinfo="skip",
        name="bias",
    )
    drawn = (
        ("before", shown.before, OLD, "circle-open"),
        ("scaled by 1 − share", shown.scaled, NEUTRAL, "circle"),
        ("with the adapter", shown.after, CONTENT, "diamond"),
    )
    for name, points, colour, symbol in drawn:
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 8},
            name=name,
            customdata=names,
            hovertemplate="%{customdata}: %{x:.3f}, %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title_text="Main direction of the bias")
    figure.update_yaxes(title_text="Main direction of the old outputs besides")
    figure.update_layout(title={"text": f"{shown.across:.1%} of the bias lies along one direction"})
    return figure


def bias_alt(found: LayerComparison, head: int) -> str:
    """The projection in words."""
    here = found.summarize_head(head)
    return (
        f"Outputs of head {head + 1} in a plane, before and after: the bias has a mean length of "
        f"{here.bias_norm:.3g} and uses {here.used} directions for 99 % of its squared length"
    )


def directions(found: LayerComparison, head: int) -> go.Figure:
    """Share of the bias that each direction carries; the theory allows `room` of them."""
    squares = found.singular_values(head) ** 2
    part = squares / squares.sum() if squares.sum() else squares
    room = found.allowed_dimensions(head)
    colours = [PREFIX if n < room else NEUTRAL for n in range(len(part))]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    figure.add_bar(
        x=list(range(1, len(part) + 1)),
        y=100 * part,
        marker={"color": colours},
        customdata=found.singular_values(head),
        hovertemplate="direction %{x}: %{y:.2f} %, singular value %{customdata:.3g}<extra></extra>",
    )
    if room:
        figure.add_vline(x=room + 0.5, line={"color": PREFIX, "dash": "dash"})
    figure.update_xaxes(title_text="Direction, by singular value", dtick=1 if len(part) < 20 else 5)
    figure.update_yaxes(title_text="Share of the bias's squared length (%)", range=[0, 103])
    used = found.used_dimensions(head)
    count = f"{used} of {room} directions carry" if room else f"{used} directions carry"
    figure.update_layout(title={"text": f"{count} {USED_SHARE:.0%}"})
    return figure


def directions_alt(found: LayerComparison, head: int) -> str:
    """The bar chart of directions in words."""
    return (
        f"Directions of the bias of head {head + 1}: {found.used_dimensions(head)} carry 99 %, "
        f"{found.rank(head)} are above rounding, the prefix values span "
        f"{found.allowed_dimensions(head)}"
    )


def distances(table: pd.DataFrame, looks: Mapping[str, Look]) -> go.Figure:
    """Largest change of a renormalised pattern in every layer of every run, on one scale.

    table: run, layer (its name), drift.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "height": 380})
    for run, rows in table.groupby("run", sort=False):
        look = looks[str(run)]
        figure.add_scatter(
            x=rows["layer"],
            y=rows["drift"].clip(lower=FLOOR),
            mode="lines+markers",
            line={"color": look.colour, "dash": look.dash, "width": 1.5},
            marker={"color": look.colour, "symbol": look.symbol, "size": 9},
            name=text(look.name),
            hovertemplate="%{x}: %{y:.2e}<extra>%{fullData.name}</extra>",
        )
    figure.add_hline(y=ROUNDING_TOLERANCE, line={"color": NEUTRAL, "dash": "dash"})
    figure.add_annotation(
        text="rounding in single precision",
        x=1,
        xref="paper",
        y=float(
            np.log10(ROUNDING_TOLERANCE)
        ),  # annotations on a logarithmic axis are placed by exponents
        yanchor="bottom",
        showarrow=False,
        font={"size": 11},
    )
    figure.update_xaxes(title_text="Attention layer", type="category")
    lowest = np.log10(table["drift"].clip(lower=FLOOR).min())
    figure.update_yaxes(
        title_text="Largest change of the pattern",
        type="log",
        exponentformat="e",
        dtick=2,
        range=[min(lowest - 0.5, -8), 0.3],  # up to 1, the most that weights can change
    )
    figure.update_layout(title={"text": "How far content attention is from the base's"})
    return figure


def distances_alt(table: pd.DataFrame, looks: Mapping[str, Look]) -> str:
    """The distances in words."""
    words = [
        f"{looks[str(run)].name}: {rows['drift'].min():.1e} to {rows['drift'].max():.1e}"
        for run, rows in table.groupby("run", sort=False)
    ]
    return "Largest change of content attention over the layers. " + "; ".join(words)
