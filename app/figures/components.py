"""Subsets of weights side by side, layer by layer, and what is wrong with explanations.

Tables come from `peftcore.analysis.subsets` and `peftcore.analysis.explanations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures.compare import digits, measure
from app.figures.rows import broken
from app.theme import NEUTRAL, SYMBOLS, TEMPLATE, Look, faint, look, text
from peftcore.analysis.explanations import FLAGS

SHADE = look("sparsefit", "").colour
ROW = 50  # pixels of a row with its name on two lines and what it trains
NARROW = 18  # characters of a row's name, so that a phone has room for the cells
WAYS = {"alone": ("Only this layer", "circle"), "without": ("All but this layer", "square")}


def _framed(height: int, **layout: Any) -> go.Figure:
    return go.Figure(layout={"template": TEMPLATE, "height": height, "showlegend": False} | layout)


def _shaded(
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
    figure.add_scatter(x=columns, y=rows, mode="text", text=words.ravel(), hoverinfo="skip")


def _named(figure: go.Figure, rows: Sequence[str], columns: Sequence[str]) -> None:
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[text(name) for name in rows],
        autorange="reversed",
        showgrid=False,
    )
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[text(name) for name in columns],
        side="top",
        showgrid=False,
    )


def _spoken(row: Any, form: str) -> str:
    if row["mean"] is None or pd.isna(row["mean"]):
        return "no value"
    if row["low"] is None or pd.isna(row["low"]):
        return f"{row['mean']:{form}}, one seed"
    interval = f"95 % interval {row['low']:{form}} to {row['high']:{form}}"
    return f"{row['mean']:{form}}, {interval}, {row['n']} seeds"


def heat(grid: pd.DataFrame, metrics: Sequence[str]) -> go.Figure:
    """Subsets as rows, metrics as columns; the shade is the mean's share of the metric's range."""
    names = list(dict.fromkeys(grid["name"]))
    shape = (len(names), len(metrics))
    shade, words, hover = np.zeros(shape), np.empty(shape, object), np.empty(shape, object)
    for _, row in grid.iterrows():
        if row["metric"] not in metrics:
            continue
        at = names.index(row["name"]), list(metrics).index(row["metric"])
        form = digits(row["metric"])
        known = pd.notna(row["mean"])
        shade[at] = row["mean"] / measure(row["metric"]).maximum if known else 0
        words[at] = f"{row['mean']:{form}}" if known else "–"
        title = measure(row["metric"]).title
        hover[at] = f"<b>{text(row['name'])}</b><br>{title}: {_spoken(row, form)}"
    figure = _framed(180 + ROW * len(names))
    _shaded(figure, shade, words, hover, [[0, faint(SHADE, 0.04)], [1, faint(SHADE, 0.6)]], (0, 1))
    sizes = grid.drop_duplicates("name").set_index("name")["trainable"]
    _named(figure, names, metrics)
    rows = [_row(name, f"{sizes[name]:,.0f} trained") for name in names]
    titles = [broken(_heading(metric), NARROW) for metric in metrics]
    figure.update_yaxes(ticktext=rows)
    figure.update_xaxes(ticktext=titles, tickfont={"size": 11})
    figure.update_layout(margin={"t": 120})
    return figure


def _heading(metric: str) -> str:
    """A metric above its column; an arrow where lower is better."""
    known = measure(metric)
    return f"{known.title} ↓" if known.better == "lower" else known.title


def _row(name: str, more: str = "") -> str:
    """What stands before a row: a name, and in small below it what it differs in."""
    head, _, rest = name.partition(" · ")
    lines = broken(rest, 30).split("<br>") if rest else []
    if len(lines) > 1 and more:  # it would run into the next row; the hover has the whole name
        lines = [f"{lines[0]} …"]
    elif len(lines) > 2:
        lines = [lines[0], f"{lines[1]} …"]
    lines += [text(more)] if more else []
    return "<br>".join([broken(head, NARROW), *(f"<sup>{line}</sup>" for line in lines)])


def heat_alt(grid: pd.DataFrame, metrics: Sequence[str]) -> str:
    """The grid in words."""
    parts = []
    for name, rows in grid.groupby("name", sort=False):
        told = [
            f"{measure(row['metric']).title} {_spoken(row, digits(row['metric']))}"
            for _, row in rows.iterrows()
            if row["metric"] in metrics
        ]
        parts.append(f"{name}: {', '.join(told)}")
    return f"Scores of {len(parts)} subsets of the weights. {'; '.join(parts)}."


def pairs(found: pd.DataFrame, metric: str) -> go.Figure:
    """Row minus column for every two subsets, with p after Holm's correction."""
    names = list(dict.fromkeys([*found["first"], *found["second"]]))
    form, shape = digits(metric), (len(names), len(names))
    shade, words = np.zeros(shape), np.full(shape, "", object)
    hover = np.full(shape, "", object)
    for _, row in found.iterrows():
        if pd.isna(row["difference"]):
            continue
        second, first = names.index(row["second"]), names.index(row["first"])
        for at, sign in (((second, first), 1), ((first, second), -1)):
            gap = sign * row["difference"]
            shade[at] = gap
            words[at] = f"{gap:+{form}}<br>p {row['holm']:.2g}"
            one, other = text(names[at[0]]), text(names[at[1]])
            hover[at] = f"{one} minus {other}: {gap:+{form}}, {row['n']} pairs of seeds"
    figure = _framed(150 + 52 * len(names), title={"text": _paired(found), "x": 0})
    top = max(float(np.abs(shade).max()), 1e-9)
    other = look("prompt_tuning", "").colour
    colours = [[0, faint(other, 0.5)], [0.5, faint(NEUTRAL, 0.05)], [1, faint(SHADE, 0.5)]]
    _shaded(figure, shade, words, hover, colours, (-top, top))
    _named(figure, names, names)
    headings = [broken(name, 12) for name in names]
    figure.update_xaxes(ticktext=headings, tickfont={"size": 11})
    figure.update_yaxes(ticktext=[broken(name, NARROW) for name in names])
    figure.update_layout(margin={"t": 120}, title={"y": 0.98, "yanchor": "top"})
    return figure


