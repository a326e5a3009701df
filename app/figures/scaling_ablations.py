"""Runs of a study side by side: scores by a number, scatter over seeds, and who teaches whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import axis_title, digits, measure
from app.theme import NEUTRAL, TEMPLATE, Look, colour, faint, text
from peftcore.analysis.comparison import PairedDifference, interval
from peftcore.analysis.scaling import deviation_interval

GAIN, LOSS = colour("spt"), colour("prompt_tuning")
ROW = 54


def by_place(table: pd.DataFrame, metric: str, looks: Mapping[str, Look], axis: str) -> go.Figure:
    """A line per `line` of the table: mean and 95 % interval over seeds at each `place`."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    seeds, lines = set(), list(dict.fromkeys(table["line"]))
    span = float(table["place"].max() - table["place"].min()) or 1.0
    for nth, (line, rows) in enumerate(table.groupby("line", sort=False)):
        look = looks[str(line)]
        aside = 0.008 * span * (nth - (len(lines) - 1) / 2)  # so that intervals can be told apart
        found = {place: interval(part[metric]) for place, part in rows.groupby("place")}
        seeds |= {each.n for each in found.values()}
        figure.add_scatter(
            x=[place + aside for place in found],
            y=[each.mean for each in found.values()],
            customdata=list(found),
            error_y={
                "array": [
                    0 if e.high is None or e.mean is None else e.high - e.mean
                    for e in found.values()
                ],
                "color": faint(look.colour, 0.6),
                "thickness": 2,
                "width": 6,
            },
            mode="lines+markers",
            line={"color": look.colour, "dash": look.dash, "width": 2.5},
            marker={"symbol": look.symbol, "size": 10},
            name=text(look.name),
            hovertemplate=f"<b>{text(look.name)}</b><br>%{{customdata}}: %{{y:{digits(metric)}}}"
            "<extra></extra>",
        )
    figure.update_xaxes(title_text=axis, tickvals=sorted(set(table["place"])))
    figure.update_yaxes(title_text=axis_title(metric))
    title = f"Mean and 95 % interval over {_counts(seeds)}"
    return figure.update_layout(title={"text": title, "x": 0}, showlegend=True)


def by_place_alt(table: pd.DataFrame, metric: str, axis: str) -> str:
    """The lines in words."""
    form = digits(metric)
    parts = [
        f"{line} at {place:g}: {interval(rows[metric]).mean:{form}}"
        for (line, place), rows in table.groupby(["line", "place"], sort=False)
    ]
    return f"{measure(metric).title} by {axis.lower()}. {'; '.join(parts) or 'No run yet'}."


def steadiness(table: pd.DataFrame, metric: str, looks: Mapping[str, Look]) -> go.Figure:
    """Standard deviation over seeds with its 95 % interval, steadiest on top."""
    found = spreads(table, metric)
    figure = go.Figure(
        layout={"template": TEMPLATE, "height": 120 + ROW * max(len(found), 1), "showlegend": False}
    )
    for place, row in enumerate(found.itertuples()):
        look = looks[row.run]
        figure.add_scatter(
            x=[row.low, row.high],
            y=[-place, -place],
            mode="lines",
            line={"color": faint(look.colour, 0.45), "width": 7},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[row.deviation],
            y=[-place],
            mode="markers+text",
            marker={"color": look.colour, "symbol": look.symbol, "size": 13},
            text=[f"{row.deviation:{digits(metric)}}"],
            textposition="top center",
            hovertemplate=f"<b>{text(look.name)}</b><br>95 % interval {row.low:{digits(metric)}} "
            f"to {row.high:{digits(metric)}}, {row.n} seeds<extra></extra>",
        )
    widest = float(found["high"].max()) if len(found) else 1.0
    figure.update_xaxes(
        title_text=f"{measure(metric).title}: standard deviation over seeds",
        range=[-0.05 * widest, 1.05 * widest] if widest else None,
    )
    figure.update_yaxes(
        tickvals=[-place for place in range(len(found))],
        ticktext=[text(looks[run].name) for run in found["run"]],
        range=[-len(found) + 0.5, 0.6],
        showgrid=False,
        ticks="",
    )
    title = f"Scatter over {_counts(set(found['n']))}; shorter is steadier"
    return figure.update_layout(title={"text": title, "x": 0})


