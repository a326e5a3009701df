"""Runs side by side: scores with intervals, scores against size, differences to a reference.

Tables come from `peftcore.analysis.comparison`; looks say what each run is called and drawn with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.rows import framed, name_rows
from app.theme import NEUTRAL, Look, faint, text
from peftcore.analysis.comparison import pareto
from peftcore.metrics.scores import METRICS, MetricInfo

ROW = 58  # pixels of a run's row
DOT = 0.19  # how far below the mean the single seeds stand, in rows
STACK = 0.11  # how far equal seeds stand below one another


def measure(metric: str) -> MetricInfo:
    """How a metric is called and which way is better; unknown ones keep their name."""
    return METRICS.get(metric) or MetricInfo(metric, 1, "")


def axis_title(metric: str) -> str:
    """The metric with its range and direction."""
    found = measure(metric)
    way = "" if found.better == "higher" else ", lower is better"
    return f"{found.title} (0 to {found.maximum:g}{way})"


def digits(metric: str) -> str:
    """The format in which a metric's values are read."""
    return ".1f" if measure(metric).maximum >= 10 else ".3f"


def scores(
    summary: pd.DataFrame,
    table: pd.DataFrame,
    metric: str,
    looks: Mapping[str, Look],
    references: Mapping[str, float] | None = None,
) -> go.Figure:
    """One row per run, best on top: a bar for the 95 % interval, the mean, a dot for each seed.

    `references` are dashed lines, such as the score of chance.
    """
    rows = summary.dropna(subset=["mean"]).reset_index(drop=True)
    figure = framed(120 + ROW * max(len(rows), 1))
    for place, row in rows.iterrows():
        look, seeds = looks[row["run"]], table[table["run"] == row["run"]]
        figure.add_traces(_row(row, seeds, metric, look, -float(place)))
    for name, value in (references or {}).items():
        figure.add_vline(
            x=value,
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
            annotation={"text": text(name), "yanchor": "bottom"},
            annotation_position="top",
        )
    figure.update_xaxes(title_text=axis_title(metric))
    name_rows(figure, [looks[run].name for run in rows["run"]])
    figure.update_layout(title={"text": f"95 % interval, {_seeds(rows)}", "x": 0})
    return figure


def _row(
    row: pd.Series, seeds: pd.DataFrame, metric: str, look: Look, place: float
) -> list[go.Scatter]:
    """Interval, mean and seeds of one run."""
    form, name = digits(metric), text(look.name)
    traces = [
        go.Scatter(
            x=seeds[metric],
            y=(place - DOT - STACK * seeds.groupby(metric).cumcount()).tolist(),
            mode="markers",
            marker={"color": faint(look.colour, 0.55), "size": 7, "symbol": "circle"},
            customdata=seeds[["seed"]],
            hovertemplate=f"{name}, seed %{{customdata[0]}}: %{{x:{form}}}<extra></extra>",
        ),
        go.Scatter(
            x=[row["mean"]],
            y=[place],
            mode="markers+text",
            marker={"color": look.colour, "size": 13, "symbol": look.symbol},
            text=[f"{row['mean']:{form}}"],
            textposition="top center",
            hovertemplate=f"<b>{name}</b><br>{_in_words(row, form)}<extra></extra>",
        ),
    ]
    if pd.notna(row["low"]):
        bar = go.Scatter(
            x=[row["low"], row["high"]],
            y=[place, place],
            mode="lines+markers",  # markers alone keep the bar's ends off the frame
            marker={"size": 7, "opacity": 0},
            line={"color": faint(look.colour, 0.45), "width": 7},
            hoverinfo="skip",
        )
        traces.insert(0, bar)
    return traces


def _in_words(row: pd.Series, form: str) -> str:
    """A mean with its limits and number of seeds."""
    mean = f"mean {row['mean']:{form}}"
    if pd.isna(row["low"]):
        return f"{mean}, one seed"
    return f"{mean}, 95 % interval {row['low']:{form}} to {row['high']:{form}}, {row['n']} seeds"


def scores_alt(summary: pd.DataFrame, metric: str, looks: Mapping[str, Look]) -> str:
    """The chart of scores in words, best first."""
    rows, form = summary.dropna(subset=["mean"]), digits(metric)
    parts = [f"{looks[row['run']].name}: {_in_words(row, form)}" for _, row in rows.iterrows()]
    return f"{measure(metric).title} by run. {'; '.join(parts) or 'No scores yet'}."


