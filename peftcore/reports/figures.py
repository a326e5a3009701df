"""Figures of a report, drawn as SVG: data in, drawing out, each with its content in words.

Intervals and verdicts come from `groups`; nothing is computed here but places on the paper.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from peftcore.analysis.comparison import interval_by_step, pareto
from peftcore.analysis.judgement import points_scale
from peftcore.metrics.scores import find_measure, metric_range
from peftcore.reports.groups import RunGroup
from peftcore.reports.styles import RunStyle
from peftcore.reports.svg import (
    CHARACTER,
    Drawing,
    Scale,
    add_legend,
    legend_height,
    number,
    tick_text,
)
from peftcore.reports.text import (
    count,
    format_difference,
    format_interval,
    format_limits,
    format_value,
    is_missing,
    value_format,
)

WIDTH = 680.0
EDGE = 16.0  # free pixels left and right
ROW = 64.0  # pixels of a run's row: its name, its interval, its seeds
MAX_POINTS = 200  # points of a curve; more cannot be seen on this width
LOG_FROM = 8  # from this ratio of the largest loss to the smallest on, the scale is logarithmic
LOSSES = {"dev_loss": "Validation loss", "train_loss": "Training loss"}


def dot_plot(group: RunGroup) -> Drawing:
    """Draw every seed of every run with mean and interval, the best mean on top."""
    metric, rows = group.metric, group.estimates(group.metric).dropna(subset=["mean"])
    seeds, form = group.seed_table(metric).dropna(), value_format(metric)
    title = f"{find_measure(metric).title}: every seed, mean and 95 % interval"
    words = [f"{group.name(row.run)} {_mean_words(row, form)}" for row in rows.itertuples()]
    drawing = Drawing(WIDTH, 62 + ROW * len(rows), title, "; ".join(words))
    chance = group.chance_levels()
    scale = _value_scale([*seeds["value"], *rows["low"], *rows["high"], *chance.values()], metric)
    bottom = drawing.height - 44
    _add_value_axis(drawing, scale, 24, bottom, find_measure(metric).title)
    for name, level in chance.items():
        drawing.line((scale.at(level), 18, scale.at(level), bottom), "rule")
        _add_label_near(drawing, scale.at(level), 13, f"{name}: {format_value(level, form)}")
    for n, row in enumerate(rows.itertuples()):
        own = seeds[seeds["run"] == row.run]
        drawing.begin_run(str(row.run))
        _add_estimate(drawing, scale, 26 + ROW * n, group.styles[str(row.run)], row, form)
        _add_seeds(drawing, scale, 26 + ROW * n + 38, group.styles[str(row.run)], own, form)
        drawing.end_run()
    return drawing


def _mean_words(row: Any, form: str) -> str:
    """Say a mean, with its limits and what it rests on."""
    words = f"mean {format_value(row.mean, form)}"
    if not is_missing(row.low):
        words += f" (95 % interval {format_interval(row.low, row.high, form)})"
    elif row.reason:
        words += f" ({row.reason})"
    return f"{words}, {count(row.seeds, 'seed')}"


def _value_scale(values: Sequence[float], metric: str) -> Scale:
    """Return a scale that shows all values, with some room, and no value that cannot be."""
    known = [value for value in values if not is_missing(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.05 * find_measure(metric).maximum
    least, most = metric_range(metric)
    low, high = max(low - room, min(least, low)), min(high + room, max(most, high))
    return Scale(low, high, EDGE + 6, WIDTH - EDGE - 6)


def _add_value_axis(drawing: Drawing, scale: Scale, top: float, bottom: float, title: str) -> None:
    """Add a horizontal axis with grid lines, ticks and title below."""
    for tick in scale.ticks():
        drawing.line((scale.at(tick), top, scale.at(tick), bottom), "grid")
        drawing.text(scale.at(tick), bottom + 18, tick_text(tick), "middle")
    drawing.line((scale.start, bottom, scale.end, bottom), "axis")
    drawing.text((scale.start + scale.end) / 2, bottom + 38, title, "middle")


def _add_label_near(drawing: Drawing, x: float, y: float, words: str) -> None:
    """Add a text centred at x, moved inwards where it would leave the drawing."""
    half = CHARACTER * len(words) / 2
    x = min(max(x, half + 4), drawing.width - half - 4)
    drawing.text(x, y, words, "middle", 'class="faint" font-size="12"')


def _add_estimate(
    drawing: Drawing, scale: Scale, top: float, style: RunStyle, row: Any, form: str
) -> None:
    """Add a run's name, its mean in words, its interval and the mean's symbol."""
    tip = f"{style.name}: {_mean_words(row, form)}"
    shown = format_value(row.mean, form)
    if not is_missing(row.low):
        shown += f" ({format_interval(row.low, row.high, form)})"
    elif row.reason:
        shown += f"; {row.reason}"
    drawing.row_label(EDGE, top + 12, style.name, shown)
    y = top + 26
    if not is_missing(row.low):
        drawing.bar((scale.at(row.low), y, scale.at(row.high), y), style, 7, tip)
    drawing.mark(scale.at(row.mean), y, 6.5, style, tip)


def _add_seeds(
    drawing: Drawing, scale: Scale, y: float, style: RunStyle, seeds: pd.DataFrame, form: str
) -> None:
    """Add a dot for each seed; dots of nearly one value stand below each other."""
    fullest = seeds["value"].map(lambda v: round(scale.at(v) / 6)).value_counts().max()
    step = min(5.0, 20.0 / max(int(fullest or 1), 1))
    taken: dict[int, int] = {}
    for seed in seeds.itertuples():
        x = scale.at(seed.value)
        place = taken.get(round(x / 6), 0)
        taken[round(x / 6)] = place + 1
        tip = f"{style.name}, seed {seed.seed}: {format_value(seed.value, form)}"
        drawing.dot(x, y + step * place, style, tip)


def difference_plot(group: RunGroup) -> Drawing | None:
    """Draw how far the best mean is from each other run, with the margin of equality as a band.

    None for a single run.
    """
    metric, frame = group.metric, group.verdicts(group.metric)
    best = group.estimates(metric)["run"].iloc[0]
    rows = frame[(frame["first"] == best) & frame["difference"].notna()]
    if rows.empty:
        return None
    unit = points_scale(metric)  # the axis is in points, as all differences are
    margin = group.judgement(metric).margin
    words = [
        f"{group.name(row.second)} {_difference_words(row, metric)}" for row in rows.itertuples()
    ]
    title = f"{find_measure(metric).title}: {group.name(best)} minus each other run"
    drawing = Drawing(WIDTH, 62 + 46 * len(rows), title, "; ".join(words))
    values = [unit * v for v in [*rows["low"], *rows["high"], *rows["difference"]]]
    known = [value for value in [*values, margin, -margin] if not is_missing(value)]
    room = 0.05 * (max(known) - min(known))
    scale = Scale(min(known) - room, max(known) + room, EDGE + 6, WIDTH - EDGE - 6)
    bottom = drawing.height - 44
    x, width = scale.at(-margin), scale.at(margin) - scale.at(-margin)
    drawing.parts.append(
        f'<rect x="{number(x)}" y="20" width="{number(width)}" height="{number(bottom - 20)}" '
        'fill="currentColor" fill-opacity=".09"><title>Within the margin</title></rect>'
    )
    _add_value_axis(drawing, scale, 20, bottom, "Difference in points")
    drawing.line((scale.at(0), 20, scale.at(0), bottom), "rule")
    _add_label_near(drawing, scale.at(0), 13, f"margin ±{margin:g} points")
    for n, row in enumerate(rows.itertuples()):
        _add_difference(drawing, scale, 22 + 46 * n, group, row)
    return drawing


def _difference_words(row: Any, metric: str) -> str:
    """Say a difference, its limits and the verdict."""
    words = format_difference(row.difference, metric)
    if not is_missing(row.low):
        words += f" ({format_limits(row.low, row.high, metric)})"
    return f"{words}, {row.verdict}"


def _add_difference(drawing: Drawing, scale: Scale, top: float, group: RunGroup, row: Any) -> None:
    """Add the row of one comparison, in the colour of the run that is compared with."""
    style, words = group.styles[row.second], _difference_words(row, group.metric)
    unit = points_scale(group.metric)
    tip, y = f"{style.name}: {words}", top + 27
    drawing.begin_run(row.second)
    drawing.row_label(EDGE, top + 13, style.name, words)
    if not is_missing(row.low):
        drawing.bar((scale.at(unit * row.low), y, scale.at(unit * row.high), y), style, 6, tip)
    drawing.mark(scale.at(unit * row.difference), y, 6, style, tip)
    drawing.end_run()


def learning_curves(
    histories: Mapping[str, pd.DataFrame], styles: Mapping[str, RunStyle], value: str
) -> Drawing | None:
    """Draw a loss over steps: mean and 95 % band over seeds, every seed as a thin line.

    histories: as `Run.history`, by run id. value: a key of LOSSES. None where nothing was measured.
    """
    kept = {run: table[np.isfinite(table[value])] for run, table in histories.items()}
    kept = {run: table for run, table in kept.items() if len(table)}
    if not kept:
        return None
    means = {run: _thinned(interval_by_step(table, value), "step") for run, table in kept.items()}
    shown = [styles[run] for run in kept]
    words = [
        f"{styles[run].name} from {rows['mean'].iloc[0]:.3g} to {rows['mean'].iloc[-1]:.3g}"
        for run, rows in means.items()
    ]
    below = 62 + legend_height(shown, WIDTH - EDGE)
    drawing = Drawing(WIDTH, 300 + below, f"{LOSSES[value]} by step", "; ".join(words))
    steps = [float(table["step"].max()) for table in kept.values()]
    across = Scale(0, max(steps), EDGE + 44, WIDTH - EDGE)
    up, note = _loss_scale(kept, value)
    add_axes(drawing, across, up, ("Optimiser step", f"{LOSSES[value]} ({note})"))
    for run, table in kept.items():
        drawing.begin_run(run)
        _add_curves(drawing, (across, up), table, value, styles[run])
        _add_mean_curve(drawing, (across, up), means[run], styles[run])
        drawing.end_run()
    add_legend(drawing, shown, EDGE, 300 + 62)
    return drawing


def _loss_scale(tables: Mapping[str, pd.DataFrame], value: str) -> tuple[Scale, str]:
    """Return the vertical scale of losses and its unit; logarithmic where they fall far."""
    losses = pd.concat([table[value] for table in tables.values()])
    least, most = float(losses[losses > 0].min()), float(losses.quantile(0.99))
    if most > LOG_FROM * least:
        return Scale(max(least, most / 1e4) / 1.15, 1.15 * most, 300, 12, True), "nats, log scale"
    return Scale(0, 1.05 * most or 1.0, 300, 12), "nats"


def _thinned(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return at most MAX_POINTS of the values of a column, evenly, with the last."""
    values = sorted(table[by].unique())
    if len(values) <= MAX_POINTS:
        return table
    kept = {values[round(n * (len(values) - 1) / (MAX_POINTS - 1))] for n in range(MAX_POINTS)}
    return table[table[by].isin(kept)]


