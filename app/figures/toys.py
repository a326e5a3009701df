"""Toy transformers: tables of exact match, learning curves, what a head looks at, capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as panel_layout
from app.figures.theme import NEUTRAL, TEMPLATE, method_colour, plotly_text, with_opacity
from peftcore.labs.toys.capacity import SYMBOLS, PositionTrace
from peftcore.labs.toys.recipes import TASKS
from peftcore.labs.toys.results import ResultRow, StageResult

CHART_COLOUR = "#0072B2"
COLUMN_LABEL_WIDTH, ROW_LABEL_WIDTH = 18, 15  # characters of a line below a column and beside a row
TITLE_WIDTH = 22  # characters of a line above one of three heads
LOSS_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)  # nats, on a logarithmic axis
MARK_COLOUR = "#D55E00"  # around cells to look at
ADAPTATION_COLOURS = {
    "pretrained": NEUTRAL,
    "fine-tuned": "#CC0049",
    "prefix": method_colour("prefix_tuning"),
    "rank-1 LoRA": method_colour("lora"),
}


def adaptation_colour(adaptation: str) -> str:
    """The colour of a kind of adaptation."""
    return ADAPTATION_COLOURS[adaptation.partition(":")[0]]


def adaptation_title(adaptation: str) -> str:
    """An adaptation with its task in words."""
    kind, _, task = adaptation.partition(": ")
    return f"{kind}: {TASKS[task]}" if task else kind


def exact_match_heatmap(rows: Sequence[ResultRow]) -> go.Figure:
    """Mean exact match of every adaptation (down) on every task (across), with intervals."""
    adaptations = list(dict.fromkeys(row.adaptation for row in rows))
    tasks = list(dict.fromkeys(row.task for row in rows))
    row_by_cell = {(row.adaptation, row.task): row for row in rows}
    cells = [[row_by_cell[a, t] for t in tasks] for a in adaptations]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 220 + 70 * len(adaptations)})
    figure.add_heatmap(
        z=[[row.mean for row in line] for line in cells],
        x=list(range(len(tasks))),
        y=list(range(len(adaptations))),
        zmin=0,
        zmax=100,
        colorscale=[[0, with_opacity(CHART_COLOUR, 0.04)], [1, with_opacity(CHART_COLOUR, 0.45)]],
        showscale=False,  # every cell says its number
        customdata=[[_hover_text(row) for row in line] for line in cells],
        hovertemplate="%{customdata}<extra></extra>",
        xgap=3,
        ygap=3,
    )
    # Words of their own: those of a heat map take no colour from the page's text.
    figure.add_scatter(
        x=[column for _ in adaptations for column in range(len(tasks))],
        y=[line for line in range(len(adaptations)) for _ in tasks],
        text=[_cell_text(row) for line in cells for row in line],
        mode="text",
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(
        tickvals=list(range(len(tasks))),
        ticktext=["<br>".join(wrap(TASKS[task], COLUMN_LABEL_WIDTH)) for task in tasks],
        tickangle=-90,
        title_text="Tested on",
        showgrid=False,
        side="bottom",
    )
    figure.update_yaxes(
        tickvals=list(range(len(adaptations))),
        ticktext=[
            "<br>".join(wrap(adaptation_title(name), ROW_LABEL_WIDTH)) for name in adaptations
        ],
        autorange="reversed",
        showgrid=False,
    )
    count = len(rows[0].seeds) if rows else 0
    seeds = f"{count} seed{'s' * (count != 1)}"
    figure.update_layout(title={"text": f"Right in every digit (%), {seeds}"}, margin={"r": 16})
    return figure


def _cell_text(row: ResultRow) -> str:
    limits = "" if row.low is None else f"<br>{row.low:.1f}–{row.high:.1f}"
    paper = "" if row.paper is None else f"<br><i>paper {row.paper:.1f}</i>"
    return f"<b>{row.summary}</b>{limits}{paper}"


def _hover_text(row: ResultRow) -> str:
    """Return a cell's text on hover: seeds, trained numbers, the constant answer."""
    seeds = ", ".join(f"{value:.1f}" for value in row.seeds)
    constant = "" if row.constant is None else f"<br>a constant answer reaches {row.constant:.1f}"
    return (
        f"{adaptation_title(row.adaptation)}, tested on: {TASKS[row.task]}<br>seeds {seeds}"
        f"<br>{row.numbers:,} numbers trained{constant}"
    )


def exact_match_heatmap_alt(rows: Sequence[ResultRow]) -> str:
    """The table of exact match in words."""
    descriptions = [
        f"{adaptation_title(row.adaptation)} on {TASKS[row.task]} {row.summary} percent"
        for row in rows
    ]
    return "Exact match. " + "; ".join(descriptions)


