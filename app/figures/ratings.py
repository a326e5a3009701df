"""Raters' verdicts as charts: means with intervals, shares of verdicts, shortcomings, rankings.

Tables come from `peftcore.analysis.preference` and `agreement`; looks say what is drawn how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.rows import empty_chart, label_rows, two_line_name, wrap_title
from app.figures.theme import NEUTRAL, RunStyle, plotly_text, with_opacity

ROW_HEIGHT = 52  # pixels
# From yes to no; dark enough on white, light enough on black; position and words tell them, too.
VERDICT_COLOURS = ("#2F7D5B", "#7FB89C", "#E0A868", "#C4573A", "#8C5FB0")


@dataclass(frozen=True)
class IntervalRow:
    """A value with its limits, and what it rests on; without a value, `note` says why."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str
    style: RunStyle


def interval_chart(
    rows: Sequence[IntervalRow],
    axis: str,
    title: str,
    *,
    form: str = ".2f",
    reference: float | None = None,
    span: tuple[float, float] | None = None,
) -> go.Figure:
    """One row each, first on top: the value and a bar for its 95 % interval, reasons as words.

    A bar without a limit on one side runs to that edge of the figure and ends in an arrow.
    """
    figure = empty_chart(120 + ROW_HEIGHT * max(len(rows), 1))
    if any(_is_one_sided(row) for row in rows):
        span = span or _value_range(rows)
    if reference is not None:
        figure.add_vline(x=reference, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for index, row in enumerate(rows):
        if row.value is None:
            continue
        if row.low is not None or row.high is not None:
            figure.add_trace(_interval_bar(row, -index, span or (-math.inf, math.inf)))
        figure.add_scatter(
            x=[row.value],
            y=[-index],
            mode="markers+text",
            marker={"color": row.style.colour, "size": 13, "symbol": row.style.symbol},
            text=[f"{row.value:{form}}"],
            textposition="top center",
            hovertemplate=f"<b>{plotly_text(row.name)}</b><br>"
            f"{plotly_text(_row_in_words(row, form))}<extra></extra>",
        )
    label_rows(figure, [row.name if row.value is not None else f"{row.name} ∅" for row in rows])
    figure.update_xaxes(title_text=axis)
    if span:
        figure.update_xaxes(range=span)
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def _is_one_sided(row: IntervalRow) -> bool:
    """Return whether one of two limits is missing."""
    return row.value is not None and (row.low is None) != (row.high is None)


def _value_range(rows: Sequence[IntervalRow]) -> tuple[float, float]:
    """A range that shows every value and limit, with some room for arrows."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    margin = 0.15 * (max(ends) - min(ends) or 1.0)
    return min(ends) - margin, max(ends) + margin


def _interval_bar(row: IntervalRow, y: float, span: tuple[float, float]) -> go.Scatter:
    """The interval; transparent markers keep its ends off the frame, arrows say they are none."""
    inset = 0.02 * (span[1] - span[0])
    ends = [
        span[0] + inset if row.low is None else row.low,
        span[1] - inset if row.high is None else row.high,
    ]
    arrows = ("triangle-left", row.low is None), ("triangle-right", row.high is None)
    return go.Scatter(
        x=ends,
        y=[y, y],
        mode="lines+markers",
        marker={
            "size": [16 if missing else 7 for _, missing in arrows],
            "opacity": [1 if missing else 0 for _, missing in arrows],
            "symbol": [symbol if missing else "circle" for symbol, missing in arrows],
            "color": row.style.colour,
        },
        line={"color": with_opacity(row.style.colour, 0.45), "width": 7},
        hoverinfo="skip",
    )


def _row_in_words(row: IntervalRow, form: str) -> str:
    """Return a value with its limits and note in words."""
    if row.value is None:
        return row.note
    limits = ""
    if row.low is not None and row.high is not None:
        limits = f", 95 % interval {row.low:{form}} to {row.high:{form}}"
    elif row.low is not None:
        limits = f", 95 % interval from {row.low:{form}} on, without upper limit"
    elif row.high is not None:
        limits = f", 95 % interval up to {row.high:{form}}, without lower limit"
    return f"{row.value:{form}}{limits}; {row.note}" if row.note else f"{row.value:{form}}{limits}"


def interval_chart_alt(rows: Sequence[IntervalRow], title: str, form: str = ".2f") -> str:
    """The rows in words."""
    rows_text = "; ".join(f"{row.name}: {_row_in_words(row, form)}" for row in rows)
    return f"{title}. {rows_text or 'None'}."


def verdict_share_bars(
    table: pd.DataFrame, by: str, verdicts: Sequence[str], names: Mapping[str, str], title: str
) -> go.Figure:
    """One bar per value of `by`, split by verdict; `table` has `by`, verdict, count, share."""
    groups = list(dict.fromkeys(table[by]))
    figure = empty_chart(150 + ROW_HEIGHT * max(len(groups), 1))
    for verdict, colour in zip(verdicts, VERDICT_COLOURS, strict=False):
        rows = table[table["verdict"] == verdict]
        figure.add_bar(
            y=[-groups.index(group) for group in rows[by]],
            x=rows["share"],
            orientation="h",
            name=plotly_text(verdict.capitalize()),
            marker={"color": with_opacity(colour, 0.85), "line": {"color": colour, "width": 1}},
            text=[f"{share:.0%}" if share >= 0.06 else "" for share in rows["share"]],
            textposition="inside",
            insidetextfont={
                "color": "#FFFFFF"
                if colour in VERDICT_COLOURS[:1] + VERDICT_COLOURS[3:]
                else "#1B2430"
            },
            customdata=rows[["count"]],
            hovertemplate=f"{plotly_text(verdict)}: %{{customdata[0]}}, %{{x:.0%}}<extra></extra>",
            width=0.6,
        )
    counts = table.groupby(by)["count"].sum()
    row_names = [f"{names.get(group, str(group))} · n = {counts[group]}" for group in groups]
    label_rows(figure, row_names)
    figure.update_xaxes(title_text="Share of verdicts", range=[0, 1], tickformat=".0%")
    figure.update_layout(
        title={"text": title, "x": 0},
        barmode="stack",
        showlegend=True,
        legend={"traceorder": "normal"},
    )
    return figure


def verdict_share_alt(table: pd.DataFrame, by: str, names: Mapping[str, str]) -> str:
    """The bars in words."""
    parts = []
    for group, rows in table.groupby(by, sort=False):
        shares_text = ", ".join(f"{row.verdict} {row.share:.0%}" for row in rows.itertuples())
        parts.append(f"{names.get(group, group)}: {shares_text} of {rows['count'].sum()}")
    return f"Share of each verdict. {'; '.join(parts) or 'None'}."


def shortcoming_heatmap(
    table: pd.DataFrame,
    by: str,
    names: Mapping[str, str],
    words: Mapping[str, str],
    title: str,
) -> go.Figure:
    """Shortcomings (columns) by groups of verdicts (rows), their shares as shade."""
    groups = list(dict.fromkeys(table[by]))
    faults = list(dict.fromkeys(table["shortcoming"]))
    grid = table.pivot(index=by, columns="shortcoming", values="share").loc[groups, faults]
    counts = table.pivot(index=by, columns="shortcoming", values="count").loc[groups, faults]
    figure = empty_chart(190 + 44 * len(groups))
    figure.add_heatmap(
        z=grid.to_numpy(),
        x=list(range(len(faults))),
        y=list(range(len(groups))),
        text=counts.to_numpy(),
        zmin=0,
        zmax=max(0.2, float(grid.to_numpy().max(initial=0))),
        colorscale=[
            [0, with_opacity(VERDICT_COLOURS[3], 0.04)],
            [1, with_opacity(VERDICT_COLOURS[3], 0.7)],
        ],
        showscale=False,
        hovertemplate="%{text} verdicts, %{z:.0%}<extra></extra>",
    )
    rows, columns = zip(*np.ndindex(grid.shape), strict=True)
    figure.add_scatter(  # numbers in the page's own text colour, to be read on light and dark
        x=columns,
        y=rows,
        mode="text",
        text=[f"{share:.0%}" for share in grid.to_numpy().ravel()],
        hoverinfo="skip",
    )
    figure.update_xaxes(
        tickvals=list(range(len(faults))),
        ticktext=[wrap_title(words.get(fault, fault), 13) for fault in faults],
        showgrid=False,
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        tickvals=list(range(len(groups))),
        ticktext=[two_line_name(names.get(group, str(group))) for group in groups],
        showgrid=False,
        autorange="reversed",
    )
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def shortcoming_heatmap_alt(
    table: pd.DataFrame, by: str, names: Mapping[str, str], words: Mapping[str, str]
) -> str:
    """Each row's most frequent shortcoming in words."""
    parts = []
    for group, rows in table.groupby(by, sort=False):
        top = rows.sort_values("share", ascending=False).iloc[0]
        most = f"most often {words.get(top['shortcoming'], top['shortcoming'])} {top['share']:.0%}"
        mention = most if top["count"] else "none ticked"
        parts.append(f"{names.get(group, group)}: {mention} of {top['verdicts']} verdicts")
    return f"Shortcomings. {'; '.join(parts) or 'None'}."


def human_against_metric_chart(
    table: pd.DataFrame, metric: str, words: str, styles: Mapping[str, RunStyle], title: str
) -> go.Figure:
    """The human score of each item against an automatic metric, coloured by method.

    Items of one method in one place are one mark, whose area grows with how many they are.
    """
    figure = empty_chart(460)
    grouped = table.groupby(["source", metric, "human"], sort=False)["explanation"]
    marks = grouped.agg(["first", "size"]).reset_index()
    for source, rows in marks.groupby("source", sort=False):
        style = styles[str(source)]
        rows = rows.sort_values("size", ascending=False, kind="stable")
        more = [f" and {size - 1} more" if size > 1 else "" for size in rows["size"]]
        figure.add_scatter(
            x=rows[metric],
            y=rows["human"],
            mode="markers",
            name=plotly_text(style.name),
            marker={
                "color": with_opacity(style.colour, 0.45),
                "size": 10 * np.sqrt(rows["size"]),
                "symbol": style.symbol,
                "line": {"color": style.colour, "width": 1.5},
            },
            cliponaxis=False,
            customdata=[
                [plotly_text(str(explanation)[:90]) + more_text]
                for explanation, more_text in zip(rows["first"], more, strict=True)
            ],
            hovertemplate=f"<b>{plotly_text(style.name)}</b><br>%{{customdata[0]}}<br>"
            "human %{y:.2f}, metric %{x:.3g}<extra></extra>",
        )
    figure.update_xaxes(title_text=words)
    figure.update_yaxes(title_text="Human score of the item (0 to 1)", range=[-0.1, 1.1])
    figure.update_layout(title={"text": title, "x": 0}, showlegend=True)
    return figure


def win_chance_heatmap(table: pd.DataFrame, names: Mapping[str, str], title: str) -> go.Figure:
    """Draw how likely the row's method beats the column's, ties aside."""
    figure = empty_chart(180 + 48 * len(table))
    ticks = [plotly_text(names.get(str(method), str(method))) for method in table.index]
    figure.add_heatmap(
        z=table.to_numpy(),
        x=list(range(len(ticks))),
        y=list(range(len(ticks))),
        zmin=0,
        zmax=1,
        colorscale=[
            [0, with_opacity(VERDICT_COLOURS[3], 0.6)],
            [0.5, with_opacity(NEUTRAL, 0.08)],
            [1, with_opacity(VERDICT_COLOURS[0], 0.6)],
        ],
        showscale=False,
        hovertemplate="%{z:.0%}<extra></extra>",
    )
    cells = [(y, x) for y in range(len(ticks)) for x in range(len(ticks)) if x != y]
    figure.add_scatter(
        x=[x for _, x in cells],
        y=[y for y, _ in cells],
        mode="text",
        text=[f"{table.iat[y, x]:.0%}" for y, x in cells],
        hoverinfo="skip",
    )
    for axis, words in ((figure.update_xaxes, "is beaten"), (figure.update_yaxes, "beats")):
        axis(tickvals=list(range(len(ticks))), ticktext=ticks, title_text=words, showgrid=False)
    headings = [wrap_title(names.get(str(method), str(method)), 13) for method in table.index]
    figure.update_xaxes(ticktext=headings, tickfont={"size": 11})
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(title={"text": title, "x": 0})
    return figure