def add_axes(drawing: Drawing, across: Scale, up: Scale, titles: tuple[str, str]) -> None:
    """Add both axes with grid, ticks and titles; the vertical one has its title on top."""
    for tick in up.ticks():
        drawing.line((across.start, up.at(tick), across.end, up.at(tick)), "grid")
        drawing.text(across.start - 7, up.at(tick) + 5, tick_text(tick), "end")
    for tick in across.ticks():
        drawing.line((across.at(tick), up.start, across.at(tick), up.start + 5), "axis")
        drawing.text(across.at(tick), up.start + 20, tick_text(tick), "middle")
    drawing.line((across.start, up.start, across.end, up.start), "axis")
    drawing.line((across.start, up.start, across.start, up.end), "axis")
    drawing.text((across.start + across.end) / 2, up.start + 40, titles[0], "middle")
    turned = f'transform="rotate(-90 13 {number((up.start + up.end) / 2)})"'
    drawing.text(13, (up.start + up.end) / 2, titles[1], "middle", turned)


def _add_curves(
    drawing: Drawing, scales: tuple[Scale, Scale], table: pd.DataFrame, value: str, style: RunStyle
) -> None:
    """Add a thin line for each seed, if there are several."""
    across, up = scales
    for seed, rows in table.groupby("seed") if table["seed"].nunique() > 1 else ():
        rows = _thinned(rows, "step")
        points = [
            (across.at(step), up.at(up.clipped(loss)))
            for step, loss in zip(rows["step"], rows[value], strict=True)
        ]
        drawing.curve(points, style, 1, f"{style.name}, seed {seed}")


