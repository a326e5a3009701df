"""What a split's examples look like: how many of each label, and how long the texts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures import theme

BINS = 24


def label_shares_chart(labels: Mapping[str, Sequence[str]]) -> go.Figure:
    """Share of each label, a group of bars per split; `labels` is split → the examples' labels."""
    figure = go.Figure(layout={"template": theme.TEMPLATE, "height": 300, "barmode": "group"})
    names = sorted({label for split_labels in labels.values() for label in split_labels})
    for (split, split_labels), colour in zip(labels.items(), _colours(), strict=False):
        counts = Counter(split_labels)
        figure.add_bar(
            name=f"{theme.plotly_text(split)} (n = {len(split_labels):,})",
            x=list(range(len(names))),
            y=[counts[name] / max(1, len(split_labels)) for name in names],
            customdata=[counts[name] for name in names],
            marker_color=colour,
            hovertemplate="%{customdata:,} examples, %{y:.1%}<extra>"
            + theme.plotly_text(split)
            + "</extra>",
        )
    figure.update_xaxes(
        title_text="Label",
        tickvals=list(range(len(names))),
        ticktext=list(map(theme.plotly_text, names)),
    )
    figure.update_yaxes(title_text="Share of examples", tickformat=".0%", rangemode="tozero")
    return figure.update_layout(title={"text": "Share of each label", "x": 0})


def length_histograms(texts: Mapping[str, Sequence[int]], unit: str, title: str) -> go.Figure:
    """Histograms of lengths over one another; `texts` is what is measured → length of each."""
    figure = go.Figure(layout={"template": theme.TEMPLATE, "height": 300, "barmode": "overlay"})
    top = max((max(values, default=1) for values in texts.values()), default=1)
    width = max(1, -(-(top + 1) // BINS))  # whole numbers only, so that no bin is empty by rounding
    edges = np.arange(0, top + 1 + width, width)
    for (name, values), colour in zip(texts.items(), _colours(), strict=False):
        counts, _ = np.histogram(values, bins=edges)
        median = np.median(values) if len(values) else 0
        figure.add_bar(
            name=f"{theme.plotly_text(name)} (median {median:g})",
            x=edges[:-1] + (width - 1) / 2,
            y=counts,
            width=width,
            marker_color=colour,
            opacity=0.65,
            customdata=[_bin_text(int(edge), width) for edge in edges[:-1]],
            hovertemplate=f"%{{customdata}} {unit}: %{{y:,}} examples"
            f"<extra>{theme.plotly_text(name)}</extra>",
        )
    figure.update_xaxes(title_text=f"Length ({unit})")
    figure.update_yaxes(title_text="Examples", rangemode="tozero")
    return figure.update_layout(title={"text": theme.plotly_text(title), "x": 0})


def _bin_text(start: int, width: int) -> str:
    return str(start) if width == 1 else f"{start} to {start + width - 1}"


def _colours() -> tuple[str, ...]:
    return ("#0072B2", "#D55E00", "#6E7681")
