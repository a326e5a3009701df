"""Runs side by side: scores with intervals, scores against size, differences to a reference.

Tables come from `peftcore.analysis.comparison`; looks say what each run is called and drawn with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.figures.rows import empty_chart, label_rows, wrap_title
from app.figures.theme import NEUTRAL, RunStyle, plotly_text, with_opacity
from peftcore.analysis.comparison import pareto
from peftcore.analysis.judgement import value_format as value_format
from peftcore.metrics.scores import find_measure as find_measure
from peftcore.metrics.scores import metric_range

ROW_HEIGHT = 58  # pixels of a run's row
SEED_OFFSET = 0.19  # how far below the mean the single seeds stand, in rows
SEED_STEP = 0.11  # how far equal seeds stand below one another
MAX_STACK = 0.28  # how far the last of many equal seeds stands below the first
TITLE_WIDTH = 34  # characters of a title's line on a phone
TITLE_LINE = 19  # pixels of a further one
REFERENCE_LINE = 15  # pixels of the name of a line
FAR = 1.5  # widths of all scores, from which a line is named at the edge and not drawn
LEAST_SHARE = 0.1  # of what a metric can be that an axis shows, where a line is too far for it


def metric_axis_title(metric: str) -> str:
    """The metric with its range and direction."""
    info = find_measure(metric)
    direction_text = "" if info.better == "higher" else ", lower is better"
    return f"{info.title} (0 to {info.maximum:g}{direction_text})"


def score_intervals(
    summary: pd.DataFrame,
    table: pd.DataFrame,
    metric: str,
    styles: Mapping[str, RunStyle],
    references: Mapping[str, float] | None = None,
    title: str = "",
    bands: Sequence[tuple[float, float]] = (),
) -> go.Figure:
    """One row per run, best on top: a bar for the 95 % interval, the mean, a dot for each seed.

    `references` are dashed lines, such as the score of chance, and bands intervals of them; title
    says more than what the bars are. A run with a `reason` and no limits has a hollow mark.
    """
    rows = summary.dropna(subset=["mean"]).reset_index(drop=True)
    figure = empty_chart(120 + ROW_HEIGHT * max(len(rows), 1))
    for index, row in rows.iterrows():
        style, seeds = styles[row["run"]], table[table["run"] == row["run"]]
        figure.add_traces(_run_traces(row, seeds, metric, style, -float(index)))
    for low, high in bands:
        figure.add_vrect(low, high, fillcolor=NEUTRAL, opacity=0.12, line_width=0, layer="below")
    figure.update_xaxes(title_text=metric_axis_title(metric), **_axis_bounds(metric))
    if len(rows):
        _draw_references(figure, references or {}, metric, _shown_range(rows, table, metric, bands))
    label_rows(figure, [styles[run].name for run in rows["run"]])
    lines = wrap_title(title or f"95 % interval, {_seed_count_text(rows)}", TITLE_WIDTH)
    extra = lines.count("<br>") * TITLE_LINE
    extra += max(0, len(references or ()) - 1) * REFERENCE_LINE
    figure.update_layout(
        title={
            "text": lines,
            "x": 0,
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 20},
        },
        margin={"t": 58 + extra},
        height=figure.layout.height + extra,
    )
    return figure


def _shown_range(
    rows: pd.DataFrame, table: pd.DataFrame, metric: str, bands: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return a range with every seed, limit and band in it, which small differences do not fill."""
    seeds = table[table["run"].isin(rows["run"])]
    ends = [*score_range(rows, seeds, metric), *(end for band in bands for end in band)]
    low, high = min(ends), max(ends)
    least, most = metric_range(metric)
    missing = LEAST_SHARE * (most - least) - (high - low) if math.isfinite(most - least) else 0
    return low - max(missing, 0), high


