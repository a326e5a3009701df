"""Learning curves: the mean over seeds with its 95 % band, and every seed as a thin line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, RunStyle, plotly_text, with_opacity
from peftcore.analysis.comparison import interval_by_step

LossColumn = Literal["train_loss", "dev_loss"]
LOSS_TITLES = {"train_loss": "Training loss", "dev_loss": "Validation loss"}


def learning_curves(
    histories: Mapping[str, pd.DataFrame], styles: Mapping[str, RunStyle], value: LossColumn
) -> go.Figure:
    """A loss over the steps for each run; histories as `Run.history` gives them, by run id."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    seeds: set[int] = set()
    for run, history in histories.items():
        style, kept = styles[run], history.dropna(subset=[value])
        if kept.empty:
            continue
        seeds.add(kept["seed"].nunique())
        figure.add_traces(
            [*_seed_lines(kept, style, value), *_mean_traces(interval_by_step(kept, value), style)]
        )
    figure.update_xaxes(title_text="Optimiser step", rangemode="tozero")
    figure.update_yaxes(title_text=f"{LOSS_TITLES[value]} (nats)", rangemode="tozero")
    figure.update_layout(title={"text": f"{LOSS_TITLES[value]}, {_seeds_in_words(seeds)}", "x": 0})
    return figure


def smooth(history: pd.DataFrame, window: int) -> pd.DataFrame:
    """Average each seed's losses over `window` neighbouring steps, fewer at the ends."""
    if window < 2 or history.empty:
        return history
    columns = list(LOSS_TITLES)
    smoothed = history.groupby("seed")[columns].transform(
        lambda losses: (
            losses.rolling(window, center=True, min_periods=1).mean().where(losses.notna())
        )
    )
    return history.assign(**{name: smoothed[name] for name in columns})


def _seeds_in_words(seeds: set[int]) -> str:
    """Return in words how many seeds a mean is taken over."""
    if not seeds:
        return "no values yet"
    if seeds == {1}:
        return "one seed"
    return f"{min(seeds)} to {max(seeds)} seeds" if len(seeds) > 1 else f"{min(seeds)} seeds"


def _seed_lines(history: pd.DataFrame, style: RunStyle, value: LossColumn) -> list[go.Scatter]:
    """One thin line per seed; nothing if the only seed is the mean itself."""
    groups = list(history.groupby("seed"))
    return [
        go.Scatter(
            x=rows["step"],
            y=rows[value],
            mode="lines",
            line={"color": with_opacity(style.colour, 0.4), "width": 1},
            name=f"{plotly_text(style.name)}, seed {seed}",
            legendgroup=style.name,
            showlegend=False,
            hovertemplate="step %{x}: %{y:.4f}<extra>%{fullData.name}</extra>",
        )
        for seed, rows in groups
        if len(groups) > 1
    ]


def _mean_traces(means: pd.DataFrame, style: RunStyle) -> list[go.Scatter]:
    """The band as one closed outline, and the mean line over it."""
    limited = means["low"].notna() & means["high"].notna()
    x: list[float | None] = []
    y: list[float | None] = []
    for _, part in means[limited].groupby((~limited).cumsum()[limited]):
        x += [*part["step"], *part["step"][::-1], None]  # None ends one band before the next
        y += [*part["high"], *part["low"][::-1], None]
    outline = go.Scatter(
        x=x[:-1],
        y=y[:-1],
        fill="toself",
        fillcolor=with_opacity(style.colour, 0.15),
        line={"width": 0},
        mode="lines",
        legendgroup=style.name,
        showlegend=False,
        hoverinfo="skip",
    )
    line = go.Scatter(
        x=means["step"],
        y=means["mean"],
        mode="lines+markers" if len(means) < 25 else "lines",
        line={"color": style.colour, "width": 2.5, "dash": style.dash},
        marker={"symbol": style.symbol, "size": 7},
        name=plotly_text(style.name),
        legendgroup=style.name,
        customdata=[_limits_in_words(row) for row in means.itertuples()],
        hovertemplate=(
            f"<b>{plotly_text(style.name)}</b><br>step %{{x}}: %{{y:.4f}}<br>"
            "%{customdata}<extra></extra>"
        ),
    )
    return [outline, line] if limited.any() else [line]


def _limits_in_words(row: Any) -> str:
    """Return a step's interval and number of seeds, or why it has none."""
    if pd.isna(row.low):
        return str(row.reason)
    return f"95 % interval {row.low:.4f} to {row.high:.4f}, {row.n} seeds"


def learning_curves_table(
    histories: Mapping[str, pd.DataFrame], styles: Mapping[str, RunStyle], value: LossColumn
) -> pd.DataFrame:
    """Return the chart as a table: method, step, mean, low, high, seeds."""
    parts = []
    for run, history in histories.items():
        means = interval_by_step(history, value).rename(columns={"n": "seeds"})
        means.insert(0, "method", styles[run].name)
        parts.append(means)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def learning_curves_alt(
    histories: Mapping[str, pd.DataFrame], styles: Mapping[str, RunStyle], value: LossColumn
) -> str:
    """The chart in words: where each run starts and ends."""
    parts = []
    for run, history in histories.items():
        means = interval_by_step(history, value)
        if len(means):
            first, last = means.iloc[0], means.iloc[-1]
            parts.append(
                f"{styles[run].name} from {first['mean']:.3g} at step {first['step']:.0f}"
                f" to {last['mean']:.3g} at step {last['step']:.0f}"
            )
    return f"{LOSS_TITLES[value]} by optimiser step. {'; '.join(parts) or 'No values yet'}."
