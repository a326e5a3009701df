"""What people said, drawn: means with intervals, shares of verdicts, shortcomings, rankings.

Tables come from `peftcore.analysis.preference` and `agreement`; looks say what is drawn how.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.rows import broken, framed, name_rows, wrapped
from app.theme import NEUTRAL, Look, faint, text

ROW = 52  # pixels
# From yes to no; dark enough on white and light enough on black, and told apart by place and words.
SCALE = ("#2F7D5B", "#7FB89C", "#E0A868", "#C4573A", "#8C5FB0")


@dataclass(frozen=True)
class Row:
    """A value with its limits, and what it rests on; without a value, `note` says why."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str
    look: Look


def intervals(
    rows: Sequence[Row],
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
    figure = framed(120 + ROW * max(len(rows), 1))
    if any(_open(row) for row in rows):
        span = span or _room(rows)
    if reference is not None:
        figure.add_vline(x=reference, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for place, row in enumerate(rows):
        if row.value is None:
            continue
        if row.low is not None or row.high is not None:
            figure.add_trace(_bar(row, -place, span or (-math.inf, math.inf)))
        figure.add_scatter(
            x=[row.value],
            y=[-place],
            mode="markers+text",
            marker={"color": row.look.colour, "size": 13, "symbol": row.look.symbol},
            text=[f"{row.value:{form}}"],
            textposition="top center",
            hovertemplate=f"<b>{text(row.name)}</b><br>{text(_words(row, form))}<extra></extra>",
        )
    name_rows(figure, [row.name if row.value is not None else f"{row.name} ∅" for row in rows])
    figure.update_xaxes(title_text=axis)
    if span:
        figure.update_xaxes(range=span)
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def _open(row: Row) -> bool:
    """Whether one of two limits is missing."""
    return row.value is not None and (row.low is None) != (row.high is None)


def _room(rows: Sequence[Row]) -> tuple[float, float]:
    """A range that shows every value and limit, with some room for arrows."""
    known = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    margin = 0.15 * (max(known) - min(known) or 1.0)
    return min(known) - margin, max(known) + margin


def _bar(row: Row, place: float, span: tuple[float, float]) -> go.Scatter:
    """The interval; transparent markers keep its ends off the frame, arrows say they are none."""
    inward = 0.02 * (span[1] - span[0])
    ends = [
        span[0] + inward if row.low is None else row.low,
        span[1] - inward if row.high is None else row.high,
    ]
    arrows = ("triangle-left", row.low is None), ("triangle-right", row.high is None)
    return go.Scatter(
        x=ends,
        y=[place, place],
        mode="lines+markers",
        marker={
            "size": [16 if missing else 7 for _, missing in arrows],
            "opacity": [1 if missing else 0 for _, missing in arrows],
            "symbol": [symbol if missing else "circle" for symbol, missing in arrows],
            "color": row.look.colour,
        },
        line={"color": faint(row.look.colour, 0.45), "width": 7},
        hoverinfo="skip",
    )


def _words(row: Row, form: str) -> str:
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


def intervals_alt(rows: Sequence[Row], title: str, form: str = ".2f") -> str:
    """The rows in words."""
    return f"{title}. {'; '.join(f'{row.name}: {_words(row, form)}' for row in rows) or 'None'}."


def shares(
    table: pd.DataFrame, by: str, verdicts: Sequence[str], names: Mapping[str, str], title: str
) -> go.Figure:
    """One bar per value of `by`, split by verdict; `table` has `by`, verdict, count, share."""
    groups = list(dict.fromkeys(table[by]))
    figure = framed(150 + ROW * max(len(groups), 1))
    for verdict, colour in zip(verdicts, SCALE, strict=False):
        rows = table[table["verdict"] == verdict]
        figure.add_bar(
            y=[-groups.index(group) for group in rows[by]],
            x=rows["share"],
            orientation="h",
            name=text(verdict.capitalize()),
            marker={"color": faint(colour, 0.85), "line": {"color": colour, "width": 1}},
            text=[f"{share:.0%}" if share >= 0.06 else "" for share in rows["share"]],
            textposition="inside",
            insidetextfont={"color": "#FFFFFF" if colour in SCALE[:1] + SCALE[3:] else "#1B2430"},
            customdata=rows[["count"]],
            hovertemplate=f"{text(verdict)}: %{{customdata[0]}}, %{{x:.0%}}<extra></extra>",
            width=0.6,
        )
    counts = table.groupby(by)["count"].sum()
    told = [f"{names.get(group, str(group))} · n = {counts[group]}" for group in groups]
    name_rows(figure, told)
    figure.update_xaxes(title_text="Share of verdicts", range=[0, 1], tickformat=".0%")
    figure.update_layout(
        title={"text": title, "x": 0},
        barmode="stack",
        showlegend=True,
        legend={"traceorder": "normal"},
    )
    return figure


def shares_alt(table: pd.DataFrame, by: str, names: Mapping[str, str]) -> str:
    """The bars in words."""
    parts = []
    for group, rows in table.groupby(by, sort=False):
        said = ", ".join(f"{row.verdict} {row.share:.0%}" for row in rows.itertuples())
        parts.append(f"{names.get(group, group)}: {said} of {rows['count'].sum()}")
    return f"Share of each verdict. {'; '.join(parts) or 'None'}."


def mentions(
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
    figure = framed(190 + 44 * len(groups))
    figure.add_heatmap(
        z=grid.to_numpy(),
        x=list(range(len(faults))),
        y=list(range(len(groups))),
        text=counts.to_numpy(),
        zmin=0,
        zmax=max(0.2, float(grid.to_numpy().max(initial=0))),
        colorscale=[[0, faint(SCALE[3], 0.04)], [1, faint(SCALE[3], 0.7)]],
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
        ticktext=[broken(words.get(fault, fault), 13) for fault in faults],
        showgrid=False,
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        tickvals=list(range(len(groups))),
        ticktext=[wrapped(names.get(group, str(group))) for group in groups],
        showgrid=False,
        autorange="reversed",
    )
    figure.update_layout(title={"text": title, "x": 0})
    return figure


def mentions_alt(
    table: pd.DataFrame, by: str, names: Mapping[str, str], words: Mapping[str, str]
) -> str:
    """Each row's most frequent shortcoming in words."""
    parts = []
    for group, rows in table.groupby(by, sort=False):
        top = rows.sort_values("share", ascending=False).iloc[0]
        most = f"most often {words.get(top['shortcoming'], top['shortcoming'])} {top['share']:.0%}"
        said = most if top["count"] else "none ticked"
        parts.append(f"{names.get(group, group)}: {said} of {top['verdicts']} verdicts")
    return f"Shortcomings. {'; '.join(parts) or 'None'}."


def against(
    table: pd.DataFrame, metric: str, words: str, looks: Mapping[str, Look], title: str
) -> go.Figure:
    """The human score of each item against an automatic metric, coloured by method.

    Items of one method in one place are one mark, whose area grows with how many they are.
    """
    figure = framed(460)
    spots = table.groupby(["source", metric, "human"], sort=False)["explanation"]
    marks = spots.agg(["first", "size"]).reset_index()
    for source, rows in marks.groupby("source", sort=False):
        look = looks[str(source)]
        rows = rows.sort_values("size", ascending=False, kind="stable")
        more = [f" and {size - 1} more" if size > 1 else "" for size in rows["size"]]
        figure.add_scatter(
            x=rows[metric],
            y=rows["human"],
            mode="markers",
            name=text(look.name),
            marker={
                "color": faint(look.colour, 0.45),
                "size": 10 * np.sqrt(rows["size"]),
                "symbol": look.symbol,
                "line": {"color": look.colour, "width": 1.5},
            },
            cliponaxis=False,
            customdata=[
                [text(str(said)[:90]) + rest]
                for said, rest in zip(rows["first"], more, strict=True)
            ],
            hovertemplate=f"<b>{text(look.name)}</b><br>%{{customdata[0]}}<br>"
            "human %{y:.2f}, metric %{x:.3g}<extra></extra>",
        )
    figure.update_xaxes(title_text=words)
    figure.update_yaxes(title_text="Human score of the item (0 to 1)", range=[-0.1, 1.1])
    figure.update_layout(title={"text": title, "x": 0}, showlegend=True)
    return figure


def chances(table: pd.DataFrame, names: Mapping[str, str], title: str) -> go.Figure:
    """How likely the row's method beats the column's, ties aside."""
    figure = framed(180 + 48 * len(table))
    ticks = [text(names.get(str(method), str(method))) for method in table.index]
    figure.add_heatmap(
        z=table.to_numpy(),
        x=list(range(len(ticks))),
        y=list(range(len(ticks))),
        zmin=0,
        zmax=1,
        colorscale=[
            [0, faint(SCALE[3], 0.6)],
            [0.5, faint(NEUTRAL, 0.08)],
            [1, faint(SCALE[0], 0.6)],
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
    headings = [broken(names.get(str(method), str(method)), 13) for method in table.index]
    figure.update_xaxes(ticktext=headings, tickfont={"size": 11})
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(title={"text": title, "x": 0})
    return figure
