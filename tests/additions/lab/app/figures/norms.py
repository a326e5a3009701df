"""Norms of an adapter's tensors as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, plotly_text


def norm_bars(norms: Mapping[str, Sequence[float]]) -> go.Figure:
    """Draw the mean norm over seeds of every tensor."""
    names = [plotly_text(name) for name in norms]
    means = [sum(values) / len(values) for values in norms.values()]
    figure = go.Figure(go.Bar(x=names, y=means), layout={"template": TEMPLATE, "height": 400})
    figure.update_xaxes(title_text="Tensor")
    figure.update_yaxes(title_text="Norm, mean over seeds")
    return figure