def _draw_references(
    figure: go.Figure, references: Mapping[str, float], metric: str, span: tuple[float, float]
) -> None:
    """Draw dashed lines with their names above, and say where one is that lies far from all scores.

    A line far away would push all that is compared to one side.
    """
    low, high = span
    reach = FAR * (high - low)
    near = [value for value in references.values() if low - reach <= value <= high + reach]
    for index, (name, value) in enumerate(references.items()):
        label = {"yanchor": "bottom", "yshift": index * REFERENCE_LINE}  # one above the other
        if value in near:
            figure.add_vline(
                x=value,
                line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
                annotation=label | {"text": plotly_text(name), "xanchor": _anchor(value, metric)},
                annotation_position="top",
            )
            continue
        words = f"{plotly_text(name)}: {value:{value_format(metric)}}"
        left = value < low
        figure.add_annotation(
            text=f"◂ {words}" if left else f"{words} ▸",
            xref="x domain",
            x=0 if left else 1,
            xanchor="left" if left else "right",
            yref="y domain",
            y=1,
            showarrow=False,
            **label,
        )
    if len(near) < len(references):
        room = 0.04 * (high - low)
        figure.update_xaxes(range=[min([low, *near]) - room, max([high, *near]) + room])


def _anchor(value: float, metric: str) -> str:
    """Return on which side of a line its name stands: never beyond the end of the axis."""
    low, high = metric_range(metric)
    if not math.isfinite(high - low):
        return "center"
    share = (value - low) / (high - low)
    return "left" if share < 0.2 else "right" if share > 0.8 else "center"