def exact_match_table(rows: Sequence[ResultRow]) -> pd.DataFrame:
    """Every cell with its seeds, for a download."""
    return pd.DataFrame(
        [
            {
                "Adaptation": adaptation_title(row.adaptation),
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


def stage_loss_curves(losses: Mapping[str, Sequence[Sequence[Any]]]) -> go.Figure:
    """Training loss of every stage: [step, [loss of each seed]] → mean thick, seeds thin."""
    figure = _curves_by_step(losses, ".3f")
    figure.update_yaxes(title_text="Training loss (nats)", rangemode="tozero")
    figure.update_layout(title={"text": "Loss on the digits of the answer; thin lines are seeds"})
    return figure


def share_right_curves(shares: Mapping[str, Sequence[Sequence[Any]]]) -> go.Figure:
    """Training sequences answered in full: [step, [percent of each seed]] → mean, seeds thin."""
    figure = _curves_by_step(shares, ".1f")
    figure.update_yaxes(title_text="Right in training (%)", range=[0, 102])
    figure.update_layout(title={"text": "Right in every digit (%); thin lines are seeds"})
    return figure


def share_right_curves_alt(shares: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """The curves in words."""
    ends = [
        f"{adaptation_title(stage)} ends at {np.mean(points[-1][1]):.1f} percent"
        for stage, points in shares.items()
        if points
    ]
    return "Right in training. " + "; ".join(ends)


def _curves_by_step(series: Mapping[str, Sequence[Sequence[Any]]], number: str) -> go.Figure:
    """Draw [step, [value of each seed]] of every stage, on hover in this format of numbers."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340})
    dashes = ("solid", "dash", "dot", "dashdot", "longdash")
    for index, (stage, points) in enumerate(series.items()):
        if not points:
            continue
        steps = [step for step, _ in points]
        values = np.array([value for _, value in points], dtype=float)
        stage_colour = adaptation_colour(stage)
        for seed in values.T if values.shape[1] > 1 else ():
            figure.add_scatter(
                x=steps,
                y=seed,
                mode="lines",
                line={"color": with_opacity(stage_colour, 0.35), "width": 1},
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=steps,
            y=values.mean(1),
            mode="lines",
            line={"color": stage_colour, "width": 2.5, "dash": dashes[index % len(dashes)]},
            name=adaptation_title(stage),
            hovertemplate=f"step %{{x}}: %{{y:{number}}}<extra>%{{fullData.name}}</extra>",
        )
    figure.update_xaxes(title_text="Optimiser step", rangemode="tozero")
    return figure


def stage_loss_curves_alt(losses: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """The curves in words."""
    ends = [
        f"{adaptation_title(stage)} from {np.mean(points[0][1]):.2f} to "
        f"{np.mean(points[-1][1]):.2f}"
        for stage, points in losses.items()
        if points
    ]
    return "Training loss. " + "; ".join(ends)


def start_table(trained: Mapping[str, StageResult]) -> pd.DataFrame:
    """Every start of every seed: its last training loss, and the score of the one that was kept."""
    rows = []
    for name, result in trained.items():
        task = result.stage["task"]
        for index, losses in enumerate(result.start_losses):
            kept = int(np.argmin(losses))
            rows += [
                {
                    "Adaptation": adaptation_title(name),
                    "Seed": result.seeds[index],
                    "Start": start,
                    "Training loss": loss,
                    "Kept": start == kept,
                    "Exact match (%)": result.exact_match[task][index] if start == kept else None,
                }
                for start, loss in enumerate(losses)
            ]
    return pd.DataFrame(rows)


def start_losses_chart(trained: Mapping[str, StageResult]) -> go.Figure:
    """Last training loss of every start, seeds side by side; the one that was kept is filled."""
    table = start_table(trained)
    names = list(dict.fromkeys(table["Adaptation"]))
    seeds = sorted(set(table["Seed"]))
    spread = 0.6 / max(1, len(seeds))  # of an adaptation's place for each seed
    table["place"] = [
        names.index(name) + spread * (seeds.index(seed) - (len(seeds) - 1) / 2)
        for name, seed in zip(table["Adaptation"], table["Seed"], strict=True)
    ]
    figure = go.Figure(layout={"template": TEMPLATE, "height": 340})
    for is_kept, symbol, label in ((False, "circle-open", "not kept"), (True, "circle", "kept")):
        rows = table[table["Kept"] == is_kept]
        figure.add_scatter(
            x=rows["place"],
            y=rows["Training loss"],
            mode="markers",
            marker={"symbol": symbol, "size": 8, "color": ADAPTATION_COLOURS["prefix"]},
            customdata=rows[["Seed", "Start"]].to_numpy(),
            hovertemplate="seed %{customdata[0]}, start %{customdata[1]}: %{y:.3g}<extra></extra>",
            name=label,
        )
    figure.update_xaxes(
        tickvals=list(range(len(names))),
        ticktext=["<br>".join(wrap(name, ROW_LABEL_WIDTH)) for name in names],
        showgrid=False,
    )
    figure.update_yaxes(
        title_text="Last training loss (nats)", type="log", tickvals=LOSS_TICKS, minor={"ticks": ""}
    )
    figure.update_layout(title={"text": "Starts of every seed, seeds from left to right"})
    return figure


def start_losses_alt(trained: Mapping[str, StageResult]) -> str:
    """The starts in words."""
    table = start_table(trained)
    parts = [
        f"{name} from {rows['Training loss'].min():.2g} to {rows['Training loss'].max():.2g}"
        for name, rows in table.groupby("Adaptation", sort=False)
    ]
    return "Last training loss of every start. " + "; ".join(parts)


def variant_heatmaps(
    pictures: Mapping[str, np.ndarray],
    words: Sequence[str],
    pads: int,
    *,
    notes: Mapping[str, str],
    marks: Sequence[tuple[int, int]] = (),
) -> go.Figure:
    """Draw the attention of one head in several variants, side by side.

    pictures: variant → weights (q, m + k), the last of which are the queries; words: all digits,
    half of them input.  notes stand below the names; marks: (query, key) of cells with a frame.
    """
    panels = [
        panel_layout.AttentionPanel(name, weights, words[len(words) - len(weights) :], words, pads)
        for name, weights in pictures.items()
    ]
    figure = panel_layout.attention_figure(
        panels, 0.04, title=panel_layout.axis_title(""), tickangle=0
    )
    inputs = (len(words) + 1) // 2
    for number, (name, note) in enumerate(
        zip(pictures, figure["layout"]["annotations"], strict=True)
    ):
        note["text"] = "<br>".join(
            [*map(plotly_text, wrap(adaptation_title(name), TITLE_WIDTH)), notes.get(name, "")]
        )
        note["font"] = {"size": 13}
        if number == len(panels) // 2:  # one below all, for which a phone has room
            axis = figure["layout"][panel_layout.axis_name("xaxis", number)]
            axis["title"] = {"text": "input │ its answer so far", "font": {"size": 12}}
    figure["data"] += [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [key for _, key in marks],
            "y": [query for query, _ in marks],
            "xaxis": panel_layout.axis_name("x", number),
            "yaxis": panel_layout.axis_name("y", number),
            "marker": {"symbol": "square-open", "size": 15, "color": MARK_COLOUR},
            "showlegend": False,
            "hoverinfo": "skip",
        }
        for number in range(len(panels))
        if marks
    ]
    lines = [(-0.5, ADAPTATION_COLOURS["prefix"])] if pads else []
    lines.append((inputs - 0.5, NEUTRAL))
    figure["layout"] |= {
        "height": 340,
        "shapes": [
            panel_layout.vertical_line(x, number, colour, 2)
            for number in range(len(panels))
            for x, colour in lines
        ],
        "margin": panel_layout.fixed_margin(64, panel_layout.label_width(words, 13), 48),
    }
    return go.Figure(figure)


def variant_heatmaps_alt(pictures: Mapping[str, np.ndarray], pads: int) -> str:
    """The heads in words."""
    shares = [
        f"{adaptation_title(name)}: {weights[:, :pads].sum(1).mean():.0%} on the positions in front"
        if pads
        else f"{adaptation_title(name)}: at most {weights.max():.0%} on one digit"
        for name, weights in pictures.items()
    ]
    return "Attention of one head. " + "; ".join(shares)


def symbol_scores_chart(position: PositionTrace) -> go.Figure:
    """The scores of all symbols at one position of the capacity construction."""
    figure = go.Figure(layout={"template": TEMPLATE, "height": 300})
    best_index = int(position.logits.argmax())
    trace_style = {
        "customdata": [plotly_text(sign) for sign in SYMBOLS],
        "hovertemplate": "%{customdata}: %{y:.6f}<extra></extra>",
        "showlegend": False,
    }
    figure.add_bar(
        x=list(range(len(SYMBOLS))),
        y=position.logits,
        marker={"color": with_opacity(CHART_COLOUR, 0.4)},
        **trace_style,
    )
    figure.add_scatter(  # the highest score is nearly zero, which no bar would show
        x=[best_index],
        y=[position.logits[best_index]],
        mode="markers+text",
        text=[plotly_text(position.symbol)],
        textposition="top center",
        marker={"color": "#D55E00", "size": 9},
        **trace_style | {"customdata": [plotly_text(position.symbol)]},
    )
    figure.update_xaxes(
        title_text="Symbol",
        tickvals=list(range(0, len(SYMBOLS), 3)),
        ticktext=[plotly_text(SYMBOLS[n]) for n in range(0, len(SYMBOLS), 3)],
    )
    lowest, highest = float(position.logits.min()), float(position.logits.max())
    room = 0.15 * (highest - lowest)  # for the symbol above the mark
    figure.update_yaxes(title_text="Score", range=[lowest - room / 3, highest + room])
    figure.update_layout(title={"text": f"Highest score: {plotly_text(position.symbol)}"})
    return figure


def symbol_scores_alt(position: PositionTrace) -> str:
    """The scores in words."""
    return (
        f"Scores of {len(SYMBOLS)} symbols, a parabola with its top at {position.symbol}, "
        f"symbol number {SYMBOLS.index(position.symbol)}"
    )
