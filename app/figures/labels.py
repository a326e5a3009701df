"""What was answered to which label: a table of counts, shaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, plotly_text, with_opacity

UNREADABLE = "not readable"


def confusion_heatmap(counts: pd.DataFrame, name: str, colour: str) -> go.Figure:
    """Gold labels as rows, answers as columns, shares of each row as shade; numbers are counts."""
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    layout = {"template": TEMPLATE, "height": 130 + 44 * len(counts), "showlegend": False}
    figure = go.Figure(layout=layout)
    figure.add_heatmap(
        z=shares.to_numpy(),
        x=list(range(counts.shape[1])),
        y=list(range(counts.shape[0])),
        text=counts.to_numpy(),
        zmin=0,
        zmax=1,
        colorscale=[[0, with_opacity(colour, 0.04)], [1, with_opacity(colour, 0.65)]],
        showscale=False,
        hovertemplate="%{text} answers, share of the gold label %{z:.2f}<extra></extra>",
    )
    rows, columns = zip(*np.ndindex(counts.shape), strict=True)
    figure.add_scatter(  # numbers in the page's own text colour, to be read on light and dark
        x=columns, y=rows, mode="text", text=counts.to_numpy().ravel(), hoverinfo="skip"
    )
    for axis, labels, title in (
        (figure.update_xaxes, counts.columns, "Answer"),
        (figure.update_yaxes, counts.index, "Gold label"),
    ):
        ticks = [plotly_text(label) for label in labels]
        axis(tickvals=list(range(len(labels))), ticktext=ticks, title_text=title, showgrid=False)
    figure.update_xaxes(tickangle=-30)  # leaning left, so that the last name stays on the picture
    figure.update_yaxes(autorange="reversed")
    total = int(counts.to_numpy().sum())
    title = f"{plotly_text(name)}, {total} answers"
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def confusion_heatmap_alt(counts: pd.DataFrame, name: str) -> str:
    """The matrix in words: how many of each gold label were answered rightly."""
    parts = [
        f"{label}: {counts.loc[label, label] if label in counts.columns else 0}"
        f" of {counts.loc[label].sum()} right"
        for label in counts.index
    ]
    return f"Answers by gold label, {name}. {'; '.join(parts)}."


def confusion_counts(answers: pd.DataFrame, label_names: Sequence[str]) -> pd.DataFrame:
    """Count how often each gold label (row) got each answer (column), unreadable ones last."""
    readable = answers["predicted"].isin(list(label_names))
    predicted = answers["predicted"].where(readable, UNREADABLE).astype(object)
    columns = [*label_names, *([] if readable.all() else [UNREADABLE])]
    counts = pd.crosstab(answers["label"].astype(object).to_numpy(), predicted.to_numpy())
    return counts.reindex(index=list(label_names), columns=columns, fill_value=0)