def _add_mean_curve(
    drawing: Drawing, scales: tuple[Scale, Scale], rows: pd.DataFrame, style: RunStyle
) -> None:
    """Add the band of the interval and the mean over it, with a mark at each of few steps."""
    across, up = scales
    limited = rows.dropna(subset=["low", "high"])
    at = lambda row, end: (across.at(row.step), up.at(up.clipped(getattr(row, end))))
    if len(limited) > 1:
        upper = [at(row, "high") for row in limited.itertuples()]
        lower = [at(row, "low") for row in limited[::-1].itertuples()]
        drawing.area([*upper, *lower], style)
    drawing.curve([at(row, "mean") for row in rows.itertuples()], style, 2.5, style.name)
    for row in rows.itertuples() if len(rows) <= 25 else ():
        words = f"{style.name}, step {row.step:g}: {row.mean:.4g}, {count(row.n, 'seed')}"
        drawing.mark(*at(row, "mean"), 4.5, style, words)


def size_plot(group: RunGroup) -> Drawing | None:
    """Draw score against trained numbers on a log scale, with the front that no run beats.

    None where no run records how many numbers it trained.
    """
    metric, form = group.metric, value_format(group.metric)
    rows = group.estimates(metric).dropna(subset=["mean", "trainable"])
    rows = rows[rows["trainable"] > 0]
    if rows.empty:
        return None
    sign = 1 if find_measure(metric).better == "higher" else -1
    front = rows[pareto([sign * mean for mean in rows["mean"]], rows["trainable"].tolist())]
    shown = [group.styles[run] for run in rows["run"]]
    words = [
        f"{group.name(row.run)}: {row.trainable:,.0f} trained numbers, {_mean_words(row, form)}"
        for row in rows.itertuples()
    ]
    title = f"{find_measure(metric).title} against trained numbers"
    drawing = Drawing(WIDTH, 362 + legend_height(shown, WIDTH - EDGE), title, "; ".join(words))
    across = Scale(
        rows["trainable"].min() / 1.6, rows["trainable"].max() * 1.6, EDGE + 50, WIDTH - EDGE, True
    )
    values = _value_scale([*rows["mean"], *rows["low"], *rows["high"]], metric)
    up = Scale(values.low, values.high, 300, 12)
    titles = ("Trained numbers of one adapter (log scale)", find_measure(metric).title)
    add_axes(drawing, across, up, titles)
    _add_front(drawing, across, up, front.sort_values("trainable"))
    for row, tip in zip(rows.itertuples(), words, strict=True):
        x, style = across.at(row.trainable), group.styles[row.run]
        drawing.begin_run(row.run)
        if not is_missing(row.low):
            drawing.bar((x, up.at(row.low), x, up.at(row.high)), style, 4, tip)
        drawing.mark(x, up.at(row.mean), 7, style, tip)
        drawing.end_run()
    add_legend(drawing, shown, EDGE, 300 + 62)
    return drawing


