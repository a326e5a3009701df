"""Subsets of weights side by side, layer by layer, and what is wrong with explanations.

Tables come from `peftcore.analysis.subsets` and `peftcore.analysis.explanations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import find_measure, value_format
from app.figures.error_bars import interval_bars
from app.figures.layout import layer_ticks
from app.figures.rows import wrap_title
from app.figures.theme import (
    NEUTRAL,
    SYMBOLS,
    TEMPLATE,
    RunStyle,
    plotly_text,
    style_of_method,
    with_opacity,
)
from peftcore.analysis.explanations import FLAGS

SHADE_COLOUR = style_of_method("sparsefit", "").colour
ROW_HEIGHT = 50  # pixels of a row with its name on two lines and what it trains
MAX_ROW_CHARACTERS = 18  # characters of a row's name, so that a phone has room for the cells
WAY_STYLES = {"alone": ("Only this layer", "circle"), "without": ("All but this layer", "square")}
CELL_TEXT = 11  # pixels, so that five columns fit on a phone


def _empty_figure(height: int, **layout: Any) -> go.Figure:
    return go.Figure(layout={"template": TEMPLATE, "height": height, "showlegend": False} | layout)


def _add_heatmap(
    figure: go.Figure,
    shade: np.ndarray,
    words: np.ndarray,
    hover: np.ndarray,
    colours: Any,
    span: tuple[float, float],
) -> None:
    """A field of cells with words on them, in the page's own text colour."""
    figure.add_heatmap(
        z=shade,
        x=list(range(shade.shape[1])),
        y=list(range(shade.shape[0])),
        zmin=span[0],
        zmax=span[1],
        colorscale=colours,
        showscale=False,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        xgap=2,
        ygap=2,
    )
    rows, columns = zip(*np.ndindex(shade.shape), strict=True)
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="text",
        text=words.ravel(),
        textfont={"size": CELL_TEXT},
        hoverinfo="skip",
    )


