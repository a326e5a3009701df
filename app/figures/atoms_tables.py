"""What the charts of atoms share: words on what a chart rests on, and lines with their bands."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, RunStyle, plotly_text, with_opacity

ARITHMETIC_TITLES = {"fp32": "single precision", "bf16": "bfloat16"}
TITLE_WIDTH, SUBTITLE_WIDTH = 36, 58  # characters of a line that fits a phone


def titled_chart(height: int, title: str, subtitle: str, **more: Any) -> go.Figure:
    """A chart with a title and below it what it rests on, on lines that fit a phone."""
    heads, notes = wrap(title, TITLE_WIDTH), wrap(subtitle, SUBTITLE_WIDTH)
    small_lines = [
        f'<span style="font-size:11px;font-weight:400">{plotly_text(note)}</span>' for note in notes
    ]
    top = 16 + 19 * (len(heads) + len(notes))  # every line is as high as the title's
    figure = go.Figure(layout={"template": TEMPLATE, "height": height + top - 52, **more})
    title_layout = {"text": "<br>".join([*map(plotly_text, heads), *small_lines]), "x": 0}
    title_layout |= {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}}
    return figure.update_layout(title=title_layout, margin={"t": top})


def coefficient_facts(facts: Mapping[str, Any], seed: int | None = None) -> str:
    """Examples, seeds and data of a figure about coefficients, as one line."""
    seed_count = len(facts.get("seeds", ()))
    seeds_text = f"seed {seed}" if seed is not None else f"{seed_count} seeds"
    return f"{seeds_text}, n = {facts.get('read')} validation examples, {_data_facts(facts)}"


def score_facts(facts: Mapping[str, Any]) -> str:
    """Examples, seeds and data of a figure about scores, as one line."""
    seed_count = len(facts.get("seeds", ()))
    return (
        f"{seed_count} seeds, n = {facts.get('n')} {facts.get('split')} examples, "
        f"{_data_facts(facts)}"
    )


def _data_facts(facts: Mapping[str, Any]) -> str:
    """Return data hash and arithmetic in words."""
    arithmetic = str(facts.get("arithmetic", ""))
    return (
        f"data {str(facts.get('data_hash', ''))[:8]}, "
        f"{ARITHMETIC_TITLES.get(arithmetic, arithmetic)}"
    )


def add_line_with_band(
    figure: go.Figure, x: Any, means: pd.DataFrame, style: RunStyle, value_form: str
) -> None:
    """Add a line over x with its interval, columns low and high of `means`, as a band."""
    with_limits = means["low"].notna()
    band_x = list(np.asarray(x)[with_limits])
    figure.add_scatter(
        x=band_x + band_x[::-1],
        y=[*means.loc[with_limits, "high"], *means.loc[with_limits, "low"][::-1]],
        mode="lines",
        fill="toself",
        fillcolor=with_opacity(style.colour, 0.16),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    limits = means[["low", "high"]].to_numpy()
    figure.add_scatter(
        x=x,
        y=means["mean"],
        customdata=limits,
        mode="lines+markers",
        name=style.name,
        line={"color": style.colour, "dash": style.dash, "width": 2.5},
        marker={"symbol": style.symbol, "size": 8},
        hovertemplate=f"{style.name}: %{{y:{value_form}}} "
        f"(%{{customdata[0]:{value_form}}} to %{{customdata[1]:{value_form}}})<extra></extra>",
    )
