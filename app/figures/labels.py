"""What was answered to which label: a table of counts, shaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.layout import LINE_HEIGHT, axis_title, fixed_margin, label_width
from app.figures.theme import TEMPLATE, plotly_text, with_opacity

UNREADABLE = "not readable"
TICK_SIZE = 12  # pixels of a label beside an axis
TICK_ANGLE, SINE_OF_ANGLE = 30, 0.5  # degrees that the labels of the answers lean


def confusion_heatmap(counts: pd.DataFrame, name: str, colour: str) -> go.Figure:
    """Gold labels as rows, answers as columns, shares of each row as shade; numbers are counts."""
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    rows, columns = zip(*np.ndindex(counts.shape), strict=True)
    matrix = {
        "type": "heatmap",
        "z": shares.to_numpy(),
        "x": list(range(counts.shape[1])),
        "y": list(range(counts.shape[0])),
        "text": counts.to_numpy(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, with_opacity(colour, 0.04)], [1, with_opacity(colour, 0.65)]],
        "showscale": False,
        "hovertemplate": "%{text} answers, share of the gold label %{z:.2f}<extra></extra>",
    }
    numbers = {  # in the page's own text colour, to be read on light and dark
        "type": "scatter",
        "x": columns,
        "y": rows,
        "mode": "text",
        "text": counts.to_numpy().ravel(),
        "hoverinfo": "skip",
    }
    answers, gold = (
        [plotly_text(label) for label in axis] for axis in (counts.columns, counts.index)
    )
    below = LINE_HEIGHT + label_width(answers, TICK_SIZE) * SINE_OF_ANGLE
    layout = {
        "template": TEMPLATE,
        "height": 60 + below + 44 * len(counts),
        "showlegend": False,
        "margin": fixed_margin(52, label_width(gold, TICK_SIZE), below, 16),
        # Leaning left, so that the last name stays on the picture.
        "xaxis": _label_axis(answers, "Answer") | {"tickangle": -TICK_ANGLE},
        "yaxis": _label_axis(gold, "Gold label") | {"autorange": "reversed"},
        "title": {"text": f"{plotly_text(name)}, {int(counts.to_numpy().sum())} answers"},
    }
    return go.Figure({"data": [matrix, numbers], "layout": layout})


def _label_axis(words: list[str], title: str) -> dict[str, Any]:
    """Return an axis with a label at each whole number."""
    return {
        "tickvals": list(range(len(words))),
        "ticktext": words,
        "title": axis_title(title),
        "showgrid": False,
        "automargin": False,
    }


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
    names = pd.Index([*label_names], dtype=object)
    gold, predicted = (_positions(answers[column], names) for column in ("label", "predicted"))
    counts = np.zeros((len(names), len(names) + 1), int)
    np.add.at(counts, (gold[gold >= 0], predicted[gold >= 0]), 1)  # place -1 is the last
    columns = [*label_names, *([UNREADABLE] if counts[:, -1].any() else [])]
    return pd.DataFrame(counts[:, : len(columns)], list(label_names), columns)


def _positions(labels: pd.Series, names: pd.Index) -> np.ndarray:
    """Return the place of each label (n,) among the names, -1 for others."""
    codes, different = pd.factorize(labels, use_na_sentinel=False)
    return names.get_indexer(pd.Index(different, dtype=object))[codes]