def _add_front(drawing: Drawing, across: Scale, up: Scale, front: pd.DataFrame) -> None:
    """Add the front as steps: the best score to be had for at most so many numbers."""
    points = [(across.at(row.trainable), up.at(row.mean)) for row in front.itertuples()]
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        drawing.line((x, y, next_x, y), "rule")
        drawing.line((next_x, y, next_x, next_y), "rule")


def human_plot(rows: pd.DataFrame, styles: Mapping[str, RunStyle], title: str) -> Drawing:
    """Draw scores that people gave, with their intervals; rows as in `human.RatedProject`."""
    words = [
        f"{row.name} {format_value(row.mean, '.2f')} ({format_interval(row.low, row.high, '.2f')})"
        for row in rows.itertuples(index=False)
    ]
    drawing = Drawing(WIDTH, 62 + 46 * len(rows), title, "; ".join(words))
    scale = Scale(0, 1, EDGE + 6, WIDTH - EDGE - 6)
    bottom = drawing.height - 44
    _add_value_axis(drawing, scale, 8, bottom, title)
    for n, row in enumerate(rows.itertuples(index=False)):
        style = styles[row.source]
        top = 8 + 46.0 * n
        shown = words[n].removeprefix(f"{row.name} ")
        drawing.begin_run(row.source)
        drawing.row_label(EDGE, top + 13, row.name, shown)
        if not math.isnan(row.low):
            ends = (scale.at(row.low), top + 28, scale.at(row.high), top + 28)
            drawing.bar(ends, style, 7, words[n])
        drawing.mark(scale.at(row.mean), top + 28, 6.5, style, words[n])
        drawing.end_run()
    return drawing