def _paired(found: pd.DataFrame) -> str:
    return f"Row minus column, paired by {int(found['n'].max())} seeds"


def pairs_alt(found: pd.DataFrame, metric: str) -> str:
    """The differences in words."""
    form = digits(metric)
    parts = [
        f"{row['second']} minus {row['first']}: {row['difference']:+{form}}, p {row['holm']:.2g}"
        for _, row in found.dropna(subset=["difference"]).iterrows()
    ]
    return f"{measure(metric).title}, differences between subsets. {'; '.join(parts) or 'None'}."


def layers(found: pd.DataFrame, metric: str, whole: float) -> go.Figure:
    """Each layer alone and all but each layer, as differences from the whole choice."""
    figure, form = _framed(420, showlegend=True), digits(metric)
    places = list(dict.fromkeys(zip(found["stack"], found["layer"], strict=True)))
    colours = {"alone": SHADE, "without": look("prompt_tuning", "").colour}
    figure.add_hline(y=0, line={"color": NEUTRAL, "dash": "dash", "width": 1.5})
    for nth, (way, (title, symbol)) in enumerate(WAYS.items()):
        rows = found[found["way"] == way]
        at = [
            places.index(place) + (nth - 0.5) / 5
            for place in zip(rows["stack"], rows["layer"], strict=True)
        ]
        figure.add_scatter(
            x=at,
            y=rows["difference"],
            error_y={
                "array": (rows["high"] - rows["difference"]).fillna(0),
                "color": faint(colours[way], 0.6),
                "width": 5,
            },
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
        tickvals=list(range(len(places))),
        ticktext=[f"{stack.capitalize()} {layer + 1}" for stack, layer in places],
        title_text="Layer",
    )
    figure.update_yaxes(title_text=f"{measure(metric).title}: difference to all of it")
    seeds = int(found["n"].max()) if len(found) else 0
    figure.update_layout(
        title={"text": f"All of it: {whole:{form}}, {seeds} seeds, 95 % intervals", "x": 0}
    )
    return figure


def layers_alt(found: pd.DataFrame, metric: str, whole: float) -> str:
    """The layers in words."""
    form = digits(metric)
    parts = [
        f"{WAYS[row['way']][0].lower()} ({row['stack']} {row['layer'] + 1}) "
        f"{row['difference']:+{form}}"
        for _, row in found.dropna(subset=["difference"]).iterrows()
    ]
    return (
        f"{measure(metric).title} by layer against all of it, {whole:{form}}. {'; '.join(parts)}."
    )


