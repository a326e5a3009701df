"""Why a model answers as it does: readings of layers, exchanged layers, left-out tokens.

Values come from `peftcore.labs.attention.why_answer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.figures import layout as panels
from app.figures.theme import LABELLED_SCALE, NEUTRAL, TEMPLATE, plotly_text

if TYPE_CHECKING:
    from peftcore.labs.attention.attribution import Attribution
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

AFTER_COLOUR, BEFORE_COLOUR = "#0072B2", "#D55E00"
SIDE_TITLES = {"before": "Before", "after": "After"}
MAX_WORD_COLUMNS = 6  # target tokens up to which a cell has room for a word
MAX_WORD_ROWS = 32  # layers up to which it has
MAX_NAMED = 28  # tokens that are named below an axis
LABEL_SIZE = 11


def _names(words: Sequence[str]) -> list[str]:
    return [plotly_text(panels.shortened(word)) for word in words]


def lens_panels(lens: Lens) -> go.Figure:
    """Probability of each target token (columns) read off each layer (rows), on both sides."""
    columns = list(range(len(lens.targets)))
    domains = panels.panel_domains([1.0] * len(lens.readings), 0.04)
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    with_words = len(columns) <= MAX_WORD_COLUMNS and len(lens.layers) <= MAX_WORD_ROWS
    for number, reading in enumerate(lens.readings.values()):
        hover = [
            [
                f"layer {layer}, “{plotly_text(target)}”: {reading.probability[row, column]:.3f}"
                f"<br>likeliest “{plotly_text(reading.top[row][column])}” "
                f"{reading.top_probability[row, column]:.3f}"
                for column, target in enumerate(lens.targets)
            ]
            for row, layer in enumerate(lens.layers)
        ]
        trace: dict[str, Any] = {
            "type": "heatmap",
            "z": reading.probability,
            "x": columns,
            "y": list(range(len(lens.layers))),
            "xaxis": panels.axis_name("x", number),
            "yaxis": panels.axis_name("y", number),
            "coloraxis": "coloraxis",
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
            "xgap": 1,
            "ygap": 1,
        }
        if with_words:
            trace["text"] = [_names(row) for row in reading.top]
            trace |= {"texttemplate": "%{text}", "textfont": {"size": LABEL_SIZE}}
        data.append(trace)
        layout |= _lens_axes(lens, number, domains[number])
    layout["yaxis"]["title"] = panels.axis_title("Layer of the decoder")
    layout |= {
        "template": TEMPLATE,
        "height": max(330, min(620, 150 + 15 * len(lens.layers))),
        "annotations": [
            panels.panel_heading(SIDE_TITLES[side], domain)
            for side, domain in zip(lens.readings, domains, strict=True)
        ],
        "coloraxis": {
            "cmin": 0,
            "cmax": 1,
            **({"colorscale": LABELLED_SCALE} if with_words else {}),
            "colorbar": {
                "title": {"text": "Probability", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
        "margin": panels.fixed_margin(
            40, 56, panels.label_width([panels.shortened(t) for t in lens.targets], LABEL_SIZE)
        ),
    }
    return go.Figure({"data": data, "layout": layout})


def _lens_axes(lens: Lens, number: int, domain: Sequence[float]) -> dict[str, Any]:
    """Return the axes of one side: tokens below, layers on the left with the last on top."""
    step = -(-len(lens.targets) // MAX_NAMED)
    places = list(range(0, len(lens.targets), step))
    rows = panels.thin_numbers(len(lens.layers))
    return {
        panels.axis_name("xaxis", number): panels.x_axis(
            number,
            domain,
            tickvals=places,
            ticktext=_names([lens.targets[place] for place in places]),
            tickangle=-90,
            tickfont={"size": LABEL_SIZE},
            showgrid=False,
            title=panels.axis_title("Target token"),
        ),
        panels.axis_name("yaxis", number): panels.y_axis(
            number,
            tickvals=rows,
            ticktext=[str(lens.layers[row]) for row in rows],
            showgrid=False,
        ),
    }


def lens_alt(lens: Lens) -> str:
    """The readings in words: the first layer at which each side finds the first token likeliest."""
    parts = []
    for side, reading in lens.readings.items():
        layer = first_layer(lens, side)
        words = f"from layer {layer} on" if layer else "at no layer"
        last = reading.probability[-1, 0]
        parts.append(f"{side}, “{lens.targets[0]}” is likeliest {words}, {last:.2f} at the end")
    return f"Logit lens over {len(lens.layers)} layers: {'; '.join(parts)}"


def first_layer(lens: Lens, side: str, column: int = 0) -> int | None:
    """Return the layer from which on a target token is the likeliest; None where it never is."""
    reading = lens.readings[side]
    found = None
    for row in reversed(range(len(lens.layers))):
        if reading.top_probability[row, column] > reading.probability[row, column]:
            break
        found = lens.layers[row]
    return found


def lens_table(lens: Lens) -> pd.DataFrame:
    """The readings as rows."""
    return pd.DataFrame(
        [
            {
                "side": side,
                "layer": layer,
                "token": target,
                "probability": reading.probability[row, column],
                "likeliest": reading.top[row][column],
            }
            for side, reading in lens.readings.items()
            for row, layer in enumerate(lens.layers)
            for column, target in enumerate(lens.targets)
        ]
    )


def patch_lines(found: Patching) -> go.Figure:
    """Log-odds of the adapted model's word with one layer's output exchanged, both ways."""
    names = [f"{stack.capitalize()} {number + 1}" for stack, number in found.layers]
    x = list(range(len(names)))
    figure = go.Figure(layout={"template": TEMPLATE, "height": 430})
    for title, values, words, colour in (
        ("adapted output in the model before", found.given, found.given_words, BEFORE_COLOUR),
        ("earlier output in the adapted model", found.taken, found.taken_words, AFTER_COLOUR),
    ):
        figure.add_scatter(
            x=x,
            y=values[:-1],
            mode="lines+markers",
            name=title,
            line={"color": colour},
            marker={
                "size": 9,
                "symbol": ["circle" if word == found.word else "x" for word in words[:-1]],
            },
            customdata=[
                [name, plotly_text(word)] for name, word in zip(names, words, strict=False)
            ],
            hovertemplate="%{customdata[0]}: %{y:.2f}, writes “%{customdata[1]}”<extra></extra>",
        )
    for side, value, colour in (
        ("before", found.before, BEFORE_COLOUR),
        ("after", found.after, AFTER_COLOUR),
    ):
        figure.add_hline(
            y=value,
            line={"color": colour, "dash": "dash", "width": 1.5},
            annotation_text=side,
            annotation_position="top left",
            annotation_font_size=11,
        )
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1})
    ticks = panels.layer_ticks(names)
    figure.update_xaxes(**ticks, range=[-0.5, len(names) - 0.5], showgrid=False)
    figure.update_yaxes(title_text=f"Log-odds of “{plotly_text(found.word)}”")
    figure.update_layout(margin={"b": 130, "t": 20})
    return figure


def patch_alt(found: Patching) -> str:
    """The lines in words."""
    return (
        f"Log-odds of “{found.word}” with one layer's output exchanged: before {found.before:.2f}, "
        f"after {found.after:.2f}; given from {found.given.min():.2f} to {found.given.max():.2f}, "
        f"taken from {found.taken.min():.2f} to {found.taken.max():.2f}"
    )


def patch_table(found: Patching) -> pd.DataFrame:
    """The exchanges as rows, the last with all layers."""
    names = [f"{stack} {number + 1}" for stack, number in found.layers] + ["all layers"]
    return pd.DataFrame(
        {
            "layer": names,
            "given": found.given,
            "writes": found.given_words,
            "taken": found.taken,
            "writes then": found.taken_words,
        }
    )


AXES_OF_SHARES = {  # titles of both axes
    "leave-out": ("Token that is left out", "Added to the log-likelihood (nats)"),
    "gradient": ("Token of the text", "Gradient × input (nats)"),
    "integrated": ("Token of the text", "Integrated gradient (nats)"),
}


def token_bars(found: LeftOut | Attribution, column: int | None, way: str) -> go.Figure:
    """The share of each token of the text in the log-likelihood, before and after."""
    below, beside = AXES_OF_SHARES[way]
    places = list(range(len(found.tokens)))
    figure = go.Figure(layout={"template": TEMPLATE, "height": 430, "barmode": "group"})
    for side, colour in (("before", BEFORE_COLOUR), ("after", AFTER_COLOUR)):
        figure.add_bar(
            x=places,
            y=found.by_token(side, column),
            name=SIDE_TITLES[side],
            marker={"color": colour},
            customdata=[plotly_text(token) for token in found.tokens],
            hovertemplate="%{customdata}: %{y:+.3f}<extra></extra>",
        )
    step = -(-len(places) // MAX_NAMED)
    figure.update_xaxes(
        tickvals=places[::step],
        ticktext=_names(found.tokens)[::step],
        tickangle=-90,
        title_text=below,
        showgrid=False,
    )
    figure.update_yaxes(title_text=beside, zeroline=True)
    figure.update_layout(margin={"t": 20, "b": 110})
    return figure


def token_alt(found: LeftOut | Attribution, column: int | None) -> str:
    """The bars in words: the token that adds most on each side."""
    parts = []
    for side in found.added:
        added = found.by_token(side, column)
        most = int(np.abs(added).argmax())
        parts.append(f"{side} most “{found.tokens[most]}” {added[most]:+.2f}")
    return f"Share of each of {len(found.tokens)} tokens in the answer: {', '.join(parts)}"


def left_out_table(found: LeftOut) -> pd.DataFrame:
    """What each token adds to each target token, on both sides."""
    return pd.DataFrame(
        [
            {"token": token, "target": target}
            | {side: found.added[side][row, column] for side in found.added}
            for row, token in enumerate(found.tokens)
            for column, target in enumerate(found.targets)
        ]
    )


def gradient_table(found: Attribution, column: int | None) -> pd.DataFrame:
    """The shares of each token by gradients, on both sides."""
    shares = {side: found.by_token(side, column) for side in found.added}
    return pd.DataFrame({"token": found.tokens, **shares})


def similarity_lines(lens: Lens) -> go.Figure:
    """How alike the states of both models are, layer by layer: cosine and linear CKA."""
    names = [f"{stack.capitalize()} {layer}" for stack, layer, _, _ in lens.similarity]
    x = list(range(len(names)))
    figure = go.Figure(layout={"template": TEMPLATE, "height": 400})
    for title, place, dash in (("cosine, mean over tokens", 2, "solid"), ("linear CKA", 3, "dot")):
        figure.add_scatter(
            x=x,
            y=[row[place] for row in lens.similarity],
            mode="lines+markers",
            name=title,
            line={"dash": dash},
            customdata=names,
            hovertemplate="%{customdata}: %{y:.4f}<extra></extra>",
        )
    lowest = min(min(row[2], row[3]) for row in lens.similarity)
    figure.update_xaxes(**panels.layer_ticks(names), range=[-0.5, len(names) - 0.5])
    figure.update_yaxes(title_text="Similarity of states", range=[min(0.0, lowest), 1.03])
    figure.update_layout(margin={"b": 120, "t": 20})
    return figure


def similarity_alt(lens: Lens) -> str:
    """The lines in words."""
    stack, layer, cosine, cka = min(lens.similarity, key=lambda row: row[2])
    return (
        f"Similarity of hidden states before and after by layer; lowest cosine {cosine:.3f} at "
        f"{stack} {layer}, where linear CKA is {cka:.3f}"
    )
