"""Soft tokens and their scales: through training, at its end, and what scales do to a step.

Arrays come from `peftcore.labs.scaling.readout` and `peftcore.analysis.scaling`;
tokens count from one.
Tokens of different seeds start from different words, so only whole prompts are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures.scales import colour_limit
from app.figures.theme import (
    LESS_COLOUR,
    LOG_AXIS,
    MORE_COLOUR,
    NEUTRAL,
    TEMPLATE,
    method_colour,
    plotly_text,
    with_opacity,
)
from peftcore.analysis import scaling
from peftcore.analysis.comparison import Interval, interval

MAX_HEIGHT = 470  # pixels that stand above the fold of a laptop
AFTER_COLOUR, BEFORE_COLOUR = method_colour("spt"), method_colour("prompt_tuning")


def scale_heatmap(scale: np.ndarray, steps: Sequence[int], chosen: int) -> go.Figure:
    """Heat map token × step of one seed's scales (t, p); the chosen step is framed."""
    figure = blank_chart(min(MAX_HEIGHT, 180 + 14 * scale.shape[1]))
    limit = colour_limit(scale - 1)
    ends = ("≤ ", "≥ ") if limit.beyond else ("", "")
    ticks = [f"{ends[0]}{1 - limit.top:.3g}", "1", f"{ends[1]}{1 + limit.top:.3g}"]
    figure.add_heatmap(
        z=scale.T - 1,  # so that the page's own scale of signed values has its middle at one
        x=list(range(len(steps))),
        y=list(range(1, scale.shape[1] + 1)),
        zmin=-limit.top,
        zmax=limit.top,
        autocolorscale=True,
        colorbar={
            "title": {"text": "Scale"},
            "thickness": 12,
            "outlinewidth": 0,
            "tickvals": [-limit.top, 0, limit.top],
            "ticktext": ticks,
        },
        customdata=np.stack(np.broadcast_arrays(np.asarray(steps), scale.T), -1),
        hovertemplate="token %{y}, step %{customdata[0]}: scale %{customdata[1]:.3f}"
        "<extra></extra>",
    )
    step_index = list(steps).index(chosen)
    low, high = 0.5, scale.shape[1] + 0.5
    frame = {"color": NEUTRAL, "width": 2}
    figure.add_shape(
        type="rect", x0=step_index - 0.5, x1=step_index + 0.5, y0=low, y1=high, line=frame
    )
    figure.update_xaxes(
        title_text="Optimiser step",
        tickvals=list(range(len(steps))),
        ticktext=[str(step) for step in steps],
        showgrid=False,
    )
    figure.update_yaxes(title_text="Soft token", autorange="reversed", showgrid=False)
    return with_title(
        figure, f"Scale of {scale.shape[1]} tokens at {len(steps)} kept steps, one seed"
    )


def scale_heatmap_alt(scale: np.ndarray, steps: Sequence[int]) -> str:
    """The heat map in words: the widest scales at the end."""
    last = scale[-1]
    high, low = int(np.nanargmax(last)), int(np.nanargmin(last))
    return (
        f"Scale of each soft token at {len(steps)} steps. At step {steps[-1]} they run from "
        f"{last[low]:.2f} at token {low + 1} to {last[high]:.2f} at token {high + 1}."
    )


def scale_heatmap_table(scale: np.ndarray, steps: Sequence[int]) -> pd.DataFrame:
    """The heat map as rows: token, step, scale."""
    return pd.DataFrame(
        [
            {"token": token + 1, "step": step, "scale": float(scale[at, token])}
            for token in range(scale.shape[1])
            for at, step in enumerate(steps)
        ]
    )


