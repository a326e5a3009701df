"""Runs by two values that both matter, with the probability of being on the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import log_ticks
from app.figures.rows import empty_chart
from app.figures.theme import NEUTRAL, RunStyle, plotly_text, with_opacity

TEXT_PLACES = ("top right", "bottom right", "top left", "bottom left")  # of neighbours' labels
LOG_RATIO = 5.0  # from this ratio of the largest to the smallest on, an axis is logarithmic


@dataclass(frozen=True)
class Axis:
    """One of the two values: its title, whether less is better, and its format."""

    title: str
    lower: bool
    form: str
    positive: bool = False  # whether it may be drawn on a log scale


def on_front(rows: pd.DataFrame, across: Axis, up: Axis) -> list[bool]:
    """Return which rows (columns x, y) no other dominates."""
    x = rows["x"] * (1 if across.lower else -1)
    y = rows["y"] * (-1 if up.lower else 1)
    return [
        not ((x <= a) & (y >= b) & ((x < a) | (y > b))).any() for a, b in zip(x, y, strict=True)
    ]


def pareto_chart(
    rows: pd.DataFrame, across: Axis, up: Axis, styles: Mapping[str, RunStyle]
) -> go.Figure:
    """Points with 95 % intervals; the line joins the front of the means.

    rows: run, x, x_low, x_high, y, y_low, y_high, chance; limits may be missing.
    """
    figure = empty_chart(460)
    front = rows[on_front(rows, across, up)].sort_values("x")
    figure.add_scatter(
        x=front["x"],
        y=front["y"],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1.5, "shape": "hv"},
        name="Front of the means",
        hoverinfo="skip",
        showlegend=True,
    )
    for nth, row in rows.sort_values("x").reset_index(drop=True).iterrows():
        place = TEXT_PLACES[nth % len(TEXT_PLACES)]
        if row["x"] == rows["x"].max():  # beside the axis' end a word would be cut
            place = place.replace("right", "left")
        figure.add_trace(_point(row, across, up, styles[row["run"]]).update(textposition=place))
    figure.update_xaxes(title_text=_axis_title(across))
    figure.update_yaxes(title_text=_axis_title(up))
    for values, axis, update in (
        (rows["x"], across, figure.update_xaxes),
        (rows["y"], up, figure.update_yaxes),
    ):
        wide = axis.positive and len(values) and values.max() >= LOG_RATIO * values.min() > 0
        if wide:
            ticks = log_ticks(values.tolist())
            update(type="log", tickvals=ticks, tickformat="~s")
    figure.update_layout(
        title={"text": "Probability of being on the front", "x": 0}, showlegend=True
    )
    return figure


def chance_in_words(chance: float) -> str:
    """Return a probability: "16 %"; only a certain one is none or all."""
    if 0 < chance < 0.01:
        return "below 1 %"
    return "above 99 %" if 0.99 < chance < 1 else f"{100 * chance:.0f} %"


def _axis_title(axis: Axis) -> str:
    return f"{axis.title} ({'lower' if axis.lower else 'higher'} is better)"


def _point(row: pd.Series, across: Axis, up: Axis, style: RunStyle) -> go.Scatter:
    """Return one run at its two values, with what intervals it has."""
    name = plotly_text(style.name)
    return go.Scatter(
        x=[row["x"]],
        y=[row["y"]],
        error_x=_whiskers(row, "x", style),
        error_y=_whiskers(row, "y", style),
        mode="markers+text",
        marker={"color": style.colour, "size": 14, "symbol": style.symbol},
        text=[chance_in_words(row["chance"])],
        name=name,
        showlegend=True,
        hovertemplate=f"<b>{name}</b><br>{plotly_text(_in_words(row, across, up))}<extra></extra>",
    )


def _whiskers(row: pd.Series, axis: str, style: RunStyle) -> dict[str, object]:
    """Return the error bars of a value, which may be asymmetric or missing."""
    low, middle, high = row[f"{axis}_low"], row[axis], row[f"{axis}_high"]
    known = pd.notna(low) and pd.notna(high)
    return {
        "symmetric": False,
        "array": [high - middle if known else 0],
        "arrayminus": [middle - low if known else 0],
        "color": with_opacity(style.colour, 0.6),
        "thickness": 2,
        "width": 5 if known else 0,
    }


def _in_words(row: pd.Series, across: Axis, up: Axis) -> str:
    """Return a run's values with their limits, and its chance."""
    parts = []
    for name, axis in (("y", up), ("x", across)):
        words = f"{axis.title} {row[name]:{axis.form}}"
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        if not math.isnan(low):
            words += f" ({low:{axis.form}} to {high:{axis.form}})"
        parts.append(words)
    return f"{', '.join(parts)}; on the front with probability {chance_in_words(row['chance'])}"


def pareto_alt(rows: pd.DataFrame, across: Axis, up: Axis, styles: Mapping[str, RunStyle]) -> str:
    """The chart in words."""
    parts = [
        f"{styles[row['run']].name}: {_in_words(row, across, up)}"
        for _, row in rows.sort_values("x").iterrows()
    ]
    return f"{up.title} against {across.title}. {'; '.join(parts) or 'No run'}."
