"""Runs of a study side by side: scores by a number, scatter over seeds, and who teaches whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure, metric_axis_title, value_format
from app.figures.error_bars import interval_bars
from app.figures.theme import TEMPLATE, RunStyle, plotly_text, with_opacity
from peftcore.analysis.comparison import PairedDifference, interval
from peftcore.analysis.scaling import seed_spread

ROW_HEIGHT = 54
NAME_WIDTH, REASON_WIDTH = 16, 11  # letters of a line, of which a phone shows three columns


def scores_by_value_chart(
    table: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle], axis: str
) -> go.Figure:
    """A line per `line` of the table: mean and 95 % interval over seeds at each `place`."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 420})
    seeds, lines = set(), list(dict.fromkeys(table["line"]))
    span = float(table["place"].max() - table["place"].min()) or 1.0
    for nth, (line, rows) in enumerate(table.groupby("line", sort=False)):
        style = styles[str(line)]
        x_offset = 0.008 * span * (nth - (len(lines) - 1) / 2)  # so that intervals do not overlap
        estimates = {x_value: interval(part[metric]) for x_value, part in rows.groupby("place")}
        seeds |= {estimate.n for estimate in estimates.values()}
        figure.add_scatter(
            x=[x_value + x_offset for x_value in estimates],
            y=[estimate.mean for estimate in estimates.values()],
            customdata=list(estimates),
            error_y=interval_bars(
                pd.DataFrame([vars(estimate) for estimate in estimates.values()]), style.colour
            ),
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash, "width": 2.5},
            marker={"symbol": style.symbol, "size": 10},
            name=plotly_text(style.name),
            hovertemplate=f"<b>{plotly_text(style.name)}</b><br>"
            f"%{{customdata}}: %{{y:{value_format(metric)}}}<extra></extra>",
        )
    figure.update_xaxes(title_text=axis, tickvals=sorted(set(table["place"])))
    figure.update_yaxes(title_text=metric_axis_title(metric))
    title = f"Mean and 95 % interval over {_seed_count_text(seeds)}"
    return figure.update_layout(title={"text": title, "x": 0}, showlegend=True)


def scores_by_value_alt(table: pd.DataFrame, metric: str, axis: str) -> str:
    """The lines in words."""
    form = value_format(metric)
    parts = [
        f"{line} at {x_value:g}: {interval(rows[metric]).mean:{form}}"
        for (line, x_value), rows in table.groupby(["line", "place"], sort=False)
    ]
    return f"{find_measure(metric).title} by {axis.lower()}. {'; '.join(parts) or 'No run yet'}."


def seed_spread_chart(
    table: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle]
) -> go.Figure:
    """Every seed's distance from its run's mean, and their standard deviation, steadiest on top."""
    spread_table = seed_spreads(table, metric)
    figure = go.Figure(
        layout={
            "template": TEMPLATE,
            "height": 120 + ROW_HEIGHT * max(len(spread_table), 1),
            "showlegend": False,
        }
    )
    for index, row in enumerate(spread_table.itertuples()):
        style = styles[row.run]
        values = table.loc[table["run"] == row.run, metric].dropna()
        figure.add_scatter(
            x=(values - values.mean()).abs(),
            y=[-index] * len(values),
            mode="markers",
            marker={"color": with_opacity(style.colour, 0.45), "size": 7},
            hovertemplate=f"a seed %{{x:{value_format(metric)}}} from the mean<extra></extra>",
        )
        figure.add_scatter(
            x=[row.deviation],
            y=[-index],
            mode="markers+text",
            marker={"color": style.colour, "symbol": style.symbol, "size": 13},
            text=[f"{row.deviation:{value_format(metric)}}"],
            textposition="top center",
            hovertemplate=f"<b>{plotly_text(style.name)}</b><br>"
            f"seeds from {row.lowest:{value_format(metric)}} to "
            f"{row.highest:{value_format(metric)}}, {row.n} of them<extra></extra>",
        )
    furthest = [float(max(trace.x)) for trace in figure.data]
    widest = max(furthest, default=1.0)
    figure.update_xaxes(
        title_text=f"{find_measure(metric).title}: distance from the mean over seeds",
        range=[-0.05 * widest, 1.05 * widest] if widest else None,
    )
    figure.update_yaxes(
        tickvals=[-index for index in range(len(spread_table))],
        ticktext=[plotly_text(styles[run].name) for run in spread_table["run"]],
        range=[-len(spread_table) + 0.5, 0.6],
        showgrid=False,
        ticks="",
    )
    title = f"Scatter over {_seed_count_text(set(spread_table['n']))}; shorter is steadier"
    return figure.update_layout(title={"text": title, "x": 0})