def token_lengths_chart(
    scale: np.ndarray, before: np.ndarray, words: np.ndarray, what: str
) -> go.Figure:
    """Scales (p,) above, lengths below: unscaled (p, d), scaled, and those of words (n, d)."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    figure.update_layout(template=TEMPLATE, height=520)
    token_numbers = list(range(1, len(scale) + 1))
    figure.add_bar(
        x=token_numbers,
        y=scale - 1,
        base=1,
        marker={"color": [MORE_COLOUR if value > 1 else LESS_COLOUR for value in scale]},
        customdata=scale,
        hovertemplate="token %{x}: scale %{customdata:.3f}<extra></extra>",
        showlegend=False,
        row=1,
        col=1,
    )
    figure.add_hline(y=1, line={"color": NEUTRAL, "width": 1.5}, row=1, col=1)
    length = scaling.row_norms(before)
    for x, start, end in zip(token_numbers, length, np.abs(scale) * length, strict=True):
        add_segment(figure, [x, x], [start, end], row=2)
    for values, name, mark, tint in (
        (length, "Without scale", "circle-open", BEFORE_COLOUR),
        (np.abs(scale) * length, "Scaled", "diamond", AFTER_COLOUR),
    ):
        figure.add_scatter(
            x=token_numbers,
            y=values,
            mode="markers",
            marker={
                "color": tint,
                "symbol": mark,
                "size": 9,
                "line": {"width": 2, "color": tint},
            },
            name=name,
            hovertemplate=f"token %{{x}}, {name.lower()}: length %{{y:.3g}}<extra></extra>",
            row=2,
            col=1,
        )
    low, middle, high = np.quantile(scaling.row_norms(words), (0.025, 0.5, 0.975))
    band = {"fillcolor": with_opacity(NEUTRAL, 0.2), "line_width": 0, "layer": "below"}
    figure.add_hrect(y0=low, y1=high, row=2, col=1, **band)
    figure.add_scatter(  # stands for the band in the legend
        x=[token_numbers[0], token_numbers[-1]],
        y=[middle, middle],
        mode="lines",
        line={"color": NEUTRAL, "dash": "dot", "width": 1.5},
        name="Words in the data: median, band 95 %",
        hovertemplate=f"median length of a word {middle:.3g}<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_yaxes(title_text="Scale", row=1, col=1)
    figure.update_yaxes(title_text="Length of the token", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title_text="Soft token", row=2, col=1)
    return with_title(figure, f"{plotly_text(what)}, {len(words)} words in the data")


def token_lengths_alt(scale: np.ndarray, before: np.ndarray, words: np.ndarray) -> str:
    """Scales and lengths in words."""
    length = scaling.row_norms(before)
    return (
        f"Scales from {np.nanmin(scale):.2f} to {np.nanmax(scale):.2f}. Mean length "
        f"{length.mean():.3g} without scale, {(np.abs(scale) * length).mean():.3g} with it; "
        f"words in the data have {scaling.row_norms(words).mean():.3g}."
    )


def token_lengths_table(scale: np.ndarray, before: np.ndarray) -> pd.DataFrame:
    """One row per token: scale, length without it and with it."""
    length = scaling.row_norms(before)
    return pd.DataFrame(
        {
            "token": range(1, len(scale) + 1),
            "scale": scale,
            "length without scale": length,
            "length scaled": np.abs(scale) * length,
        }
    )


def scale_histogram(scale: np.ndarray) -> go.Figure:
    """Draw the spread of the scales (s, p) of all seeds, a stacked bar for each seed."""
    figure = blank_chart(300)
    edges = np.histogram_bin_edges(scale[np.isfinite(scale)], bins=24)
    middle = (edges[1:] + edges[:-1]) / 2
    for seed, values in enumerate(scale):
        counts = np.histogram(values[np.isfinite(values)], bins=edges)[0]
        figure.add_bar(
            x=middle,
            y=counts,
            width=float(edges[1] - edges[0]),
            marker={"color": with_opacity(AFTER_COLOUR, 1 - 0.6 * seed / max(1, len(scale) - 1))},
            hovertemplate="scale about %{x:.2f}: %{y} tokens<extra></extra>",
        )
    figure.add_vline(x=1, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_xaxes(title_text="Scale of a token")
    figure.update_yaxes(title_text="Tokens")
    return with_title(figure, f"Scales of {scale.size} tokens, {seeds_in_words(len(scale))}")


def scale_histogram_alt(scale: np.ndarray) -> str:
    """The histogram in words."""
    inside = scale[np.isfinite(scale)]
    low, middle, high = np.quantile(inside, (0.025, 0.5, 0.975))
    return (
        f"Scales of {inside.size} tokens of {len(scale)} seeds: median {middle:.2f}, 95 % between "
        f"{low:.2f} and {high:.2f}; {(inside < 0).sum()} are negative."
    )


def drift_lines(steps: Sequence[int], lines: Mapping[str, np.ndarray]) -> go.Figure:
    """Distances (t, s) by step, mean over tokens: a line per name with its band over seeds."""
    figure = blank_chart(400, legend=True)
    line_styles = {
        "apart": (NEUTRAL, "dash"),
        "scaled": (AFTER_COLOUR, "solid"),
        "plain": (BEFORE_COLOUR, "dot"),
    }
    for (name, values), (tint, dash) in zip(lines.items(), line_styles.values(), strict=False):
        _add_band(figure, steps, values, name, tint, dash)
    figure.update_xaxes(title_text="Optimiser step", rangemode="tozero")
    figure.update_yaxes(title_text="Distance, mean over tokens")
    seeds = next(iter(lines.values())).shape[1]
    return with_title(figure, f"How far prompts go, {seeds_in_words(seeds)}")


def lines_alt(steps: Sequence[int], lines: Mapping[str, np.ndarray], what: str) -> str:
    """Lines over steps in words: where each one ends."""
    ends = [
        f"{name} {np.nanmean(values[-1]):.3g} at step {steps[-1]}" for name, values in lines.items()
    ]
    return f"{what}. {'; '.join(ends)}."


def lines_table(steps: Sequence[int], lines: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Lines over steps as rows: line, step, mean, low, high, seeds."""
    return pd.DataFrame(
        [
            {"line": name, "step": step} | _interval_fields(interval(values[at]))
            for name, values in lines.items()
            for at, step in enumerate(steps)
        ]
    )


