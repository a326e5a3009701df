"""Differences of two runs on parts of the test examples, one row a part."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure
from app.figures.rows import empty_chart, label_rows
from app.figures.theme import NEUTRAL, plotly_text, with_opacity
from app.figures.verdicts import AHEAD_COLOUR, BEHIND_COLOUR, SIGNS
from peftcore.analysis import judgement

ROW_HEIGHT = 44
COLOURS = {"ahead": AHEAD_COLOUR, "behind": BEHIND_COLOUR}


def slice_differences(rows: pd.DataFrame, metric: str, margin: float) -> go.Figure:
    """One row per slice with its difference in points and 95 % interval; the band is the margin."""
    known = rows.dropna(subset=["difference"]).reset_index(drop=True)
    figure, scale = empty_chart(110 + ROW_HEIGHT * max(len(known), 1)), _scale(metric)
    band = with_opacity(NEUTRAL, 0.18)
    figure.add_vrect(x0=-margin, x1=margin, fillcolor=band, line_width=0)
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for index, row in known.iterrows():
        colour = COLOURS.get(row["verdict"], NEUTRAL)
        if pd.notna(row["low"]):
            figure.add_scatter(
                x=[scale * row["low"], scale * row["high"]],
                y=[-index, -index],
                mode="lines+markers",  # markers alone keep the line's ends off the frame
                marker={"size": 7, "opacity": 0},
                line={"color": with_opacity(colour, 0.6), "width": 3},
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=[scale * row["difference"]],
            y=[-index],
            mode="markers+text",
            marker={"color": colour, "size": 10},
            text=[_mark(row, metric)],
            textposition="top center",
            hovertemplate=f"{plotly_text(_in_words(row, metric))}<extra></extra>",
        )
    figure.update_xaxes(title_text=f"{find_measure(metric).title}: difference in points")
    label_rows(figure, [f"{_name(row)} · {row['items']} examples" for _, row in known.iterrows()])
    return figure


def _name(row: Any) -> str:
    """Return a slice's name; a word stands in quotes."""
    return f"with “{row['slice']}”" if row["kind"] == "Word" else str(row["slice"])


def _scale(metric: str) -> float:
    return judgement.points_scale(metric)


def _mark(row: Any, metric: str) -> str:
    """Return a slice's verdict as a sign with the difference."""
    return f"{SIGNS[row['verdict']]} {judgement.signed_points(row['difference'], metric)}"


def _in_words(row: Any, metric: str) -> str:
    """Return a slice with its verdict, difference and p in words."""
    words = f"{row['kind']} {row['slice']}, {row['items']} examples: {row['verdict']}, "
    words += judgement.difference_in_words(row, metric)
    return words if pd.isna(row["holm"]) else f"{words}, p {row['holm']:.2g} (Holm)"


def slice_differences_alt(rows: pd.DataFrame, metric: str) -> str:
    """The slices in words."""
    parts = [_in_words(row, metric) for _, row in rows.iterrows()]
    return f"{find_measure(metric).title} by slice. {'; '.join(parts) or 'No slice'}."