def spreads(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each run's standard deviation with its interval: run, deviation, low, high, n."""
    rows = []
    for run, seeds in table.groupby("run", sort=False):
        found = deviation_interval(seeds[metric].tolist())
        if found.deviation is not None:
            rows.append((run, found.deviation, found.low, found.high, found.n))
    made = pd.DataFrame(rows, columns=["run", "deviation", "low", "high", "n"])
    return made.sort_values("deviation", kind="stable", ignore_index=True)


def steadiness_alt(table: pd.DataFrame, metric: str, looks: Mapping[str, Look]) -> str:
    """The scatter in words, steadiest first."""
    form = digits(metric)
    parts = [
        f"{looks[row.run].name} {row.deviation:{form}} ({row.low:{form}} to {row.high:{form}})"
        for row in spreads(table, metric).itertuples()
    ]
    return f"Standard deviation over seeds of {measure(metric).title}. {'; '.join(parts)}."


def matrix(
    gains: Mapping[tuple[str, str], PairedDifference],
    tasks: Sequence[str],
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
) -> go.Figure:
    """Source task × target task: how much starting from the source adds, with its interval.

    Each column is shaded by its own metric's range, because targets may be scored differently.
    """
    shade, words, hover = [], [], []
    for source in tasks:
        fields = [gains.get((source, target)) for target in tasks]
        pairs = list(zip(tasks, fields, strict=True))
        shade.append([_share(field, metrics[target]) for target, field in pairs])
        words.append([_gain(field, metrics[target]) for target, field in pairs])
        hover.append([_told(field) for field in fields])
    widest = max((abs(v) for row in shade for v in row if v is not None), default=0) or 1
    figure = go.Figure(layout={"template": TEMPLATE, "height": 190 + 74 * len(tasks)})
    figure.add_heatmap(
        z=shade,
        x=list(range(len(tasks))),
        y=list(range(len(tasks))),
        zmin=-widest,
        zmax=widest,
        colorscale=[[0, faint(LOSS, 0.7)], [0.5, faint(NEUTRAL, 0.08)], [1, faint(GAIN, 0.7)]],
        showscale=False,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=True,
    )
    size = range(len(tasks))
    figure.add_scatter(
        x=[x for _ in size for x in size],
        y=[y for y in size for _ in size],
        mode="text",
        text=[words[y][x] for y in size for x in size],
        hoverinfo="skip",
        showlegend=False,
    )
    names = ["<br>".join(map(text, wrap(titles[task], 24))) for task in tasks]
    below = [
        f"{name}<br><sup>{text(measure(metrics[task]).title)}</sup>"
        for name, task in zip(names, tasks, strict=True)
    ]
    ticks = list(size)
    figure.update_xaxes(title_text="Target task", tickvals=ticks, ticktext=below, showgrid=False)
    figure.update_yaxes(
        title_text="Source task",
        tickvals=ticks,
        ticktext=names,
        autorange="reversed",
        showgrid=False,
    )
    counts = {field.n for field in gains.values() if field.n}
    title = f"Gain from starting where the source ended, {_counts(counts)}"
    return figure.update_layout(title={"text": title, "x": 0})


def matrix_alt(
    gains: Mapping[tuple[str, str], PairedDifference],
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
) -> str:
    """The matrix in words; fields without runs are left out."""
    parts = [
        f"{titles[source]} to {titles[target]}: "
        f"{_gain(field, metrics[target]).replace('<br>', ', ')}"
        for (source, target), field in gains.items()
        if field.n
    ]
    return f"Gain from an intermediate task. {'; '.join(parts) or 'No run yet'}."


def _share(field: PairedDifference | None, metric: str) -> float | None:
    """The gain as a share of the metric's range."""
    return None if field is None or field.mean is None else field.mean / measure(metric).maximum


def _gain(field: PairedDifference | None, metric: str) -> str:
    if field is None or field.mean is None:
        return "–"
    form = f"+{digits(metric)}"
    if field.low is None or field.high is None:
        return f"{field.mean:{form}}<br>one seed"
    return f"{field.mean:{form}}<br>{field.low:{form}} to {field.high:{form}}"


def _told(field: PairedDifference | None) -> str:
    if field is None or field.p is None:
        return "not run yet"
    return f"p {field.p:.3g}, {field.n} pairs of seeds"


def _counts(seeds: set[int]) -> str:
    """ "4 seeds", "3 to 5 seeds"."""
    if not seeds:
        return "no seeds yet"
    low, high = min(seeds), max(seeds)
    if low == high:
        return "one seed" if low == 1 else f"{low} seeds"
    return f"{low} to {high} seeds"