def _interval_fields(estimate: Interval) -> dict[str, Any]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high, "seeds": estimate.n}


def layer_lines(values: np.ndarray, title: str) -> go.Figure:
    """A measure (l, s) by layer, a line with its band over seeds."""
    figure = blank_chart(360)
    _add_band(figure, range(len(values)), values, title, AFTER_COLOUR, "solid")
    figure.update_traces(showlegend=False)
    figure.update_xaxes(title_text="Layer (0: what enters)", dtick=1 if len(values) < 16 else 5)
    figure.update_yaxes(title_text=title, rangemode="tozero")
    return with_title(figure, f"{title}, {seeds_in_words(values.shape[1])}")


def layer_lines_alt(values: np.ndarray, title: str) -> str:
    """The line in words: its value in every layer."""
    means = ", ".join(f"{value:.3g}" for value in values.mean(1))
    return f"{title} by layer, from 0: {means}."


def speed_lines(steps: Sequence[int], lines: Mapping[str, np.ndarray]) -> go.Figure:
    """Movement per optimiser step (t − 1, s) between kept steps; names say which and which way."""
    figure = blank_chart(400, legend=True)
    for name, values in lines.items():
        tint = BEFORE_COLOUR if name.startswith("Prompt tuning") else AFTER_COLOUR
        dash = "solid" if "length" in name else "dot"
        _add_band(figure, steps[1:], values, name, tint, dash)
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    figure.update_xaxes(title_text="Optimiser step (end of each stretch)", rangemode="tozero")
    figure.update_yaxes(title_text="Movement per step, mean over tokens")
    seeds = next(iter(lines.values())).shape[1]
    return with_title(figure, f"Measured movement of soft tokens, {seeds_in_words(seeds)}")


