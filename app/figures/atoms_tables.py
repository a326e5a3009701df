"""What the charts of atoms share: words on what a chart rests on, and lines with their bands."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.theme import TEMPLATE, faint, text

ARITHMETIC = {"fp32": "single precision", "bf16": "bfloat16"}
TITLE, SUBTITLE = 36, 58  # characters of a line that fits a phone


def frame(height: int, title: str, said: str, **more: Any) -> go.Figure:
    """A chart with a title and below it what it rests on, on lines that fit a phone."""
    heads, notes = wrap(title, TITLE), wrap(said, SUBTITLE)
    small = [f'<span style="font-size:11px;font-weight:400">{text(note)}</span>' for note in notes]
    top = 16 + 19 * (len(heads) + len(notes))  # every line is as high as the title's
    figure = go.Figure(layout={"template": TEMPLATE, "height": height + top - 52, **more})
    words = {"text": "<br>".join([*map(text, heads), *small]), "x": 0}
    words |= {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}}
    return figure.update_layout(title=words, margin={"t": top})


def said(facts: Mapping[str, Any], seed: int | None = None) -> str:
    """Examples, seeds and data of a figure about coefficients, as one line."""
    many = len(facts.get("seeds", ()))
    who = f"seed {seed}" if seed is not None else f"{many} seeds"
    return f"{who}, n = {facts.get('read')} validation examples, {_data(facts)}"


def judged(facts: Mapping[str, Any]) -> str:
    """Examples, seeds and data of a figure about scores, as one line."""
    many = len(facts.get("seeds", ()))
    return f"{many} seeds, n = {facts.get('n')} {facts.get('split')} examples, {_data(facts)}"


def _data(facts: Mapping[str, Any]) -> str:
    arithmetic = str(facts.get("arithmetic", ""))
    return f"data {str(facts.get('data_hash', ''))[:8]}, {ARITHMETIC.get(arithmetic, arithmetic)}"


def line(
    figure: go.Figure,
    x: Any,
    found: pd.DataFrame,
    colour: str,
    name: str,
    dash: str,
    symbol: str,
    form: str,
) -> None:
    """A line with its interval as a band."""
    known = found["low"].notna()
    along = list(np.asarray(x)[known])
    figure.add_scatter(
        x=along + along[::-1],
        y=[*found.loc[known, "high"], *found.loc[known, "low"][::-1]],
        mode="lines",
        fill="toself",
        fillcolor=faint(colour, 0.16),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    limits = found[["low", "high"]].to_numpy()
    figure.add_scatter(
        x=x,
        y=found["mean"],
        customdata=limits,
        mode="lines+markers",
        name=name,
        line={"color": colour, "dash": dash, "width": 2.5},
        marker={"symbol": symbol, "size": 8},
        hovertemplate=f"{name}: %{{y:{form}}} "
        f"(%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})<extra></extra>",
    )
