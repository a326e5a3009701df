"""What a prefix did to one head: its share, the pattern before and after, the bias, the errors.

Values come from `peftcore.analysis.limits`.  Positions are numbers with words for labels, so that a
repeated word keeps its own column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as panel_layout
from app.figures.rows import wrap_title
from app.figures.scales import colour_limit
from app.figures.theme import NEUTRAL, TEMPLATE, RunStyle, plotly_text, with_opacity
from peftcore.analysis.limits import ROUNDING_TOLERANCE, USED_SHARE, LayerComparison

PREFIX_COLOUR, CONTENT_COLOUR, OLD_COLOUR = panel_layout.PREFIX_COLOUR, "#0072B2", "#D55E00"
TITLE_CHARACTERS = 12  # of a picture's title on one line, so that three fit on a phone
LABEL_SIZE = 11  # of the words beside an axis
SMALLEST_ERROR = 1e-17  # where an error of exactly zero stands on a logarithmic axis


def _axis_labels(words: Sequence[str]) -> list[str]:
    return [plotly_text(panel_layout.shortened(word)) for word in words]


def prefix_share_bars(comparison: LayerComparison, head: int, queries: Sequence[str]) -> go.Figure:
    """Attention that each query of a head gives to the prefix; the whole layer as small dots."""
    positions = list(range(len(queries)))
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    figure.add_bar(
        x=positions,
        y=comparison.share[head],
        marker={"color": PREFIX_COLOUR},
        name=f"head {head + 1}",
        customdata=[plotly_text(word) for word in queries],
        hovertemplate="%{customdata}: %{y:.3f}<extra></extra>",
    )
    others = [n for n in range(len(comparison.share)) if n != head]
    figure.add_scatter(
        x=[position for _ in others for position in positions],
        y=[value for other in others for value in comparison.share[other]],
        mode="markers",
        marker={"size": 4, "color": NEUTRAL},
        name="the other heads",
        customdata=[[other + 1, plotly_text(word)] for other in others for word in queries],
        hovertemplate="head %{customdata[0]}, %{customdata[1]}: %{y:.3f}<extra></extra>",
    )
    step = -(-len(queries) // panel_layout.MAX_QUERY_LABELS)
    figure.update_xaxes(
        title_text="Query",
        tickvals=positions[::step],
        ticktext=_axis_labels(queries)[::step],
        tickangle=-90 if len(queries) > panel_layout.MAX_NUMBERS else None,
    )
    largest = float(comparison.share.max(initial=0))
    figure.update_yaxes(title_text="Prefix share", range=[0, min(1, max(1.08 * largest, 0.01))])
    mean = comparison.share[head].mean()
    figure.update_layout(
        title={"text": f"The prefix takes {mean:.0%} of head {head + 1}'s attention on average"}
    )
    return figure


def prefix_share_alt(comparison: LayerComparison, head: int) -> str:
    """The chart of shares in words."""
    head_share = comparison.share[head]
    return (
        f"Share of attention on the prefix for each query of head {head + 1}: "
        f"mean {head_share.mean():.2f}, from {head_share.min():.2f} to {head_share.max():.2f}"
    )


def pattern_heatmaps(
    comparison: LayerComparison,
    head: int,
    queries: Sequence[str],
    keys: Sequence[str],
    adapted_title: str,
) -> go.Figure:
    """Content attention before, with the adapter, and renormalised; one colour scale for all.

    Prefix positions are columns of their own, at the left of the second picture.
    """
    p = comparison.length
    before, renormalised = comparison.before[head], comparison.renormalised[head]
    # Where only rounding is left it is not to look like a pattern.
    change = max(colour_limit(renormalised - before).top, 10 * ROUNDING_TOLERANCE)
    adapted = comparison.adapted.weights[head]
    panels = [
        panel_layout.AttentionPanel("Before", before, queries, keys),
        panel_layout.AttentionPanel(adapted_title, adapted, queries, keys, p),
        panel_layout.AttentionPanel("Renormalised", renormalised, queries, keys)
        if p
        else panel_layout.AttentionPanel(
            f"Difference, to ±{change:.2g}",
            renormalised - before,
            queries,
            keys,
            colour_axis="coloraxis2",
        ),
    ]
    figure = panel_layout.attention_figure(panels, 0.02)
    for number in range(len(panels)):  # one title below all
        if number != 1:
            figure["layout"][panel_layout.axis_name("xaxis", number)]["title"] = {"text": ""}
        for axis in ("xaxis", "yaxis"):
            figure["layout"][panel_layout.axis_name(axis, number)]["tickfont"] = {
                "size": LABEL_SIZE
            }
    for heading, panel in zip(figure["layout"]["annotations"], panels, strict=True):
        heading["text"] = wrap_title(panel.title, TITLE_CHARACTERS)
    figure["layout"] |= {
        "height": max(340, min(430, 150 + 16 * len(queries))),
        "shapes": [panel_layout.vertical_line(-0.5, 1, PREFIX_COLOUR, 2)] if p else [],
        "margin": panel_layout.fixed_margin(
            60,
            panel_layout.label_width([panel_layout.shortened(q) for q in queries], LABEL_SIZE),
            panel_layout.label_width([panel_layout.shortened(k) for k in keys], LABEL_SIZE),
        ),
        "coloraxis2": {
            "cmin": -change,
            "cmax": change,
            "showscale": False,
        },
    }
    return go.Figure(figure)


def pattern_heatmaps_alt(comparison: LayerComparison, head: int) -> str:
    """The patterns in words."""
    summary = comparison.summarize_head(head)
    return (
        f"Attention among the content before and after, head {head + 1}: "
        f"renormalised patterns differ by at most {summary.content_drift:.1e}; "
        f"{summary.swapped:.1%} of pairs of positions changed their order"
    )


def pattern_table(
    comparison: LayerComparison, head: int, queries: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    """Every weight of a head among the content, before, after and renormalised."""
    q, k = comparison.before[head].shape
    rows, columns = np.divmod(np.arange(q * k), k)
    return pd.DataFrame(
        {
            "query": [f"{row}: {queries[row]}" for row in rows],
            "key": [f"{column}: {keys[column]}" for column in columns],
            "before": comparison.before[head].ravel(),
            "after": comparison.after[head].ravel(),
            "renormalised": comparison.renormalised[head].ravel(),
        }
    )


def bias_plane(comparison: LayerComparison, head: int, queries: Sequence[str]) -> go.Figure:
    """Outputs of all positions in a plane: old ones shrink, then all move by the bias."""
    projection = comparison.projection(head)
    names = [plotly_text(word) for word in queries]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    moves = np.stack(
        [projection.scaled, projection.after, np.full_like(projection.after, np.nan)], 1
    )
    figure.add_scatter(
        x=moves[..., 0].ravel(),
        y=moves[..., 1].ravel(),
        mode="lines",
        line={"color": with_opacity(PREFIX_COLOUR, 0.7), "width": 1.5},
        hoverinfo="skip",
        name="bias",
    )
    point_sets = (
        ("before", projection.before, OLD_COLOUR, "circle-open"),
        ("scaled by 1 − share", projection.scaled, NEUTRAL, "circle"),
        ("with the adapter", projection.after, CONTENT_COLOUR, "diamond"),
    )
    for name, points, colour, symbol in point_sets:
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
    figure.update_yaxes(title_text="Old outputs, main direction")
    figure.update_layout(
        title={"text": f"{projection.across:.1%} of the bias lies along one direction"}
    )
    return figure


def bias_plane_alt(comparison: LayerComparison, head: int) -> str:
    """The projection in words."""
    summary = comparison.summarize_head(head)
    return (
        f"Outputs of head {head + 1} in a plane, before and after: the bias has a mean length of "
        f"{summary.bias_norm:.3g} and uses {summary.used} directions for 99 % of its squared length"
    )


def bias_direction_bars(comparison: LayerComparison, head: int) -> go.Figure:
    """Share of the bias that each direction carries; the theory allows `room` of them."""
    squares = comparison.singular_values(head) ** 2
    shares = squares / squares.sum() if squares.sum() else squares
    allowed = comparison.allowed_dimensions(head)
    colours = [PREFIX_COLOUR if n < allowed else NEUTRAL for n in range(len(shares))]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    figure.add_bar(
        x=list(range(1, len(shares) + 1)),
        y=100 * shares,
        marker={"color": colours},
        customdata=comparison.singular_values(head),
        hovertemplate="direction %{x}: %{y:.2f} %, singular value %{customdata:.3g}<extra></extra>",
    )
    if allowed:
        figure.add_vline(x=allowed + 0.5, line={"color": PREFIX_COLOUR, "dash": "dash"})
    figure.update_xaxes(
        title_text="Direction, by singular value", dtick=1 if len(shares) < 20 else 5
    )
    figure.update_yaxes(title_text="Share of the bias's squared length (%)", range=[0, 103])
    used = comparison.used_dimensions(head)
    count = f"{used} of {allowed} directions carry" if allowed else f"{used} directions carry"
    figure.update_layout(title={"text": f"{count} {USED_SHARE:.0%}"})
    return figure


def bias_direction_alt(comparison: LayerComparison, head: int) -> str:
    """The bar chart of directions in words."""
    return (
        f"Directions of the bias of head {head + 1}: {comparison.used_dimensions(head)} carry 99 "
        "%, "
        f"{comparison.rank(head)} are above rounding, the prefix values span "
        f"{comparison.allowed_dimensions(head)}"
    )


def layer_distances_chart(table: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """Largest change of a renormalised pattern in every layer of every run, on one scale.

    table: run, layer (its name), drift.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "height": 440})
    names = list(dict.fromkeys(table["layer"]))
    for run, rows in table.groupby("run", sort=False):
        style = styles[str(run)]
        figure.add_scatter(
            x=[names.index(name) for name in rows["layer"]],
            y=rows["drift"].clip(lower=SMALLEST_ERROR),
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash, "width": 1.5},
            marker={"color": style.colour, "symbol": style.symbol, "size": 9},
            name=plotly_text(style.name),
            customdata=[plotly_text(name) for name in rows["layer"]],
            hovertemplate="%{customdata}: %{y:.2e}<extra>%{fullData.name}</extra>",
        )
    figure.add_hline(y=ROUNDING_TOLERANCE, line={"color": NEUTRAL, "dash": "dash"})
    figure.add_annotation(
        text="rounding in single precision",
        x=1,
        xref="paper",
        y=float(np.log10(ROUNDING_TOLERANCE)),  # a logarithmic axis places texts by exponents
        yanchor="bottom",
        showarrow=False,
        font={"size": 11},
    )
    figure.update_xaxes(**panel_layout.layer_ticks(names))
    lowest = np.log10(table["drift"].clip(lower=SMALLEST_ERROR).min())
    figure.update_yaxes(
        title_text="Largest change of the pattern",
        type="log",
        exponentformat="e",
        dtick=2,
        range=[min(lowest - 0.5, -8), 0.3],  # up to 1, the most that weights can change
    )
    figure.update_layout(title={"text": "How far content attention is from the base's"})
    return figure


def layer_distances_alt(table: pd.DataFrame, styles: Mapping[str, RunStyle]) -> str:
    """The distances in words."""
    words = [
        f"{styles[str(run)].name}: {rows['drift'].min():.1e} to {rows['drift'].max():.1e}"
        for run, rows in table.groupby("run", sort=False)
    ]
    return "Largest change of content attention over the layers. " + "; ".join(words)