def _add_band(
    figure: go.Figure,
    steps: Sequence[int],
    values: np.ndarray,
    name: str,
    tint: str,
    dash: str,
) -> None:
    """A mean over seeds with its 95 % interval, values being (t, s)."""
    estimates = [interval(row) for row in values]
    if all(each.low is not None for each in estimates):
        figure.add_scatter(
            x=[*steps, *reversed(steps)],
            y=[*(each.high for each in estimates), *(each.low for each in reversed(estimates))],
            fill="toself",
            fillcolor=with_opacity(tint, 0.15),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=list(steps),
        y=[each.mean for each in estimates],
        mode="lines+markers",
        line={"color": tint, "dash": dash, "width": 2.5},
        marker={"size": 6},
        name=plotly_text(name),
        showlegend=True,
        hovertemplate=f"{plotly_text(name)}<br>step %{{x}}: %{{y:.4g}}<extra></extra>",
    )


def step_factors_chart(
    scale: np.ndarray, across: np.ndarray, along: np.ndarray, optimiser: str
) -> go.Figure:
    """By how much its scale changes a token's step, across it and along it; one point per token."""
    figure = blank_chart(400, legend=True)
    for values, name, tint, mark in (
        (across, "Across the token", BEFORE_COLOUR, "circle-open"),
        (along, "Along the token", AFTER_COLOUR, "diamond"),
    ):
        figure.add_scatter(
            x=scale.ravel(),
            y=values.ravel(),
            mode="markers",
            marker={
                "color": tint,
                "symbol": mark,
                "size": 8,
                "line": {"width": 1.5, "color": tint},
            },
            name=name,
            showlegend=True,
            hovertemplate=f"{name}: scale %{{x:.2f}}, step × %{{y:.3g}}<extra></extra>",
        )
    figure.add_hline(y=1, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    figure.update_xaxes(title_text="Scale of the token")
    figure.update_yaxes(title_text="Step, as a multiple of prompt tuning's (log)", **LOG_AXIS)
    what = "plain gradient descent" if optimiser == "sgd" else "steps of AdamW, at most"
    return with_title(figure, f"Effective learning rate: {what}, {seeds_in_words(len(scale))}")


def step_factors_alt(across: np.ndarray, along: np.ndarray) -> str:
    """The factors in words."""
    return (
        "Step of a scaled token as a multiple of prompt tuning's: across the token median "
        f"{np.nanmedian(across):.3g}, along it median {np.nanmedian(along):.3g}."
    )


def step_factors_table(scale: np.ndarray, across: np.ndarray, along: np.ndarray) -> pd.DataFrame:
    """One row per seed and token."""
    seeds, count = scale.shape
    return pd.DataFrame(
        {
            "seed row": np.repeat(range(1, seeds + 1), count),
            "token": list(range(1, count + 1)) * seeds,
            "scale": scale.ravel(),
            "across": across.ravel(),
            "along": along.ravel(),
        }
    )


def add_segment(figure: go.Figure, x: Sequence[float], y: Sequence[float], row: int = 1) -> None:
    """A thin line between a token and its scaled self."""
    subplot = {"row": row, "col": 1} if row > 1 else {}
    figure.add_scatter(
        x=list(x),
        y=list(y),
        mode="lines",
        line={"color": with_opacity(NEUTRAL, 0.6), "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
        **subplot,
    )


def blank_chart(height: int, legend: bool = False) -> go.Figure:
    """An empty chart of this height."""
    return go.Figure(layout={"template": TEMPLATE, "height": height, "showlegend": legend})


def with_title(figure: go.Figure, title: str) -> go.Figure:
    """The chart with its title at the left."""
    return figure.update_layout(title={"text": title, "x": 0})


def seeds_in_words(count: int) -> str:
    """ "One seed", "4 seeds"."""
    return "one seed" if count == 1 else f"{count} seeds"