def score_range(summary: pd.DataFrame, table: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Return a range with every seed and limit in it, for panels on one axis."""
    ends = pd.concat([table[metric], summary["low"], summary["high"]]).dropna()
    room = 0.06 * (float(ends.max() - ends.min()) or 1.0)
    bounds = _axis_bounds(metric)
    low, high = float(ends.min()) - room, float(ends.max()) + room
    return max(low, bounds.get("minallowed", low)), min(high, bounds.get("maxallowed", high))


def _axis_bounds(metric: str) -> dict[str, float]:
    """Bound an axis by what a metric can be, with room for marks at the ends."""
    low, high = metric_range(metric)
    if not math.isfinite(high - low):
        return {}
    room = 0.03 * (high - low)
    return {"minallowed": low - room, "maxallowed": high + room}


def _run_traces(
    row: pd.Series, seeds: pd.DataFrame, metric: str, style: RunStyle, y: float
) -> list[go.Scatter]:
    """Interval, mean and seeds of one run."""
    value_form, name = value_format(metric), plotly_text(style.name)
    hollow = pd.isna(row["low"]) and row["n"] > 1  # its mean is no summary of its seeds
    traces = [
        go.Scatter(
            x=seeds[metric],
            y=(y - SEED_OFFSET - _seed_offsets(seeds[metric])).tolist(),
            mode="markers",
            marker={"color": with_opacity(style.colour, 0.55), "size": 7, "symbol": "circle"},
            customdata=seeds[["seed"]],
            hovertemplate=f"{name}, seed %{{customdata[0]}}: %{{x:{value_form}}}<extra></extra>",
        ),
        go.Scatter(
            x=[row["mean"]],
            y=[y],
            mode="markers+text",
            marker={
                "color": style.colour,
                "size": 13,
                "symbol": f"{style.symbol}-open" if hollow else style.symbol,
            },
            text=[f"{row['mean']:{value_form}}"],
            textposition="top center",
            cliponaxis=False,  # a score at the end of the axis is read, too
            hovertemplate=f"<b>{name}</b><br>{_mean_in_words(row, value_form)}<extra></extra>",
        ),
    ]
    if pd.notna(row["low"]):
        bar = go.Scatter(
            x=[row["low"], row["high"]],
            y=[y, y],
            mode="lines+markers",  # markers alone keep the bar's ends off the frame
            marker={"size": 7, "opacity": 0},
            line={"color": with_opacity(style.colour, 0.45), "width": 7},
            hoverinfo="skip",
        )
        traces.insert(0, bar)
    return traces


def _seed_offsets(values: pd.Series) -> pd.Series:
    """How far below one another equal seeds stand, closer where many are equal."""
    nth = values.groupby(values).cumcount()
    return nth * min(SEED_STEP, MAX_STACK / max(nth.max(), 1)) if len(nth) else nth


def _mean_in_words(row: pd.Series, value_form: str) -> str:
    """A mean with its limits and number of seeds."""
    mean = f"mean {row['mean']:{value_form}}"
    if pd.isna(row["low"]):
        if row["n"] == 1:
            return f"{mean}, one seed"
        return f"{mean}, {row.get('reason') or 'seeds in two groups'}"
    return (
        f"{mean}, 95 % interval {row['low']:{value_form}} to {row['high']:{value_form}}, "
        f"{row['n']} seeds"
    )


def score_intervals_alt(summary: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle]) -> str:
    """The chart of scores in words, best first."""
    rows, form = summary.dropna(subset=["mean"]), value_format(metric)
    parts = [
        f"{styles[row['run']].name}: {_mean_in_words(row, form)}" for _, row in rows.iterrows()
    ]
    return f"{find_measure(metric).title} by run. {'; '.join(parts) or 'No scores yet'}."


def score_by_parameters(
    summary: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle]
) -> go.Figure:
    """Score against trainable parameters on a log axis, with the front that no run beats."""
    rows = summary.dropna(subset=["mean", "trainable"])
    figure = empty_chart(440)
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
        figure.add_trace(_run_point(row, metric, styles[row["run"]]))
    ticks = log_ticks(rows["trainable"].tolist())
    figure.update_xaxes(
        title_text="Trainable parameters of one adapter (log scale)",
        type="log",
        tickvals=ticks,
        ticktext=[f"{tick:,}" for tick in ticks],
    )
    figure.update_yaxes(title_text=metric_axis_title(metric))
    title = f"Score against size, {_seed_count_text(rows)}"
    figure.update_layout(title={"text": title, "x": 0}, showlegend=True)
    return figure


def log_ticks(sizes: list[float]) -> list[int]:
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
    sign = 1 if find_measure(metric).better == "higher" else -1
    return pareto([sign * mean for mean in rows["mean"]], rows["trainable"].tolist())


def _run_point(row: pd.Series, metric: str, style: RunStyle) -> go.Scatter:
    """Return one run at its size and score, with its interval."""
    limited = pd.notna(row["low"])
    mean_text = _mean_in_words(row, value_format(metric))
    words = f"{row['trainable']:,.0f} trainable parameters<br>{mean_text}"
    return go.Scatter(
        x=[row["trainable"]],
        y=[row["mean"]],
        error_y={
            "array": [row["high"] - row["mean"]] if limited else [0],
            "color": with_opacity(style.colour, 0.6),
            "thickness": 2,
            "width": 6,
        },
        mode="markers",
        marker={"color": style.colour, "size": 14, "symbol": style.symbol},
        name=plotly_text(style.name),
        showlegend=True,
        hovertemplate=f"<b>{plotly_text(style.name)}</b><br>{words}<extra></extra>",
    )


def score_by_parameters_alt(
    summary: pd.DataFrame, metric: str, styles: Mapping[str, RunStyle]
) -> str:
    """The chart of score against size in words, smallest adapter first."""
    rows = summary.dropna(subset=["mean", "trainable"])
    best = set(rows[_on_front(rows, metric)]["run"])
    parts = [
        f"{styles[row['run']].name}: {row['trainable']:,.0f} parameters, "
        f"{row['mean']:{value_format(metric)}}" + (", on the front" if row["run"] in best else "")
        for _, row in rows.sort_values("trainable").iterrows()
    ]
    return (
        f"{find_measure(metric).title} against trainable parameters. {'; '.join(parts) or 'None'}."
    )


def _seed_count_text(rows: pd.DataFrame) -> str:
    """Return how many seeds the rows have: "4 seeds", "3 to 5 seeds"."""
    counts: list[Any] = sorted(set(rows["n"]))
    if not counts:
        return "no seeds"
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return "one seed" if counts == [1] else f"{counts[0]} seeds"