def score_by_parameters(summary: pd.DataFrame, metric: str, looks: Mapping[str, Look]) -> go.Figure:
    """Score against trainable parameters on a log axis, with the front that no run beats."""
    rows = summary.dropna(subset=["mean", "trainable"])
    figure = framed(440)
    front = rows[_on_front(rows, metric)].sort_values("trainable")
    figure.add_scatter(
        x=front["trainable"],
        y=front["mean"],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1.5, "shape": "hv"},
        name="Best for its size",
        hoverinfo="skip",
        showlegend=True,
    )
    for _, row in rows.iterrows():
        figure.add_trace(_point(row, metric, looks[row["run"]]))
    ticks = _ticks(rows["trainable"].tolist())
    figure.update_xaxes(
        title_text="Trainable parameters of one adapter (log scale)",
        type="log",
        tickvals=ticks,
        ticktext=[f"{tick:,}" for tick in ticks],
    )
    figure.update_yaxes(title_text=axis_title(metric))
    title = f"Score against size, {_seeds(rows)}"
    figure.update_layout(title={"text": title, "x": 0}, showlegend=True)
    return figure


def _ticks(sizes: list[float]) -> list[int]:
    """One, two and five times the powers of ten around the sizes; powers alone for a wide range."""
    if not sizes:
        return []
    low, high = (
        math.floor(math.log10(max(min(sizes), 1))),
        math.ceil(math.log10(max(sizes, default=1) + 1)),
    )
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    return [step * 10**power for power in range(low, high + 1) for step in steps]


def _on_front(rows: pd.DataFrame, metric: str) -> list[bool]:
    sign = 1 if measure(metric).better == "higher" else -1
    return pareto([sign * mean for mean in rows["mean"]], rows["trainable"].tolist())


def _point(row: pd.Series, metric: str, look: Look) -> go.Scatter:
    limited = pd.notna(row["low"])
    words = f"{row['trainable']:,.0f} trainable parameters<br>{_in_words(row, digits(metric))}"
    return go.Scatter(
        x=[row["trainable"]],
        y=[row["mean"]],
        error_y={
            "array": [row["high"] - row["mean"]] if limited else [0],
            "color": faint(look.colour, 0.6),
            "thickness": 2,
            "width": 6,
        },
        mode="markers",
        marker={"color": look.colour, "size": 14, "symbol": look.symbol},
        name=text(look.name),
        showlegend=True,
        hovertemplate=f"<b>{text(look.name)}</b><br>{words}<extra></extra>",
    )


def score_by_parameters_alt(summary: pd.DataFrame, metric: str, looks: Mapping[str, Look]) -> str:
    """The chart of score against size in words, smallest adapter first."""
    rows = summary.dropna(subset=["mean", "trainable"])
    best = set(rows[_on_front(rows, metric)]["run"])
    parts = [
        f"{looks[row['run']].name}: {row['trainable']:,.0f} parameters, "
        f"{row['mean']:{digits(metric)}}" + (", on the front" if row["run"] in best else "")
        for _, row in rows.sort_values("trainable").iterrows()
    ]
    return f"{measure(metric).title} against trainable parameters. {'; '.join(parts) or 'None'}."


def gaps(tests: pd.DataFrame, metric: str, looks: Mapping[str, Look], reference: str) -> go.Figure:
    """Each run's paired difference to the reference with its 95 % interval."""
    rows = tests.dropna(subset=["difference"]).reset_index(drop=True)
    figure, form = framed(120 + ROW * max(len(rows), 1)), digits(metric)
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for place, row in rows.iterrows():
        look = looks[row["run"]]
        width = row["high"] - row["difference"] if pd.notna(row["high"]) else 0
        words = f"{row['difference']:+{form}}, p {row['p']:.3g}, {row['n']} pairs of seeds"
        figure.add_scatter(
            x=[row["difference"]],
            y=[-float(place)],
            error_x={"array": [width], "color": look.colour, "thickness": 2, "width": 6},
            mode="markers+text",
            marker={"color": look.colour, "size": 13, "symbol": look.symbol},
            text=[f"{row['difference']:+{form}}"],
            textposition="top center",
            hovertemplate=f"<b>{text(look.name)}</b><br>{words}<extra></extra>",
        )
    other = text(looks[reference].name)
    figure.update_xaxes(title_text=f"{measure(metric).title}: difference to {other}")
    name_rows(figure, [looks[run].name for run in rows["run"]])
    title = f"Paired difference, 95 % interval, {_seeds(rows)}"
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def gaps_alt(tests: pd.DataFrame, metric: str, looks: Mapping[str, Look], reference: str) -> str:
    """The chart of differences in words."""
    form = digits(metric)
    parts = [
        f"{looks[row['run']].name} {row['difference']:+{form}} (p {row['p']:.3g})"
        for _, row in tests.dropna(subset=["difference"]).iterrows()
    ]
    other = looks[reference].name
    return f"{measure(metric).title}, difference to {other}. {'; '.join(parts) or 'None'}."


def _seeds(rows: pd.DataFrame) -> str:
    """How many seeds the rows have: "4 seeds", "3 to 5 seeds"."""
    found: list[Any] = sorted(set(rows["n"]))
    if not found:
        return "no seeds"
    if len(found) > 1:
        return f"{found[0]} to {found[-1]} seeds"
    return "one seed" if found == [1] else f"{found[0]} seeds"
