"""The tuning budget: expected best validation loss by how many learning rates were tried."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, RunStyle, plotly_text


def tuning_budget(curves: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """One line for each run's method; curves as `tuning_budget.budget_curves` gives them."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 360})
    for run, rows in curves.dropna(subset=["dev_loss"]).groupby("run", sort=False):
        style = styles[str(run)]
        figure.add_scatter(
            x=rows["tries"],
            y=rows["dev_loss"],
            mode="lines+markers",
            name=plotly_text(style.name),
            line={"color": style.colour},
            marker={"symbol": style.symbol, "color": style.colour, "size": 9},
            hovertemplate="best of %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",
        )
    shared = fewest_tries(curves)
    if shared > 1:
        figure.add_vline(x=shared, line={"dash": "dot", "width": 1}, annotation_text="same for all")
    figure.update_xaxes(title_text="Learning rates tried", dtick=1)
    figure.update_yaxes(title_text="Expected lowest validation loss (nats)")
    return figure


def fewest_tries(curves: pd.DataFrame) -> int:
    """Return up to how many tries every method can be read off."""
    return int(curves.groupby("run")["tries"].max().min()) if len(curves) else 0


def tuning_budget_alt(curves: pd.DataFrame, styles: Mapping[str, RunStyle]) -> str:
    """Say what each method's best is expected to be at equally many tries."""
    shared = fewest_tries(curves)
    rows = curves[curves["tries"] == shared].dropna(subset=["dev_loss"])
    parts = [
        f"{styles[str(row.run)].name} {row.dev_loss:.3f}"
        for row in rows.sort_values("dev_loss").itertuples()
    ]
    return f"Expected lowest validation loss of {shared} tries: {', '.join(parts)}"
