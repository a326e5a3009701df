"""Scores of runs as dots, a dot for each seed: a first look that loads no statistics.

Intervals and verdicts are the business of Compare (`app.figures.compare`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from app.figures.rows import empty_chart, label_rows
from app.figures.theme import RunStyle, plotly_text, with_opacity
from peftcore.metrics.scores import find_measure, metric_range

ROW_HEIGHT = 46  # pixels of a run's row


def seed_dots(
    values: Mapping[str, Sequence[float]], metric: str, styles: Mapping[str, RunStyle]
) -> go.Figure:
    """One row per run, best on top: the mean as the run's symbol, every seed as a dot.

    values: run → its seeds' scores.
    """
    figure = empty_chart(96 + ROW_HEIGHT * max(len(values), 1))
    order = order_by_mean(values, metric)
    for row, run in enumerate(order):
        style, scores = styles[run], list(values[run])
        name = plotly_text(style.name)
        mean = sum(scores) / len(scores)
        figure.add_scatter(
            x=scores,
            y=[-row] * len(scores),
            mode="markers",
            marker={"color": with_opacity(style.colour, 0.45), "size": 9},
            hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
        )
        figure.add_scatter(
            x=[mean],
            y=[-row],
            mode="markers+text",
            marker={"color": style.colour, "size": 13, "symbol": style.symbol},
            text=[_score_text(mean)],
            textposition="top center",
            hovertemplate=f"<b>{name}</b>, mean %{{x:.3f}}<extra></extra>",
        )
    low, high = metric_range(metric)
    room = 0.03 * (high - low)
    figure.update_xaxes(
        title_text=find_measure(metric).title, minallowed=low - room, maxallowed=high + room
    )
    label_rows(figure, [styles[run].name for run in order])
    return figure


def order_by_mean(values: Mapping[str, Sequence[float]], metric: str) -> list[str]:
    """Return the runs, best first."""
    sign = -1 if find_measure(metric).better == "higher" else 1
    return sorted(values, key=lambda run: sign * sum(values[run]) / len(values[run]))


def _score_text(value: float) -> str:
    """Write a score to the digits worth reading."""
    return f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


def seed_dots_alt(
    values: Mapping[str, Sequence[float]], metric: str, styles: Mapping[str, RunStyle]
) -> str:
    """The dots in words, best first."""
    parts = [
        f"{styles[run].name}: mean {_score_text(sum(values[run]) / len(values[run]))} "
        f"of {len(values[run])} {'seed' if len(values[run]) == 1 else 'seeds'}"
        for run in order_by_mean(values, metric)
    ]
    return f"{find_measure(metric).title} by run. {'; '.join(parts)}."