def seed_spreads(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each run's standard deviation and range of seeds: run, deviation, lowest, highest, n."""
    rows = []
    for run, seed_rows in table.groupby("run", sort=False):
        estimate = seed_spread(seed_rows[metric].tolist())
        if estimate.deviation is not None:
            rows.append((run, *vars(estimate).values()))
    columns = ["run", "deviation", "lowest", "highest", "n"]
    spread_table = pd.DataFrame(rows, columns=columns)
    return spread_table.sort_values("deviation", kind="stable", ignore_index=True)


def seed_spread_alt(table: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle]) -> str:
    """The scatter in words, steadiest first."""
    form = value_format(metric)
    parts = [
        f"{styles[row.run].name} {row.deviation:{form}} "
        f"(seeds {row.lowest:{form}} to {row.highest:{form}})"
        for row in seed_spreads(table, metric).itertuples()
    ]
    return f"Standard deviation over seeds of {find_measure(metric).title}. {'; '.join(parts)}."


def transfer_heatmap(
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
        shade.append([_gain_share(field, metrics[target]) for target, field in pairs])
        words.append([_gain_text(field, metrics[target]) for target, field in pairs])
        hover.append([_hover_text(field) for field in fields])
    widest = (
        max((abs(share) for row in shade for share in row if share is not None), default=0) or 1
    )
    figure = go.Figure(layout={"template": TEMPLATE, "height": 190 + 92 * len(tasks)})
    figure.add_heatmap(
        z=shade,
        x=list(range(len(tasks))),
        y=list(range(len(tasks))),
        zmin=-widest,
        zmax=widest,
        autocolorscale=True,
        opacity=0.6,  # so that the words in the fields can be read
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
    _name_transfer_axes(figure, [titles[task] for task in tasks], [metrics[task] for task in tasks])
    counts = {field.n for field in gains.values() if field.n}
    title = f"Gain from starting where the source ended, {_seed_count_text(counts)}"
    return figure.update_layout(title={"text": title, "x": 0})


def _name_transfer_axes(figure: go.Figure, titles: Sequence[str], metrics: Sequence[str]) -> None:
    """Name tasks at both axes, targets with the metric they are scored by."""
    names = ["<br>".join(map(plotly_text, wrap(title, NAME_WIDTH))) for title in titles]
    below = [
        f"{name}<br><sup>{plotly_text(find_measure(metric).title)}</sup>"
        for name, metric in zip(names, metrics, strict=True)
    ]
    axis = {"tickvals": list(range(len(names))), "showgrid": False}
    figure.update_xaxes(title_text="Target task", ticktext=below, **axis)
    figure.update_yaxes(title_text="Source task", ticktext=names, autorange="reversed", **axis)


def transfer_heatmap_alt(
    gains: Mapping[tuple[str, str], PairedDifference],
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
) -> str:
    """The matrix in words; fields without runs are left out."""
    parts = [
        f"{titles[source]} to {titles[target]}: "
        f"{_gain_text(field, metrics[target]).replace('<br>', ', ')}"
        for (source, target), field in gains.items()
        if field.n
    ]
    return f"Gain from an intermediate task. {'; '.join(parts) or 'No run yet'}."


def _gain_share(field: PairedDifference | None, metric: str) -> float | None:
    """The gain as a share of the metric's range."""
    return (
        None if field is None or field.mean is None else field.mean / find_measure(metric).maximum
    )


def _gain_text(field: PairedDifference | None, metric: str) -> str:
    """Return a gain with its interval, as a cell shows it."""
    if field is None or field.mean is None:
        return "–"
    form = f"+{value_format(metric)}"
    if field.low is None or field.high is None:
        return f"{field.mean:{form}}<br>{'<br>'.join(wrap(field.reason, REASON_WIDTH))}"
    return f"{field.mean:{form}}<br>{field.low:{form}} to {field.high:{form}}"


def _hover_text(field: PairedDifference | None) -> str:
    if field is None or field.p is None:
        return "not run yet"
    return f"p {field.p:.3g}, {field.n} pairs of seeds"


def _seed_count_text(seeds: set[int]) -> str:
    """ "4 seeds", "3 to 5 seeds"."""
    if not seeds:
        return "no seeds yet"
    low, high = min(seeds), max(seeds)
    if low == high:
        return "one seed" if low == 1 else f"{low} seeds"
    return f"{low} to {high} seeds"
