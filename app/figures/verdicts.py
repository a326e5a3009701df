"""Verdicts on pairs of runs: a matrix of all of them, and differences to one run.

A cell and a row speak of a run against another; signs tell the verdict, colours only help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure
from app.figures.rows import empty_chart, label_rows, two_line_name
from app.figures.theme import (
    LESS_COLOUR,
    MORE_COLOUR,
    NEUTRAL,
    RunStyle,
    plotly_text,
    with_opacity,
)
from peftcore.analysis import judgement
from peftcore.analysis.judgement import JudgedRuns

AHEAD_COLOUR, BEHIND_COLOUR = MORE_COLOUR, LESS_COLOUR  # as of all signed values
SIGNS = {"ahead": "▲", "behind": "▼", "equal": "=", "cannot tell": "?"}
SHADES = {"behind": 0, "cannot tell": 1, "equal": 2, "ahead": 3}
COLOURS = (
    with_opacity(BEHIND_COLOUR, 0.35),
    with_opacity(NEUTRAL, 0.06),
    with_opacity(NEUTRAL, 0.4),
    with_opacity(AHEAD_COLOUR, 0.35),
)
CELL_HEIGHT = 40
LONGEST_POINTS = 4  # characters of a difference in a cell; a longer one is rounded
MOST_NUMBERS = 6  # runs up to which cells have room for the difference
LARGE_NUMBERS = 4  # runs up to which it is as large as other labels
LEGEND = "▲ ahead · ▼ behind · = equal within the margin · ? cannot tell"


def verdict_matrix(judged: JudgedRuns, styles: Mapping[str, RunStyle]) -> go.Figure:
    """Every run against every other: row against column, best run first."""
    runs = list(judged.tables)
    shade: list[list[float | None]] = []
    words, hover = [], []
    for run in runs:
        cells = [judged.between(run, other) if other != run else None for other in runs]
        shade.append([SHADES[cell["verdict"]] if cell else None for cell in cells])
        words += [_short_cell_text(cell, judged.metric, len(runs)) for cell in cells]
        hover.append([_cell_hover(cell, judged, styles) for cell in cells])
    figure = empty_chart(110 + CELL_HEIGHT * len(runs))
    steps = [[(i + e) / 4, colour] for i, colour in enumerate(COLOURS) for e in (0, 1)]
    figure.add_heatmap(
        z=shade,
        zmin=-0.5,
        zmax=3.5,
        colorscale=steps,
        showscale=False,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    places = [(x, y) for y in range(len(runs)) for x in range(len(runs))]
    figure.add_scatter(
        x=[x for x, _ in places],
        y=[y for _, y in places],
        mode="text",
        text=words,
        textfont={"size": 11 if len(runs) <= LARGE_NUMBERS else 9},
        hoverinfo="skip",
    )
    names = [f"{nth + 1}  {two_line_name(styles[run].name)}" for nth, run in enumerate(runs)]
    ticks = list(range(len(runs)))
    figure.update_yaxes(tickvals=ticks, ticktext=names, autorange="reversed", showgrid=False)
    columns = [str(nth + 1) for nth in ticks]
    figure.update_xaxes(tickvals=ticks, ticktext=columns, side="top", showgrid=False, ticks="")
    figure.update_layout(title={"text": "Row against column, in points", "x": 0})
    return figure


def _cell_text(cell: Mapping[str, Any] | None, metric: str, runs: int) -> str:
    """Return a verdict's sign, with the difference where there is room."""
    if cell is None:
        return ""
    sign = SIGNS[cell["verdict"]]
    if runs > MOST_NUMBERS or pd.isna(cell["difference"]):
        return sign
    return f"{sign} {judgement.signed_points(cell['difference'], metric)}"


def _short_cell_text(cell: Mapping[str, Any] | None, metric: str, runs: int) -> str:
    """Return the same in two short lines, for which a phone has room."""
    sign, _, points = _cell_text(cell, metric, runs).partition(" ")
    if len(points) > LONGEST_POINTS:
        points = f"{float(points):+.0f}"
    return f"{sign}<br>{points}" if points else sign


def _cell_hover(
    cell: Mapping[str, Any] | None, judged: JudgedRuns, styles: Mapping[str, RunStyle]
) -> str:
    """Return a pair in words, with p and the numbers of seeds and items."""
    if cell is None:
        return ""
    names = {run: style.name for run, style in styles.items()}
    words = judgement.pair_in_words(cell, names, judged.metric, judged.margin)
    return "<br>".join(map(plotly_text, [words, *_test_in_words(cell, judged)]))


