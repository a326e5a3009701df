"""Toy transformers: tables of exact match, learning curves, what a head looks at, capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as beside
from app.theme import NEUTRAL, TEMPLATE, colour, faint, text
from peftcore.labs.toys.capacity import SYMBOLS, PositionTrace
from peftcore.labs.toys.recipes import TASKS
from peftcore.labs.toys.results import ResultRow

INK = "#0072B2"
ACROSS, DOWN = 11, 20  # characters of a line below a column and beside a row
CROWDED = 14  # keys whose names still fit below them side by side
KINDS = {
    "pretrained": NEUTRAL,
    "fine-tuned": "#CC0049",
    "prefix": colour("prefix_tuning"),
    "rank-1 LoRA": colour("lora"),
}


def colour_of(adaptation: str) -> str:
    """The colour of a kind of adaptation."""
    return KINDS[adaptation.partition(":")[0]]


def in_words(adaptation: str) -> str:
    """An adaptation with its task in words."""
    kind, _, task = adaptation.partition(": ")
    return f"{kind}: {TASKS[task]}" if task else kind


def exact_match(rows: Sequence[ResultRow]) -> go.Figure:
    """Mean exact match of every adaptation (down) on every task (across), with intervals."""
    adaptations = list(dict.fromkeys(row.adaptation for row in rows))
    tasks = list(dict.fromkeys(row.task for row in rows))
    cell = {(row.adaptation, row.task): row for row in rows}
    each = [[cell[a, t] for t in tasks] for a in adaptations]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 170 + 70 * len(adaptations)})
    figure.add_heatmap(
        z=[[row.mean for row in line] for line in each],
        x=list(range(len(tasks))),
        y=list(range(len(adaptations))),
        zmin=0,
        zmax=100,
        colorscale=[[0, faint(INK, 0.04)], [1, faint(INK, 0.45)]],
        colorbar={"title": {"text": "Exact match (%)", "side": "right"}, "thickness": 12},
        customdata=[[_hover(row) for row in line] for line in each],
        hovertemplate="%{customdata}<extra></extra>",
        xgap=3,
        ygap=3,
    )
    # Words of their own: those of a heat map take no colour from the page's ground.
    figure.add_scatter(
        x=[column for _ in adaptations for column in range(len(tasks))],
        y=[line for line in range(len(adaptations)) for _ in tasks],
        text=[_cell(row) for line in each for row in line],
        mode="text",
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(
        tickvals=list(range(len(tasks))),
        ticktext=["<br>".join(wrap(TASKS[task], ACROSS)) for task in tasks],
        title_text="Tested on",
        showgrid=False,
        side="bottom",
    )
    figure.update_yaxes(
        tickvals=list(range(len(adaptations))),
        ticktext=["<br>".join(wrap(in_words(name), DOWN)) for name in adaptations],
        autorange="reversed",
        showgrid=False,
    )
    count = len(rows[0].seeds) if rows else 0
    seeds = "one seed" if count == 1 else f"mean of {count} seeds, 95 % interval"
    figure.update_layout(title={"text": f"Answers right in every digit ({seeds})"})
    return figure


def _cell(row: ResultRow) -> str:
    limits = "" if row.low is None else f"<br>{row.low:.1f}–{row.high:.1f}"
    paper = "" if row.paper is None else f"<br><i>paper {row.paper:.1f}</i>"
    return f"<b>{row.mean:.1f}</b>{limits}{paper}"


def _hover(row: ResultRow) -> str:
    seeds = ", ".join(f"{value:.1f}" for value in row.seeds)
    constant = "" if row.constant is None else f"<br>a constant answer reaches {row.constant:.1f}"
    return (
        f"{in_words(row.adaptation)}, tested on: {TASKS[row.task]}<br>seeds {seeds}"
        f"<br>{row.numbers:,} numbers trained{constant}"
    )


def exact_match_alt(rows: Sequence[ResultRow]) -> str:
    """The table of exact match in words."""
    said = [
        f"{in_words(row.adaptation)} on {TASKS[row.task]} {row.mean:.1f} percent" for row in rows
    ]
    return "Exact match. " + "; ".join(said)


def table(rows: Sequence[ResultRow]) -> pd.DataFrame:
    """Every cell with its seeds, for a download."""
    return pd.DataFrame(
        [
            {
                "Adaptation": in_words(row.adaptation),
                "Tested on": TASKS[row.task],
                "Exact match (%)": row.mean,
                "Low": row.low,
                "High": row.high,
                "Paper (%)": row.paper,
                "Constant answer (%)": row.constant,
                "Numbers trained": row.numbers,
                **{f"Seed {n}": value for n, value in enumerate(row.seeds)},
            }
            for row in rows
        ]
    )


def learning(losses: Mapping[str, Sequence[Sequence[Any]]]) -> go.Figure:
    """Training loss of every stage: [step, [loss of each seed]] → mean thick, seeds thin."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340})
    dashes = ("solid", "dash", "dot", "dashdot", "longdash")
    for place, (stage, points) in enumerate(losses.items()):
        if not points:
            continue
        steps = [step for step, _ in points]
        values = np.array([value for _, value in points], dtype=float)
        shown = colour_of(stage)
        for seed in values.T if values.shape[1] > 1 else ():
            figure.add_scatter(
                x=steps,
                y=seed,
                mode="lines",
                line={"color": faint(shown, 0.35), "width": 1},
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=steps,
            y=values.mean(1),
            mode="lines",
            line={"color": shown, "width": 2.5, "dash": dashes[place % len(dashes)]},
            name=in_words(stage),
            hovertemplate="step %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title_text="Optimiser step", rangemode="tozero")
    figure.update_yaxes(title_text="Training loss (nats)", rangemode="tozero")
    figure.update_layout(title={"text": "Loss on the digits of the answer; thin lines are seeds"})
    return figure


def learning_alt(losses: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """The curves in words."""
    ends = [
        f"{in_words(stage)} from {np.mean(points[0][1]):.2f} to {np.mean(points[-1][1]):.2f}"
        for stage, points in losses.items()
        if points
    ]
    return "Training loss. " + "; ".join(ends)


def heads(pictures: Mapping[str, np.ndarray], words: Sequence[str], pads: int) -> go.Figure:
    """What one head looks at in several variants, side by side.

    pictures: variant → weights (q, m + k), the last of which are the queries; words: all digits.
    """
    keys = [f"<i>P{n + 1}</i>" for n in range(pads)] + list(words)
    places = beside.domains([1] * len(pictures), 0.04)
    turned = len(keys) > CROWDED
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"template": TEMPLATE, "height": 360, "shapes": []}
    for number, (weights, domain) in enumerate(zip(pictures.values(), places, strict=True)):
        queries = list(words)[len(words) - len(weights) :]
        x, y = beside.name("x", number), beside.name("y", number)
        data.append(
            {
                "type": "heatmap",
                "z": weights,
                "x": list(range(-pads, len(words))),
                "y": list(range(len(queries))),
                "xaxis": x,
                "yaxis": y,
                "coloraxis": "coloraxis",
                "customdata": [[f"{q} looks at {k}" for k in keys] for q in queries],
                "hovertemplate": "%{customdata}: %{z:.3f}<extra></extra>",
            }
        )
        layout[beside.name("xaxis", number)] = beside.x_axis(
            number,
            domain,
            tickvals=list(range(-pads, len(words))),
            ticktext=keys,
            range=[-pads - 0.5, len(words) - 0.5],
            showgrid=False,
            title=beside.title("Key") | ({"standoff": 26} if turned else {}),
            tickangle=-90 if turned else 0,
        )
        layout[beside.name("yaxis", number)] = beside.y_axis(
            number,
            tickvals=list(range(len(queries))),
            ticktext=queries,
            range=[len(queries) - 0.5, -0.5],
            showgrid=False,
        )
        layout["shapes"].append(beside.line(-0.5, number, KINDS["prefix"], 2))
    layout["yaxis"]["title"] = beside.title("Query")
    layout |= {
        "annotations": [
            beside.heading(in_words(name), domain)
            for name, domain in zip(pictures, places, strict=True)
        ],
        "margin": beside.margin(44, beside.room(words, 13), 68 if turned else 52),
        "coloraxis": {
            "cmin": 0,
            "cmax": 1,
            "colorscale": [[0, faint(INK, 0)], [1, INK]],
            "colorbar": {"title": {"text": "Attention", "side": "right"}, "thickness": 12},
        },
    }
    return go.Figure({"data": data, "layout": layout})


def heads_alt(pictures: Mapping[str, np.ndarray], pads: int) -> str:
    """The heads in words."""
    shares = [
        f"{in_words(name)}: {weights[:, :pads].sum(1).mean():.0%} on the positions in front"
        for name, weights in pictures.items()
    ]
    return "Attention of one head. " + "; ".join(shares)


def output(position: PositionTrace) -> go.Figure:
    """The scores of all symbols at one position of the capacity construction."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 300})
    best = int(position.logits.argmax())
    said = {
        "customdata": [text(sign) for sign in SYMBOLS],
        "hovertemplate": "%{customdata}: %{y:.6f}<extra></extra>",
        "showlegend": False,
    }
    figure.add_bar(
        x=list(range(len(SYMBOLS))), y=position.logits, marker={"color": faint(INK, 0.4)}, **said
    )
    figure.add_scatter(  # the highest score is nearly nought, which no bar would show
        x=[best],
        y=[position.logits[best]],
        mode="markers+text",
        text=[text(position.symbol)],
        textposition="top center",
        marker={"color": "#D55E00", "size": 9},
        **said | {"customdata": [text(position.symbol)]},
    )
    figure.update_xaxes(
        title_text="Symbol",
        tickvals=list(range(0, len(SYMBOLS), 3)),
        ticktext=[text(SYMBOLS[n]) for n in range(0, len(SYMBOLS), 3)],
    )
    figure.update_yaxes(title_text="Score")
    figure.update_layout(title={"text": f"Highest score: {text(position.symbol)}"})
    return figure


def output_alt(position: PositionTrace) -> str:
    """The scores in words."""
    return (
        f"Scores of {len(SYMBOLS)} symbols, a parabola with its top at {position.symbol}, "
        f"symbol number {SYMBOLS.index(position.symbol)}"
    )