def _label_axes(figure: go.Figure, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Label rows from the top down, and columns above them."""
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plotly_text(name) for name in rows],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[plotly_text(name) for name in columns],
        side="top",
        showgrid=False,
    )


def _mean_in_words(row: Any, form: str) -> str:
    """Return a mean with its interval in words."""
    if row["mean"] is None or pd.isna(row["mean"]):
        return "no value"
    if row["low"] is None or pd.isna(row["low"]):
        return f"{row['mean']:{form}}, {row['reason']}"
    interval = f"95 % interval {row['low']:{form}} to {row['high']:{form}}"
    return f"{row['mean']:{form}}, {interval}, {row['n']} seeds"


def subset_heatmap(grid: pd.DataFrame, metrics: Sequence[str]) -> go.Figure:
    """Subsets as rows, metrics as columns; the darker, the better, within the metric's range."""
    names = list(dict.fromkeys(grid["name"]))
    shape = (len(names), len(metrics))
    shade, words, hover = np.zeros(shape), np.empty(shape, object), np.empty(shape, object)
    for _, row in grid.iterrows():
        if row["metric"] not in metrics:
            continue
        cell = names.index(row["name"]), list(metrics).index(row["metric"])
        form = value_format(row["metric"])
        is_measured = pd.notna(row["mean"])
        measure = find_measure(row["metric"])
        share = row["mean"] / measure.maximum if is_measured else 0
        shade[cell] = 1 - share if is_measured and measure.better == "lower" else share
        words[cell] = f"{row['mean']:{form}}" if is_measured else "–"
        text = f"{measure.title}: {_mean_in_words(row, form)}"
        hover[cell] = f"<b>{plotly_text(row['name'])}</b><br>{text}"
    figure = _empty_figure(180 + ROW_HEIGHT * len(names))
    _add_heatmap(
        figure,
        shade,
        words,
        hover,
        [[0, with_opacity(SHADE_COLOUR, 0.04)], [1, with_opacity(SHADE_COLOUR, 0.6)]],
        (0, 1),
    )
    sizes = grid.drop_duplicates("name").set_index("name")["trainable"]
    _label_axes(figure, names, metrics)
    rows = [_row_label(name, f"{sizes[name]:,.0f} trained") for name in names]
    titles = [wrap_title(_column_title(metric), MAX_ROW_CHARACTERS) for metric in metrics]
    figure.update_yaxes(ticktext=rows)
    figure.update_xaxes(ticktext=titles, tickfont={"size": 11})
    figure.update_layout(margin={"t": 120})
    return figure


def _column_title(metric: str) -> str:
    """A metric above its column; an arrow where lower is better."""
    measure_info = find_measure(metric)
    return f"{measure_info.title} ↓" if measure_info.better == "lower" else measure_info.title


def _row_label(name: str, more: str = "") -> str:
    """Return a row's name, and in small letters below it what it differs in."""
    head, _, rest = name.partition(" · ")
    lines = wrap_title(rest, 30).split("<br>") if rest else []
    if len(lines) > 1 and more:  # it would run into the next row; the hover has the whole name
        lines = [f"{lines[0]} …"]
    elif len(lines) > 2:
        lines = [lines[0], f"{lines[1]} …"]
    lines += [plotly_text(more)] if more else []
    return "<br>".join(
        [wrap_title(head, MAX_ROW_CHARACTERS), *(f"<sup>{line}</sup>" for line in lines)]
    )


def subset_heatmap_alt(grid: pd.DataFrame, metrics: Sequence[str]) -> str:
    """The grid in words."""
    parts = []
    for name, rows in grid.groupby("name", sort=False):
        scores_text = [
            f"{find_measure(row['metric']).title} "
            f"{_mean_in_words(row, value_format(row['metric']))}"
            for _, row in rows.iterrows()
            if row["metric"] in metrics
        ]
        parts.append(f"{name}: {', '.join(scores_text)}")
    return f"Scores of {len(parts)} subsets of the weights. {'; '.join(parts)}."


def layer_effects_chart(effects: pd.DataFrame, metric: str, whole: float) -> go.Figure:
    """Each layer alone and all but each layer, as differences from the whole choice."""
    figure, form = _empty_figure(420, showlegend=True), value_format(metric)
    layer_keys = list(dict.fromkeys(zip(effects["stack"], effects["layer"], strict=True)))
    colours = {"alone": SHADE_COLOUR, "without": style_of_method("prompt_tuning", "").colour}
    figure.add_hline(y=0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for nth, (way, (title, symbol)) in enumerate(WAY_STYLES.items()):
        rows = effects[effects["way"] == way]
        at = [
            layer_keys.index(layer_key) + (nth - 0.5) / 5
            for layer_key in zip(rows["stack"], rows["layer"], strict=True)
        ]
        figure.add_scatter(
            x=at,
            y=rows["difference"],
            error_y=interval_bars(rows, colours[way], "difference"),
            mode="markers",
            marker={"color": colours[way], "symbol": symbol, "size": 12},
            name=title,
            customdata=[
                f"{title}, {stack} {layer + 1}: {mean:{form}} ({gap:+{form}}, p {p:.2g}), "
                f"{size:,.0f} trained"
                for stack, layer, mean, gap, p, size in rows[
                    ["stack", "layer", "mean", "difference", "p", "trainable"]
                ].itertuples(index=False)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_xaxes(
        **layer_ticks([f"{stack.capitalize()} {layer + 1}" for stack, layer in layer_keys])
    )
    figure.update_yaxes(title_text=f"{find_measure(metric).title}: difference to all of it")
    seeds = int(effects["n"].max()) if len(effects) else 0
    figure.update_layout(
        title={"text": f"All of it: {whole:{form}}, {seeds} seeds, 95 % intervals", "x": 0}
    )
    return figure


def layer_effects_alt(effects: pd.DataFrame, metric: str, whole: float) -> str:
    """The layers in words."""
    form = value_format(metric)
    parts = [
        f"{WAY_STYLES[row['way']][0].lower()} ({row['stack']} {row['layer'] + 1}) "
        f"{row['difference']:+{form}}"
        for _, row in effects.dropna(subset=["difference"]).iterrows()
    ]
    return (
        f"{find_measure(metric).title} by layer against all of it, {whole:{form}}. "
        f"{'; '.join(parts)}."
    )


def flag_heatmap(shares: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]) -> go.Figure:
    """Runs as rows, flags as columns; shade and words are shares of answers."""
    titles = [flag.title for flag in FLAGS.values()] + ["None of these"]
    order = [*FLAGS, "sound"]
    shade = np.array([[run_shares[name] for name in order] for run_shares in shares.values()])
    words = np.array([[_percent(value) for value in row] for row in shade], object)
    hover = np.array(
        [
            [
                f"<b>{plotly_text(run)}</b><br>{title}: {share:.1%} of {counts[run]} answers"
                for title, share in zip(titles, row, strict=True)
            ]
            for run, row in zip(shares, shade, strict=True)
        ],
        object,
    )
    # A finger on the picture moves the page or the columns, and does not mark a part of them.
    figure = _empty_figure(190 + 52 * len(shares), margin={"t": 140}, dragmode=False)
    _add_heatmap(
        figure,
        shade,
        words,
        hover,
        [[0, with_opacity(SHADE_COLOUR, 0.03)], [1, with_opacity(SHADE_COLOUR, 0.6)]],
        (0, 1),
    )
    _label_axes(figure, list(shares), titles)
    figure.update_yaxes(ticktext=[_row_label(name, f"{counts[name]} answers") for name in shares])
    # Upright names would run into each other: the columns are narrower than their words.
    figure.update_xaxes(tickfont={"size": 11}, tickangle=-90)
    return figure


def _percent(share: float) -> str:
    """A share in few signs; a small one to a tenth."""
    if not share:
        return "0"
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"


def flag_heatmap_alt(shares: Mapping[str, Mapping[str, float]]) -> str:
    """The flags in words: for each run what is raised at all."""
    parts = []
    for run, run_shares in shares.items():
        raised = [
            f"{FLAGS[name].title} {run_shares[name]:.1%}" for name in FLAGS if run_shares[name]
        ]
        parts.append(f"{run}: {', '.join(raised) or 'no flag'}")
    return f"Share of answers that raise each flag. {'; '.join(parts)}."


PART_SYMBOLS = {"accuracy": "circle", "ratio": "diamond", "normalised": "square"}


def score_parts_chart(
    table: pd.DataFrame, titles: Mapping[str, str], styles: Mapping[str, RunStyle]
) -> go.Figure:
    """Draw each run's accuracy, score of right answers, and their product, all in [0, 1].

    Columns of the table: run, accuracy, ratio, normalised.
    """
    figure = _empty_figure(170 + 46 * max(len(table), 1), showlegend=True)
    for name, symbol in PART_SYMBOLS.items():
        figure.add_scatter(
            x=table[name],
            y=[-index for index in range(len(table))],
            mode="markers",
            marker={
                "color": [styles[run].colour for run in table["run"]],
                "symbol": symbol if name != "normalised" else f"{symbol}-open",
                "size": 13,
                "line": {"width": 2},
            },
            name=plotly_text(titles[name]),
            customdata=[plotly_text(styles[run].name) for run in table["run"]],
            hovertemplate=f"<b>%{{customdata}}</b><br>{plotly_text(titles[name])} %{{x:.3f}}"
            "<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=[-index for index in range(len(table))],
        ticktext=[_row_label(styles[run].name) for run in table["run"]],
        range=[-len(table) + 0.5, 0.5],
    )
    figure.update_xaxes(title_text="Share (0 to 1)", range=[-0.02, 1.04])
    return figure


def score_parts_alt(
    table: pd.DataFrame, titles: Mapping[str, str], styles: Mapping[str, RunStyle]
) -> str:
    """The parts in words."""
    descriptions = [
        f"{styles[row['run']].name}: "
        + ", ".join(f"{titles[name]} {row[name]:.3f}" for name in PART_SYMBOLS)
        for _, row in table.iterrows()
    ]
    return f"What the normalised score is made of. {'; '.join(descriptions) or 'No runs'}."


def published_ratios_chart(ratios: pd.DataFrame, silent_text: str) -> go.Figure:
    """Published configurations: accuracy against the score of right answers; open where silent.

    `silent` is what the column `where` says of configurations that never explained anything.
    """
    figure = _empty_figure(420, showlegend=True)
    for nth, (task, rows) in enumerate(ratios.groupby("task", sort=False)):
        never_explained = rows["where"].str.contains(silent_text, regex=False)
        symbol = SYMBOLS[nth % len(SYMBOLS)]
        figure.add_scatter(
            x=rows["accuracy"],
            y=rows["ratio"],
            mode="markers",
            name=plotly_text(task),
            marker={
                "symbol": [
                    f"{symbol}-open" if is_silent else symbol for is_silent in never_explained
                ],
                "color": TEMPLATE.layout.colorway[nth],
                "size": 12,
                "line": {"width": 2},
            },
            customdata=[
                f"{m}, {name}" for m, name in zip(rows["model"], rows["method"], strict=True)
            ],
            hovertemplate="<b>%{customdata}</b><br>accuracy %{x:.1f} %, right answers score "
            "%{y:.3f}<extra></extra>",
        )
    figure.update_xaxes(title_text="Accuracy (%)")
    figure.update_yaxes(title_text="BERTScore of right answers (0 to 1)")
    figure.update_layout(title={"text": "Open: never learnt to explain", "x": 0})
    return figure


def published_ratios_alt(ratios: pd.DataFrame, silent_text: str) -> str:
    """The published figures in words."""
    never_explained = ratios["where"].str.contains(silent_text, regex=False)
    low, high = (
        ratios.loc[never_explained, "ratio"].min(),
        ratios.loc[never_explained, "ratio"].max(),
    )
    others = ratios.loc[~never_explained, "ratio"]
    return (
        f"{len(ratios)} published configurations. Those that never explained score {low:.3f} to "
        f"{high:.3f} on right answers at {ratios.loc[never_explained, 'accuracy'].max():.0f} % "
        "accuracy at "
        f"most; the others {others.min():.3f} to {others.max():.3f}."
    )
