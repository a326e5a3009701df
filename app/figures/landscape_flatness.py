"""A landscape in numbers: flatness, what random points say of validation, how many vertices.

Measures come from `peftcore.labs.landscape.request`, facts as in `app.figures.landscape`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure
from app.figures.error_bars import interval_bars
from app.figures.landscape import BEST_COLOUR, LINE_COLOURS, title_with_facts
from app.figures.theme import (
    LOG_AXIS,
    NEUTRAL,
    SYMBOLS,
    TEMPLATE,
    RunStyle,
    plotly_text,
    with_opacity,
)
from peftcore.analysis.comparison import interval
from peftcore.analysis.flatness import RankCorrelation

MEASURE_TITLES: dict[str, tuple[str, str]] = {
    "loss": ("Loss (nats)", "of the adapter that is deployed"),
    "rise": ("Mean rise (nats)", "of the loss, over random directions"),
    "worst rise": ("Worst rise (nats)", "of the loss, over the same ones"),
    "top eigenvalue": ("Top curvature", "largest eigenvalue of the Hessian"),
    "barrier": ("Highest barrier (nats)", "above the straight line on an edge"),
    "variance": ("Variance (nats²)", "of the loss over the simplex"),
    "vertices": ("Mean of vertices (nats)", "loss of the vertices one by one"),
    "bowl": ("Vertices less centroid (nats)", "above zero: they lie around a bowl"),
}


def flatness_table(measures: pd.DataFrame) -> pd.DataFrame:
    """Every measure with its mean and 95 % interval over seeds."""
    rows = []
    for name, seed_rows in measures.groupby("measure", sort=False):
        title, note = MEASURE_TITLES[str(name)]
        estimate = interval(seed_rows["value"])
        rows.append((title, estimate.mean, estimate.low, estimate.high, estimate.n, note))
    return pd.DataFrame(rows, columns=["Measure", "Mean", "Low", "High", "Seeds", "What it is"])


def score_against_flatness(
    table: pd.DataFrame,
    name: str,
    metric: str,
    styles: Mapping[str, RunStyle],
    correlation: RankCorrelation,
) -> go.Figure:
    """A measure of flatness against the test score, one point per run and seed."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 440})
    for run, rows in table.groupby("run", sort=False):
        style = styles[str(run)]
        figure.add_scatter(
            x=rows["value"],
            y=rows["score"],
            mode="markers",
            marker={"color": style.colour, "symbol": style.symbol, "size": 11},
            name=plotly_text(style.name),
            customdata=rows[["seed"]],
            hovertemplate="seed %{customdata[0]}: %{x:.4f}, %{y:.3f}"
            "<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title_text=MEASURE_TITLES[name][0])
    figure.update_yaxes(title_text=f"Test {find_measure(metric).title.lower()}")
    figure.update_layout(
        title={
            "text": f"{MEASURE_TITLES[name][0].partition(' (')[0]} against test score<br>"
            f"<sup>{plotly_text(correlation_in_words(correlation))}, "
            f"{_runs_in_words(table['run'].nunique())}</sup>",
            "x": 0,
        }
    )
    return figure


def _runs_in_words(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"


def correlation_in_words(correlation: RankCorrelation) -> str:
    """A rank correlation with its interval, or why there is none."""
    if correlation.value is None:
        return f"no rank correlation: {correlation.n} points are too few or do not vary"
    words = f"rank correlation {correlation.value:+.2f}"
    if correlation.low is None:
        return f"{words}, no interval from so few runs, n = {correlation.n}"
    return (
        f"{words}, 95 % interval {correlation.low:+.2f} to {correlation.high:+.2f}, n = "
        f"{correlation.n}"
    )


def validation_histogram(
    points: Sequence[float],
    copies: Sequence[float],
    centroid: float,
    facts: Mapping[str, Any],
) -> go.Figure:
    """Losses at random points and of random copies, beside the centroid's one value."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420, "barmode": "overlay"})
    all_losses = [*points, *copies, centroid]
    low, high = min(all_losses), max(all_losses)
    width = max((high - low) / 24, 1e-6)
    kinds = (("One point for all examples", points, 0), ("A point for each example", copies, 1))
    for name, values, nth in kinds:
        figure.add_histogram(
            x=list(values),
            xbins={"start": low - width, "end": high + width, "size": width},
            marker={
                "color": with_opacity(LINE_COLOURS[nth], 0.6),
                "line": {"color": LINE_COLOURS[nth], "width": 1},
            },
            name=f"{name}, {len(values)} random points",
            hovertemplate="%{x}: %{y} random points<extra></extra>",
        )
    figure.add_vline(
        x=centroid,
        line={"color": BEST_COLOUR, "width": 2.5},
        annotation={"text": f"centroid {centroid:.4f}", "font": {"color": BEST_COLOUR}},
        annotation_position="top",
    )
    figure.update_xaxes(title_text="Loss on the validation sample (nats)")
    figure.update_yaxes(title_text="Random points")
    figure.update_layout(margin={"t": 84})  # room for the centroid's label below the title
    title_with_facts(figure, "What random points say, and the one deterministic value", facts)
    return figure


def validation_histogram_alt(
    points: Sequence[float], copies: Sequence[float], centroid: float
) -> str:
    """The histogram in words."""
    parts = [
        f"{name}: mean {np.mean(values):.4f}, standard deviation {np.std(values, ddof=1):.4f}, "
        f"{len(values)} random points"
        for name, values in (("One point for all", points), ("A point each", copies))
        if len(values) > 1
    ]
    return f"Validation loss at random points. {'; '.join(parts)}; centroid {centroid:.4f}."


def copies_error_chart(table: pd.DataFrame, facts: Mapping[str, Any]) -> go.Figure:
    """Draw how much the mean of R random copies varies, beside what independent copies give."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 380})
    figure.add_scatter(
        x=table["R"],
        y=table["expected"],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dash"},
        name="If copies are independent",
    )
    figure.add_scatter(
        x=table["R"],
        y=table["error"],
        mode="markers",
        marker={"color": LINE_COLOURS[0], "size": 10},
        customdata=table["groups"],
        hovertemplate="R %{x}: %{y:.4f}, %{customdata} groups<extra></extra>",
        name="Measured, over groups of R copies",
    )
    figure.update_xaxes(
        title_text="Copies of the validation sample, R", type="log", tickvals=list(table["R"])
    )
    figure.update_yaxes(title_text="Standard deviation of the mean (nats)", rangemode="tozero")
    title_with_facts(figure, "How the estimate tightens", facts)
    return figure


def estimates_by_step_chart(steps: pd.DataFrame, facts: Mapping[str, Any]) -> go.Figure:
    """Draw both estimates and the test loss at every kept step, means over seeds."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    names = {
        "stochastic": "Validation at random points, 10 copies",
        "centroid": "Validation at the centroid",
        "test_loss": "Test, at the centroid",
    }
    for nth, (column, name) in enumerate(names.items()):
        estimates_by_step = [(step, interval(rows[column])) for step, rows in steps.groupby("step")]
        estimates = pd.DataFrame([vars(estimate) for _, estimate in estimates_by_step])
        figure.add_scatter(
            x=[step for step, _ in estimates_by_step],
            y=[estimate.mean for _, estimate in estimates_by_step],
            error_y=interval_bars(estimates, LINE_COLOURS[nth]),
            mode="lines+markers",
            line={"color": LINE_COLOURS[nth], "width": 2},
            marker={"symbol": SYMBOLS[nth], "size": 8},
            name=name,
        )
    figure.update_xaxes(title_text="Optimiser step")
    figure.update_yaxes(title_text="Loss (nats, log scale)", **LOG_AXIS)
    title_with_facts(
        figure,
        f"Estimates along the training, 95 % intervals over {steps['seed'].nunique()} seeds",
        facts,
    )
    return figure


def score_by_vertices_chart(rows: pd.DataFrame, metric: str) -> go.Figure:
    """Test score by number of vertices, with 95 % intervals over seeds."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    figure.add_scatter(
        x=rows["vertices"],
        y=rows["mean"],
        error_y=interval_bars(rows, LINE_COLOURS[0]),
        mode="lines+markers",
        line={"color": LINE_COLOURS[0], "width": 2},
        marker={"size": 11},
        hovertemplate="%{x} vertices: %{y:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="Vertices of the simplex", dtick=1)
    figure.update_yaxes(title_text=f"Test {find_measure(metric).title.lower()}")
    seeds = ", ".join(str(n) for n in sorted(set(rows["n"])))
    figure.update_layout(
        title={"text": f"Score by number of vertices, 95 % intervals over {seeds} seeds", "x": 0}
    )
    return figure
