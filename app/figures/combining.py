"""The line between two runs or the triangle of three: losses of all tasks, and the prediction."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import NEUTRAL, TEMPLATE, plotly_text, with_opacity
from peftcore.analysis import simplex

CORNERS = ("First", "Second", "Third")
COLOURS = ("#D55E00", "#0072B2")  # first run, second run


def line_figure(losses: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Loss of each run's task by the share of the second run: means over seeds, seeds thin.

    losses: columns seed, run, share, loss; titles: run → what its task is called.
    """
    figure = go.Figure(layout={"template": TEMPLATE, "height": 430})
    for (run, title), colour in zip(titles.items(), COLOURS, strict=True):
        own = losses[losses["run"] == run]
        for seed, line in own.groupby("seed"):
            figure.add_scatter(
                x=line["share"],
                y=line["loss"],
                mode="lines",
                line={"color": with_opacity(colour, 0.35), "width": 1},
                showlegend=False,
                hovertemplate=f"seed {seed}: %{{y:.3f}}<extra></extra>",
            )
        mean = own.groupby("share")["loss"].mean()
        figure.add_scatter(
            x=mean.index,
            y=mean.to_numpy(),
            mode="lines+markers",
            line={"color": colour, "width": 3},
            name=plotly_text(title),
            hovertemplate="%{x:.0%}: mean %{y:.3f}<extra></extra>",
        )
    figure.add_vline(x=0.5, line={"color": NEUTRAL, "dash": "dash", "width": 1})
    figure.update_xaxes(title_text="Share of the second run", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="Loss on validation examples", rangemode="tozero")
    figure.update_layout(margin={"t": 20, "b": 110})
    return figure


def line_alt(losses: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The line in words: each task's loss at both ends and half-way."""
    parts = []
    for run, title in titles.items():
        mean = losses[losses["run"] == run].groupby("share")["loss"].mean()
        middle = mean.iloc[(abs(mean.index - 0.5)).argmin()]
        parts.append(f"{title} {mean.iloc[0]:.2f}, half-way {middle:.2f}, {mean.iloc[-1]:.2f}")
    return f"Loss by the share of the second run, from its first to its last: {'; '.join(parts)}"


def triangle_points(means: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return the points of a triangle of three runs as `landscape.surface_map` draws them.

    means: as `point_means`, the shares in the first three columns; value: the run whose task's loss
    is shown, or `sum`.
    """
    weights = means.iloc[:, :3].to_numpy()
    x, y = simplex.triangle_coords(weights).T
    corner = weights.argmax(1)
    marks = [
        CORNERS[place] if row[place] == 1 else ""
        for place, row in zip(corner, weights, strict=True)
    ]
    return pd.DataFrame({"x": x, "y": y, "t": 0.0, "line": "", "mark": marks, "loss": means[value]})


def prediction_dots(predictions: pd.DataFrame) -> go.Figure:
    """Each site's changes: their cosine, and the share of strong entries whose signs differ."""
    means = predictions.groupby(["component", "path"], sort=False)[["cosine", "conflicts"]].mean()
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340, "showlegend": False})
    figure.add_scatter(
        x=means["cosine"],
        y=means["conflicts"],
        mode="markers",
        marker={"size": 9, "color": COLOURS[1]},
        customdata=[plotly_text(f"{component} {path}") for component, path in means.index],
        hovertemplate="%{customdata}<br>cosine %{x:.3f}, other signs %{y:.1%}<extra></extra>",
    )
    figure.add_hline(y=0.5, line={"color": NEUTRAL, "dash": "dash", "width": 1})
    figure.add_vline(x=0, line={"color": NEUTRAL, "width": 1})
    reach = max(0.1, 1.1 * float(means["cosine"].abs().max()))
    figure.update_xaxes(title_text="Cosine of both changes", range=[-reach, reach])
    figure.update_yaxes(title_text="Other signs among strong entries", range=[0, 1])
    figure.update_layout(margin={"t": 20})
    return figure


def prediction_alt(predictions: pd.DataFrame) -> str:
    """The dots in words."""
    return (
        f"Cosine of both changes by site, mean {predictions['cosine'].mean():.3f}; other signs "
        f"among strong entries, mean {predictions['conflicts'].mean():.2f}; half is chance"
    )