def _test_in_words(cell: Mapping[str, Any], judged: JudgedRuns) -> list[str]:
    """Return p after Holm's correction and what it rests on; nothing where there is no test."""
    if pd.isna(cell["holm"]):
        return []
    items = f" and {cell['items']:,} items" if judged.population == "this task" else ""
    return [f"p {cell['holm']:.2g} after Holm's correction, {cell['seeds']} seeds{items}"]


def verdict_matrix_alt(judged: JudgedRuns, styles: Mapping[str, RunStyle]) -> str:
    """Every pair in words, best run first."""
    names = {run: style.name for run, style in styles.items()}
    parts = [
        judgement.pair_in_words(judgement.turn_pair(row), names, judged.metric, judged.margin)
        for _, row in judged.verdicts.iterrows()
    ]
    return f"Verdicts on {len(parts)} pairs of runs. {'; '.join(parts) or 'No pair'}."


def verdict_table(judged: JudgedRuns, styles: Mapping[str, RunStyle]) -> pd.DataFrame:
    """Return one row per pair, better run first, with differences in points."""
    scale = judgement.points_scale(judged.metric)
    rows = []
    for _, row in judged.verdicts.iterrows():
        pair = judgement.turn_pair(row)
        rows.append(
            {
                "run": styles[pair["second"]].name,
                "verdict": pair["verdict"],
                "against": styles[pair["first"]].name,
                "points": round(scale * pair["difference"], 2),
                "from": round(scale * pair["low"], 2),
                "to": round(scale * pair["high"], 2),
                "p": pair["p"],
                "p, Holm": pair["holm"],
                "p of equality, Holm": pair["equal_holm"],
                "seeds": pair["seeds"],
                "items": pair["items"],
                "note": pair["reason"],
            }
        )
    return pd.DataFrame(rows)


def differences_to(judged: JudgedRuns, reference: str) -> list[dict[str, Any]]:
    """Return the verdict on every other run against one, best run first."""
    return [judged.between(run, reference) for run in judged.tables if run != reference]


def difference_forest(
    rows: Sequence[Mapping[str, Any]],
    judged: JudgedRuns,
    styles: Mapping[str, RunStyle],
) -> go.Figure:
    """Each run's difference to one run with its 95 % interval, and the margin as a band."""
    known = [row for row in rows if pd.notna(row["difference"])]
    figure, scale = (
        empty_chart(130 + 52 * max(len(known), 1)),
        judgement.points_scale(judged.metric),
    )
    figure.add_vrect(
        x0=-judged.margin, x1=judged.margin, fillcolor=with_opacity(NEUTRAL, 0.18), line_width=0
    )
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for index, row in enumerate(known):
        style, value = styles[row["second"]], scale * row["difference"]
        if pd.notna(row["low"]):
            figure.add_scatter(
                x=[scale * row["low"], scale * row["high"]],
                y=[-index, -index],
                mode="lines+markers",  # markers alone keep the line's ends off the frame
                marker={"size": 7, "opacity": 0},
                line={"color": with_opacity(style.colour, 0.6), "width": 3},
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=[value],
            y=[-index],
            mode="markers+text",
            marker={"color": style.colour, "size": 12, "symbol": style.symbol},
            text=[_cell_text(row, judged.metric, 2)],
            textposition="top center",
            hovertemplate=f"{_cell_hover(row, judged, styles)}<extra></extra>",
        )
    other = plotly_text(styles[rows[0]["first"]].name) if rows else ""
    title = find_measure(judged.metric).title
    figure.update_xaxes(title_text=f"{title}: points more than {other}")
    label_rows(figure, [styles[row["second"]].name for row in known])
    figure.update_layout(title={"text": f"Difference to {other}; the band is the margin", "x": 0})
    return figure


def difference_forest_alt(
    rows: Sequence[Mapping[str, Any]], judged: JudgedRuns, styles: Mapping[str, RunStyle]
) -> str:
    """The differences to one run in words."""
    names = {run: style.name for run, style in styles.items()}
    parts = [judgement.pair_in_words(row, names, judged.metric, judged.margin) for row in rows]
    return f"{find_measure(judged.metric).title}. {'; '.join(parts) or 'No other run'}."