def flags(shares: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]) -> go.Figure:
    """Runs as rows, flags as columns; shade and words are shares of answers."""
    titles = [flag.title for flag in FLAGS.values()] + ["None of these"]
    order = [*FLAGS, "sound"]
    shade = np.array([[found[name] for name in order] for found in shares.values()])
    words = np.array([[_percent(value) for value in row] for row in shade], object)
    hover = np.array(
        [
            [
                f"<b>{text(run)}</b><br>{title}: {share:.1%} of {counts[run]} answers"
                for title, share in zip(titles, row, strict=True)
            ]
            for run, row in zip(shares, shade, strict=True)
        ],
        object,
    )
    # A finger on the picture moves the page or the columns, and does not mark a part of them.
    figure = _framed(150 + 52 * len(shares), margin={"t": 100}, dragmode=False)
    _shaded(figure, shade, words, hover, [[0, faint(SHADE, 0.03)], [1, faint(SHADE, 0.6)]], (0, 1))
    _named(figure, list(shares), titles)
    figure.update_yaxes(ticktext=[_row(name, f"{counts[name]} answers") for name in shares])
    headings = [broken(title, 11) for title in titles]
    figure.update_xaxes(ticktext=headings, tickfont={"size": 11}, tickangle=0)
    return figure


def _percent(share: float) -> str:
    """A share in few signs; a small one to a tenth."""
    if not share:
        return "0"
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"


def flags_alt(shares: Mapping[str, Mapping[str, float]]) -> str:
    """The flags in words: for each run what is raised at all."""
    parts = []
    for run, found in shares.items():
        told = [f"{FLAGS[name].title} {found[name]:.1%}" for name in FLAGS if found[name]]
        parts.append(f"{run}: {', '.join(told) or 'no flag'}")
    return f"Share of answers that raise each flag. {'; '.join(parts)}."


PARTS = {"accuracy": "circle", "ratio": "diamond", "normalised": "square"}


def parts(table: pd.DataFrame, titles: Mapping[str, str], looks: Mapping[str, Look]) -> go.Figure:
    """For each run the accuracy, the score of right answers, and their product, all in [0, 1].

    Columns of the table: run, accuracy, ratio, normalised.
    """
    figure = _framed(170 + 46 * max(len(table), 1), showlegend=True)
    for name, symbol in PARTS.items():
        figure.add_scatter(
            x=table[name],
            y=[-place for place in range(len(table))],
            mode="markers",
            marker={
                "color": [looks[run].colour for run in table["run"]],
                "symbol": symbol if name != "normalised" else f"{symbol}-open",
                "size": 13,
                "line": {"width": 2},
            },
            name=text(titles[name]),
            customdata=[text(looks[run].name) for run in table["run"]],
            hovertemplate=f"<b>%{{customdata}}</b><br>{text(titles[name])} %{{x:.3f}}"
            "<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=[-place for place in range(len(table))],
        ticktext=[_row(looks[run].name) for run in table["run"]],
        range=[-len(table) + 0.5, 0.5],
    )
    figure.update_xaxes(title_text="Share (0 to 1)", range=[-0.02, 1.04])
    return figure


def parts_alt(table: pd.DataFrame, titles: Mapping[str, str], looks: Mapping[str, Look]) -> str:
    """The parts in words."""
    told = [
        f"{looks[row['run']].name}: "
        + ", ".join(f"{titles[name]} {row[name]:.3f}" for name in PARTS)
        for _, row in table.iterrows()
    ]
    return f"What the normalised score is made of. {'; '.join(told) or 'No runs'}."


def reported(found: pd.DataFrame, silent: str) -> go.Figure:
    """Published configurations: accuracy against the score of right answers; open where silent.

    `silent` is what the column `where` says of configurations that never explained anything.
    """
    figure = _framed(420, showlegend=True)
    for nth, (task, rows) in enumerate(found.groupby("task", sort=False)):
        mute = rows["where"].str.contains(silent, regex=False)
        symbol = SYMBOLS[nth % len(SYMBOLS)]
        figure.add_scatter(
            x=rows["accuracy"],
            y=rows["ratio"],
            mode="markers",
            name=text(task),
            marker={
                "symbol": [f"{symbol}-open" if one else symbol for one in mute],
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


def reported_alt(found: pd.DataFrame, silent: str) -> str:
    """The published figures in words."""
    mute = found["where"].str.contains(silent, regex=False)
    low, high = found.loc[mute, "ratio"].min(), found.loc[mute, "ratio"].max()
    others = found.loc[~mute, "ratio"]
    return (
        f"{len(found)} published configurations. Those that never explained score {low:.3f} to "
        f"{high:.3f} on right answers at {found.loc[mute, 'accuracy'].max():.0f} % accuracy at "
        f"most; the others {others.min():.3f} to {others.max():.3f}."
    )
